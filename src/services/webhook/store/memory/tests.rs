//! Registrations, hooks and ids of a store in memory.

use super::*;
use std::{sync::Arc, time::UNIX_EPOCH};

fn clock() -> WallClock {
    Arc::new(|| UNIX_EPOCH + Duration::from_secs(1_700_000_000))
}

fn store(limits: StoreLimits) -> (MemoryStore, mpsc::Receiver<ReplicaEvent>) {
    let (replica_events, notified) = mpsc::channel(16);
    (MemoryStore::new(limits, clock(), replica_events), notified)
}

fn claim(user: &str, connection: &str) -> RegistrationKey {
    RegistrationKey::new(user, connection).unwrap()
}

fn hook(id: &str, to: MessageTarget, seconds: u64) -> PrivateHook {
    let expires = UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds);
    PrivateHook { id: id.to_owned(), to, expires, secret: None }
}

#[tokio::test(start_paused = true)]
async fn only_registered_pairs_enter_and_names_are_plain_strings() {
    let (store, _told) = store(StoreLimits::default());
    for user in ["alice", "__proto__", "constructor"] {
        assert_eq!(store.enter(&claim(user, "c")).await, Ok(None));
        store.register(&claim(user, "c")).await.unwrap();
        for other in ["toString", "__proto__", "C", "c "] {
            assert_eq!(store.enter(&claim(user, other)).await, Ok(None), "{user} {other}");
        }
        assert!(store.enter(&claim(user, "c")).await.unwrap().is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_registration_lives_an_hour_from_its_last_use() {
    let (store, _told) = store(StoreLimits::default());
    let (hour, pair) = (Duration::from_secs(3600), claim("u", "c"));
    let most = hour - Duration::from_millis(1);
    store.register(&pair).await.unwrap();
    tokio::time::advance(most).await;
    store.register(&pair).await.unwrap();
    tokio::time::advance(most).await;
    let older = store.enter(&pair).await.unwrap().unwrap().at;
    let newer = store.enter(&pair).await.unwrap().unwrap();
    assert_eq!(newer.notified, None, "it is there");
    tokio::time::advance(most).await;
    let left = |at| {
        [RegistrationRenewal {
            claim: pair.clone(),
            at,
            state: RegistrationState::Offline(MessageId(9)),
        }]
    };
    let online =
        [RegistrationRenewal { claim: pair.clone(), at: older, state: RegistrationState::Online }];
    let expired = ExpiredRegistration { claim: pair.clone(), at: older, newer: true };
    assert_eq!(store.keep(&online).await, Ok(vec![expired]));
    assert_eq!(
        store.keep(&left(older)).await,
        Ok(Vec::new()),
        "a session that has left may be on any replica"
    );
    assert_eq!(
        store.enter(&pair).await.unwrap().unwrap().notified,
        None,
        "the newer one is still there"
    );
    let at = store.tables().users["u"]["c"].at;
    store.keep(&left(at)).await.unwrap();
    tokio::time::advance(most).await;
    let entry = store.enter(&pair).await.unwrap().unwrap();
    assert_eq!(entry.notified, Some(MessageId(9)));
    tokio::time::advance(hour).await;
    assert_eq!(store.enter(&pair).await, Ok(None));
    store.keep(&[]).await.unwrap();
    assert!(store.tables().users.is_empty(), "what is over is forgotten");
}

#[tokio::test(start_paused = true)]
async fn registrations_per_user_and_in_all_are_bounded_and_expire() {
    let limits = StoreLimits { per_user: 2, users: 2, ..StoreLimits::default() };
    let (store, _told) = store(limits);
    for pair in [claim("a", "1"), claim("a", "2"), claim("b", "1")] {
        store.register(&pair).await.unwrap();
        store.register(&pair).await.unwrap();
    }
    assert!(matches!(store.register(&claim("a", "3")).await, Err(RegistrationStoreError::Full(_))));
    assert!(matches!(store.register(&claim("c", "1")).await, Err(RegistrationStoreError::Full(_))));
    assert_eq!(store.unregister(&claim("a", "2")).await, Ok(true));
    store.register(&claim("a", "3")).await.unwrap();
    tokio::time::advance(Duration::from_secs(3600)).await;
    store.register(&claim("c", "1")).await.unwrap();
}

#[tokio::test]
async fn an_unregistered_pair_is_unknown_and_its_session_closed() {
    let (store, mut notified) = store(StoreLimits::default());
    let pair = claim("u", "c");
    store.register(&pair).await.unwrap();
    let (own, users) = (HookKey([1; 32]), HookKey([2; 32]));
    store.add_hook(&own, &hook("own", MessageTarget::Connection(pair.clone()), 60)).await.unwrap();
    store.add_hook(&users, &hook("all", MessageTarget::User("u".into()), 60)).await.unwrap();
    assert_eq!(store.unregister(&pair).await, Ok(true));
    assert_eq!(store.unregister(&pair).await, Ok(false));
    assert_eq!(store.enter(&pair).await, Ok(None));
    assert!(matches!(notified.recv().await, Some(ReplicaEvent::Unregistered(key)) if key == pair));
    assert_eq!(store.hook(&own).await, Ok(None), "its connection was unregistered");
    assert!(store.hook(&users).await.unwrap().is_some());
}

#[tokio::test]
async fn ids_grow_and_arrive_in_order() {
    let (store, mut notified) = store(StoreLimits::default());
    let to = MessageTarget::User("u".to_owned());
    let mut ids = Vec::new();
    for number in 0..3 {
        ids.push(store.post(&to, &MessageValue::of(&number)).await.unwrap());
    }
    assert_eq!(ids[0], MessageId(1_700_000_000_000_000));
    for id in ids {
        let Some(ReplicaEvent::Message(stored)) = notified.recv().await else {
            panic!("nothing notified")
        };
        assert_eq!(stored.id, id);
    }
    store.register(&claim("u", "late")).await.unwrap();
    let entry = store.enter(&claim("u", "late")).await.unwrap().unwrap();
    assert_eq!(
        entry.notified,
        Some(MessageId(1_700_000_000_000_002)),
        "what came before isn't its"
    );
}

#[tokio::test]
async fn hooks_expire_and_belong_to_their_owner() {
    let limits = StoreLimits { hooks_per_user: 2, ..StoreLimits::default() };
    let (store, _told) = store(limits);
    let (user, pair) =
        (MessageTarget::User("u".into()), MessageTarget::Connection(claim("u", "c")));
    let keys = [1, 2, 3, 4].map(|byte| HookKey([byte; 32]));
    store.add_hook(&keys[0], &hook("over", user.clone(), 0)).await.unwrap();
    assert_eq!(store.hook(&keys[0]).await, Ok(None));
    store.add_hook(&keys[1], &hook("a", user.clone(), 60)).await.unwrap();
    store.add_hook(&keys[2], &hook("b", pair.clone(), 60)).await.unwrap();
    let full = store.add_hook(&keys[3], &hook("c", user.clone(), 60)).await;
    assert!(matches!(full, Err(RegistrationStoreError::Full(_))));
    let ids: Vec<String> = store.hooks("u").await.unwrap().into_iter().map(|l| l.id).collect();
    assert_eq!(ids, ["a", "b"]);
    assert_eq!(store.remove_hook(&MessageTarget::User("v".into()), "a").await, Ok(false));
    assert_eq!(store.remove_hook(&pair, "a").await, Ok(false), "not bound to this connection");
    assert_eq!(store.remove_hook(&pair, "b").await, Ok(true));
    assert_eq!(store.remove_hook(&user, "a").await, Ok(true));
    assert_eq!(store.hook(&keys[1]).await, Ok(None));
    assert!(store.tables().hooks.is_empty() && store.tables().of_user.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_signature_counts_once_within_its_time() {
    let (store, _told) = store(StoreLimits::default());
    assert_eq!(store.insert_once("s", 600).await, Ok(true));
    assert_eq!(store.insert_once("s", 600).await, Ok(false));
    assert_eq!(store.insert_once("t", 600).await, Ok(true));
    tokio::time::advance(Duration::from_secs(600)).await;
    assert_eq!(store.insert_once("s", 600).await, Ok(true));
}
