//! Registrations, hooks and ids of a book in memory.

use super::*;
use std::sync::Arc;

fn clock() -> Clock {
    Arc::new(|| UNIX_EPOCH + Duration::from_secs(1_700_000_000))
}

fn book(limits: BookLimits) -> (MemoryBook, mpsc::Receiver<News>) {
    let (news, told) = mpsc::channel(16);
    (MemoryBook::new(limits, clock(), news), told)
}

fn claim(user: &str, connection: &str) -> Claim {
    Claim::new(user, connection).unwrap()
}

fn hook(id: &str, to: Target, seconds: u64) -> Hook {
    let expires = UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds);
    Hook { id: id.to_owned(), to, expires, secret: None }
}

#[tokio::test(start_paused = true)]
async fn only_what_is_registered_may_enter_and_names_are_plain_strings() {
    let (book, _told) = book(BookLimits::default());
    for user in ["alice", "__proto__", "constructor"] {
        assert_eq!(book.enter(&claim(user, "c")).await, Ok(None));
        book.register(&claim(user, "c")).await.unwrap();
        for other in ["toString", "__proto__", "C", "c "] {
            assert_eq!(book.enter(&claim(user, other)).await, Ok(None), "{user} {other}");
        }
        assert!(book.enter(&claim(user, "c")).await.unwrap().is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_registration_lives_an_hour_from_its_last_use() {
    let (book, _told) = book(BookLimits::default());
    let (hour, pair) = (Duration::from_secs(3600), claim("u", "c"));
    let most = hour - Duration::from_millis(1);
    book.register(&pair).await.unwrap();
    tokio::time::advance(most).await;
    book.register(&pair).await.unwrap();
    tokio::time::advance(most).await;
    let older = book.enter(&pair).await.unwrap().unwrap().at;
    let newer = book.enter(&pair).await.unwrap().unwrap();
    assert_eq!(newer.told, None, "it is there");
    tokio::time::advance(most).await;
    let left = |at| [Kept { claim: pair.clone(), at, state: State::Away(MessageId(9)) }];
    let here = [Kept { claim: pair.clone(), at: older, state: State::Here }];
    let lapsed = Lapsed { claim: pair.clone(), at: older, newer: true };
    assert_eq!(book.keep(&here).await, Ok(vec![lapsed]));
    assert_eq!(book.keep(&left(older)).await, Ok(Vec::new()), "who has left may be anywhere");
    assert_eq!(
        book.enter(&pair).await.unwrap().unwrap().told,
        None,
        "the newer one is still there"
    );
    let at = book.pages().users["u"]["c"].at;
    book.keep(&left(at)).await.unwrap();
    tokio::time::advance(most).await;
    let entry = book.enter(&pair).await.unwrap().unwrap();
    assert_eq!(entry.told, Some(MessageId(9)));
    tokio::time::advance(hour).await;
    assert_eq!(book.enter(&pair).await, Ok(None));
    book.keep(&[]).await.unwrap();
    assert!(book.pages().users.is_empty(), "what is over is forgotten");
}

#[tokio::test(start_paused = true)]
async fn a_user_and_the_book_are_bounded_and_room_comes_back() {
    let limits = BookLimits { per_user: 2, users: 2, ..BookLimits::default() };
    let (book, _told) = book(limits);
    for pair in [claim("a", "1"), claim("a", "2"), claim("b", "1")] {
        book.register(&pair).await.unwrap();
        book.register(&pair).await.unwrap();
    }
    assert!(matches!(book.register(&claim("a", "3")).await, Err(BookError::Full(_))));
    assert!(matches!(book.register(&claim("c", "1")).await, Err(BookError::Full(_))));
    assert_eq!(book.unregister(&claim("a", "2")).await, Ok(true));
    book.register(&claim("a", "3")).await.unwrap();
    tokio::time::advance(Duration::from_secs(3600)).await;
    book.register(&claim("c", "1")).await.unwrap();
}

#[tokio::test]
async fn an_unregistered_pair_is_unknown_and_its_session_is_told() {
    let (book, mut told) = book(BookLimits::default());
    let pair = claim("u", "c");
    book.register(&pair).await.unwrap();
    let (own, users) = (HookKey([1; 32]), HookKey([2; 32]));
    book.add_hook(&own, &hook("own", Target::Connection(pair.clone()), 60)).await.unwrap();
    book.add_hook(&users, &hook("all", Target::User("u".into()), 60)).await.unwrap();
    assert_eq!(book.unregister(&pair).await, Ok(true));
    assert_eq!(book.unregister(&pair).await, Ok(false));
    assert_eq!(book.enter(&pair).await, Ok(None));
    assert!(matches!(told.recv().await, Some(News::Unregistered(gone)) if gone == pair));
    assert_eq!(book.hook(&own).await, Ok(None), "bound to what is gone");
    assert!(book.hook(&users).await.unwrap().is_some());
}

#[tokio::test]
async fn ids_grow_and_arrive_in_order() {
    let (book, mut told) = book(BookLimits::default());
    let to = Target::User("u".to_owned());
    let mut ids = Vec::new();
    for number in 0..3 {
        ids.push(book.post(&to, &Value::of(&number)).await.unwrap());
    }
    assert_eq!(ids[0], MessageId(1_700_000_000_000_000));
    for id in ids {
        let Some(News::Message(stored)) = told.recv().await else { panic!("nothing told") };
        assert_eq!(stored.id, id);
    }
    book.register(&claim("u", "late")).await.unwrap();
    let entry = book.enter(&claim("u", "late")).await.unwrap().unwrap();
    assert_eq!(entry.told, Some(MessageId(1_700_000_000_000_002)), "what came before isn't its");
}

#[tokio::test]
async fn hooks_end_with_their_time_and_belong_to_their_owner() {
    let limits = BookLimits { hooks_per_user: 2, ..BookLimits::default() };
    let (book, _told) = book(limits);
    let (user, pair) = (Target::User("u".into()), Target::Connection(claim("u", "c")));
    let keys = [1, 2, 3, 4].map(|byte| HookKey([byte; 32]));
    book.add_hook(&keys[0], &hook("over", user.clone(), 0)).await.unwrap();
    assert_eq!(book.hook(&keys[0]).await, Ok(None));
    book.add_hook(&keys[1], &hook("a", user.clone(), 60)).await.unwrap();
    book.add_hook(&keys[2], &hook("b", pair.clone(), 60)).await.unwrap();
    let full = book.add_hook(&keys[3], &hook("c", user.clone(), 60)).await;
    assert!(matches!(full, Err(BookError::Full(_))));
    let ids: Vec<String> = book.hooks("u").await.unwrap().into_iter().map(|l| l.id).collect();
    assert_eq!(ids, ["a", "b"]);
    assert_eq!(book.remove_hook(&Target::User("v".into()), "a").await, Ok(false));
    assert_eq!(book.remove_hook(&pair, "a").await, Ok(false), "not bound to this connection");
    assert_eq!(book.remove_hook(&pair, "b").await, Ok(true));
    assert_eq!(book.remove_hook(&user, "a").await, Ok(true));
    assert_eq!(book.hook(&keys[1]).await, Ok(None));
    assert!(book.pages().hooks.is_empty() && book.pages().of_user.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_signature_counts_once_within_its_time() {
    let (book, _told) = book(BookLimits::default());
    assert_eq!(book.first_time("s", 600).await, Ok(true));
    assert_eq!(book.first_time("s", 600).await, Ok(false));
    assert_eq!(book.first_time("t", 600).await, Ok(true));
    tokio::time::advance(Duration::from_secs(600)).await;
    assert_eq!(book.first_time("s", 600).await, Ok(true));
}
