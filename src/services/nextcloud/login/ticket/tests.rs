//! Tickets: once, in time, bounded, and waiting for the event without polling.

use super::{
    LIFETIME, MAX_TICKETS, MAX_WAIT, MAX_WAITING, TicketAuthenticator, TicketStore, TooManyWaiters,
};
use crate::{
    config::secret::Secret,
    push::{
        AuthDecision, AuthMethod, LoginAttempt, LoginCredentials, TicketOwner, recipient::Recipient,
    },
    server::peer::ConnectionPeer,
    services::nextcloud::login::{AttemptRecord, Authenticator},
};
use futures_util::poll;
use std::time::Duration;
use tokio::time::{Instant, advance};

fn token(text: &str) -> Secret {
    Secret::new(text)
}

async fn redeem(tickets: &TicketStore, text: &str) -> Option<Recipient> {
    tickets.redeem(&token(text), Instant::now()).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_ticket_is_valid_once() {
    let tickets = TicketStore::default();
    tickets.issue("bob".into(), &token("a+/b"), Instant::now());
    assert_eq!(redeem(&tickets, "a+/b").await, Some("bob".into()));
    assert_eq!(redeem(&tickets, "a+/b").await, None);
}

#[tokio::test(start_paused = true)]
async fn a_ticket_ends_after_its_lifetime() {
    let tickets = TicketStore::default();
    tickets.issue("bob".into(), &token("t1"), Instant::now());
    tickets.issue("bob".into(), &token("t2"), Instant::now());
    advance(LIFETIME - Duration::from_millis(1)).await;
    assert_eq!(redeem(&tickets, "t1").await, Some("bob".into()));
    advance(Duration::from_millis(1)).await;
    assert_eq!(redeem(&tickets, "t2").await, None);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_faster_than_the_event_waits_for_it() {
    let tickets = TicketStore::default();
    let early = redeem(&tickets, "soon");
    tokio::pin!(early);
    assert!(poll!(&mut early).is_pending());
    advance(MAX_WAIT - Duration::from_millis(1)).await;
    tickets.issue("bob".into(), &token("soon"), Instant::now());
    assert_eq!(early.await, Some("bob".into()));
    assert_eq!(tickets.kept(), 0, "used up by the one who waited");
}

#[tokio::test(start_paused = true)]
async fn a_client_does_not_wait_longer_than_a_second() {
    let tickets = TicketStore::default();
    let before = Instant::now();
    assert_eq!(redeem(&tickets, "never").await, None);
    assert_eq!(before.elapsed(), MAX_WAIT);
    assert!(tickets.lock().waiting.is_empty());
}

#[tokio::test(start_paused = true)]
async fn of_two_clients_that_wait_for_one_ticket_one_gets_it() {
    let tickets = TicketStore::default();
    let (first, second) = (redeem(&tickets, "t"), redeem(&tickets, "t"));
    tokio::pin!(first, second);
    assert!(poll!(&mut first).is_pending() && poll!(&mut second).is_pending());
    tickets.issue("bob".into(), &token("t"), Instant::now());
    assert_eq!((first.await, second.await), (Some("bob".into()), None));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_left_does_not_use_the_ticket_up() {
    let tickets = TicketStore::default();
    {
        let left = redeem(&tickets, "t");
        tokio::pin!(left);
        assert!(poll!(&mut left).is_pending());
    }
    tickets.issue("bob".into(), &token("t"), Instant::now());
    assert_eq!(redeem(&tickets, "t").await, Some("bob".into()));
}

#[tokio::test(start_paused = true)]
async fn too_many_waiting_clients_are_refused_but_issued_tickets_still_work() {
    let tickets = TicketStore::default();
    let mut waiting_clients: Vec<_> = (0..MAX_WAITING)
        .map(|n| {
            let (tickets, token) = (tickets.clone(), token(&format!("none {n}")));
            Box::pin(async move { tickets.redeem(&token, Instant::now()).await })
        })
        .collect();
    for one in &mut waiting_clients {
        assert!(poll!(one).is_pending());
    }
    assert_eq!(tickets.redeem(&token("more"), Instant::now()).await, Err(TooManyWaiters));
    tickets.issue("bob".into(), &token("here"), Instant::now());
    assert_eq!(redeem(&tickets, "here").await, Some("bob".into()));

    waiting_clients.pop();
    let next = redeem(&tickets, "there is room again");
    tokio::pin!(next);
    assert!(poll!(&mut next).is_pending());
}

#[tokio::test(start_paused = true)]
async fn clients_that_wait_for_the_same_ticket_leave_no_count_behind() {
    let tickets = TicketStore::default();
    for n in 0..4 {
        let text = format!("ticket {n}");
        let mut waiting_clients: Vec<_> =
            (0..MAX_WAITING).map(|_| Box::pin(redeem(&tickets, &text))).collect();
        for one in &mut waiting_clients {
            assert!(poll!(one).is_pending(), "round {n}");
        }
        tickets.issue("bob".into(), &token(&text), Instant::now());
        let redeemed = futures_util::future::join_all(waiting_clients).await;
        assert_eq!(redeemed.iter().flatten().count(), 1);
        assert_eq!(tickets.lock().total_waiting, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_store_drops_the_oldest() {
    let (tickets, now) = (TicketStore::default(), Instant::now());
    for n in 0..=MAX_TICKETS {
        tickets.issue("bob".into(), &token(&n.to_string()), now);
    }
    assert_eq!(tickets.kept(), MAX_TICKETS);
    assert_eq!(redeem(&tickets, "1").await, Some("bob".into()));
    assert_eq!(redeem(&tickets, "0").await, None);
}

#[tokio::test(start_paused = true)]
async fn a_token_issued_again_lives_from_then() {
    let tickets = TicketStore::default();
    tickets.issue("bob".into(), &token("t"), Instant::now());
    advance(LIFETIME - Duration::from_secs(1)).await;
    tickets.issue("carol".into(), &token("t"), Instant::now());
    advance(Duration::from_secs(2)).await;
    tickets.issue("dave".into(), &token("another, which sweeps"), Instant::now());
    assert_eq!(redeem(&tickets, "t").await, Some("carol".into()));
}

#[tokio::test(start_paused = true)]
async fn only_an_empty_user_name_means_a_ticket() {
    let tickets = TicketStore::default();
    tickets.issue("bob".into(), &token("t"), Instant::now());
    let authenticator = TicketAuthenticator { tickets, owners: None };
    let attempt = |user: &str, password: &str| LoginAttempt {
        credentials: LoginCredentials { user: user.into(), password: password.into() },
        peer: ConnectionPeer::default(),
    };
    assert!(matches!(
        authenticator.check(&attempt("bob", "t"), &AttemptRecord::default()).await,
        AuthDecision::Abstain
    ));
    let AuthDecision::Accept(authenticated) =
        authenticator.check(&attempt("", "t"), &AttemptRecord::default()).await
    else {
        panic!("the ticket is good");
    };
    assert_eq!(&*authenticated.recipient, "bob");
    assert!(matches!(authenticated.auth_method, AuthMethod::Ticket(TicketOwner::Unknown)));
    assert!(matches!(
        authenticator.check(&attempt("", "t"), &AttemptRecord::default()).await,
        AuthDecision::Reject
    ));
}
