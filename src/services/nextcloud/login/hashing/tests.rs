//! The pool: bounds, fairness, and callers that stop waiting.

use super::{HashingPool, MAX_WAITING, MAX_WAITING_PER_CLIENT, PasswordCheckError, UnusableHash};
use crate::{
    config::secret::Secret,
    server::{client_address::ClientAddressResolver, peer::ConnectionPeer},
    services::nextcloud::login::AttemptRecord,
};
use std::{
    future::Future,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Cheap, and fits `right`.
const HASH: &str = "$argon2id$v=19$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$rc9SVIMTq5NJGXhhEkKX2z34B0IX900+yu18TYBLKbM";

/// Holds the workers up until it is opened.
#[derive(Clone, Default)]
struct WorkerGate(Arc<(Mutex<bool>, Condvar)>);

impl WorkerGate {
    fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    fn pass(&self) {
        let (open, opened) = &*self.0;
        drop(opened.wait_while(open.lock().unwrap(), |open| !*open).unwrap());
    }
}

fn pool(at_once: usize) -> HashingPool {
    HashingPool::new(at_once, ClientAddressResolver::new(vec![]), Arc::new(|_| true))
}

fn gated(at_once: usize) -> (HashingPool, WorkerGate) {
    let gate = WorkerGate::default();
    let held = gate.clone();
    let still_allowed = Arc::new(move |_| {
        held.pass();
        true
    });
    (HashingPool::new(at_once, ClientAddressResolver::new(vec![]), still_allowed), gate)
}

fn peer(last: u8) -> ConnectionPeer {
    ConnectionPeer { address: Some(([192, 0, 2, last], 1).into()), forwarded: vec![] }
}

/// Polls once, so that it stands in the queue.
async fn standing<F: Future>(future: F) -> std::pin::Pin<Box<F>> {
    let mut future = Box::pin(future);
    assert!(futures_util::poll!(&mut future).is_pending());
    future
}

#[tokio::test]
async fn distinguishes_right_wrong_and_unusable() {
    let pool = pool(1);
    assert_eq!(
        pool.verify(HASH, &"right".into(), &peer(1), AttemptRecord::default()).await,
        Ok(true)
    );
    assert_eq!(
        pool.verify(HASH, &"wrong".into(), &peer(1), AttemptRecord::default()).await,
        Ok(false)
    );
    let unusable = Err(PasswordCheckError::Unusable(UnusableHash::Unknown));
    assert_eq!(
        pool.verify("md5", &"right".into(), &peer(1), AttemptRecord::default()).await,
        unusable
    );
}

#[tokio::test]
async fn one_client_cannot_fill_the_queue() {
    let (pool, gate) = gated(1);
    let (right, flooder) = (Secret::new("right"), peer(1));
    let mut waiting = Vec::new();
    // One is being checked, or about to be, besides those that wait.
    for _ in 0..MAX_WAITING_PER_CLIENT {
        waiting.push(standing(pool.verify(HASH, &right, &flooder, AttemptRecord::default())).await);
    }
    while pool.waiting() == MAX_WAITING_PER_CLIENT {
        tokio::task::yield_now().await;
    }
    waiting.push(standing(pool.verify(HASH, &right, &flooder, AttemptRecord::default())).await);
    assert_eq!(
        pool.verify(HASH, &right, &flooder, AttemptRecord::default()).await,
        Err(PasswordCheckError::Busy)
    );

    let elsewhere = peer(2);
    let other = standing(pool.verify(HASH, &right, &elsewhere, AttemptRecord::default())).await;
    gate.open();
    assert_eq!(other.await, Ok(true));
    for one in waiting {
        assert_eq!(one.await, Ok(true));
    }
}

/// Counted in checks, since a check's time depends on the machine: before the own one there are the
/// one that runs already and the one whose turn it is.
#[tokio::test]
async fn a_flood_from_one_client_delays_others_by_two_checks_at_most() {
    let (gate, turns) = (WorkerGate::default(), Arc::new(Mutex::new(Vec::new())));
    let (held, noted) = (gate.clone(), Arc::clone(&turns));
    let still_allowed = Arc::new(move |origin| {
        held.pass();
        noted.lock().unwrap().push(origin);
        true
    });
    let pool = HashingPool::new(1, ClientAddressResolver::new(vec![]), still_allowed);
    let (wrong, right) = (Secret::new("wrong"), Secret::new("right"));
    let (flooder, elsewhere) = (peer(1), peer(2));
    let mut flood = Vec::new();
    for _ in 0..MAX_WAITING_PER_CLIENT {
        flood.push(standing(pool.verify(HASH, &wrong, &flooder, AttemptRecord::default())).await);
    }
    let other = standing(pool.verify(HASH, &right, &elsewhere, AttemptRecord::default())).await;
    gate.open();
    assert_eq!(other.await, Ok(true));
    futures_util::future::join_all(flood).await;
    let other = ClientAddressResolver::new(vec![]).of(&elsewhere);
    let before = turns.lock().unwrap().iter().position(|origin| *origin == other);
    assert!(before.is_some_and(|before| before <= 2), "{before:?}");
}

#[tokio::test]
async fn a_full_queue_makes_room_at_the_cost_of_the_network_with_most_jobs() {
    let (pool, gate) = gated(1);
    let right = Secret::new("right");
    let peers: Vec<_> = (1..=8).map(peer).collect();
    let local = ConnectionPeer::default();
    let mut waiting_checks =
        vec![standing(pool.verify(HASH, &right, &local, AttemptRecord::default())).await];
    while pool.waiting() > 0 {
        tokio::task::yield_now().await;
    }
    for n in 0..MAX_WAITING {
        waiting_checks.push(
            standing(pool.verify(HASH, &right, &peers[n % 8], AttemptRecord::default())).await,
        );
    }
    assert_eq!(pool.waiting(), MAX_WAITING);

    let newcomer = peer(99);
    let newcomer = standing(pool.verify(HASH, &right, &newcomer, AttemptRecord::default())).await;
    assert_eq!(pool.waiting(), MAX_WAITING);
    // Its own network would have the most jobs: it is refused itself.
    assert_eq!(
        pool.verify(HASH, &right, &peers[0], AttemptRecord::default()).await,
        Err(PasswordCheckError::Busy)
    );

    gate.open();
    assert_eq!(newcomer.await, Ok(true));
    let mut rejected = 0;
    for one in waiting_checks {
        rejected += usize::from(one.await == Err(PasswordCheckError::Busy));
    }
    assert_eq!(rejected, 1);
}

#[tokio::test]
async fn a_caller_that_stops_waiting_gives_its_turn_up() {
    let (gate, turns) = (WorkerGate::default(), Arc::new(Mutex::new(0)));
    let (held, counted) = (gate.clone(), Arc::clone(&turns));
    let still_allowed = Arc::new(move |_| {
        held.pass();
        *counted.lock().unwrap() += 1;
        true
    });
    let pool = HashingPool::new(1, ClientAddressResolver::new(vec![]), still_allowed);
    let (right, peers) = (Secret::new("right"), [peer(1), peer(2), peer(3)]);
    let first = standing(pool.verify(HASH, &right, &peers[0], AttemptRecord::default())).await;
    let leaver = standing(pool.verify(HASH, &right, &peers[1], AttemptRecord::default())).await;
    let last = standing(pool.verify(HASH, &right, &peers[2], AttemptRecord::default())).await;
    drop(leaver);
    gate.open();
    assert_eq!((first.await, last.await), (Ok(true), Ok(true)));
    assert_eq!(*turns.lock().unwrap(), 2);
}

#[tokio::test]
async fn a_network_that_is_refused_meanwhile_is_not_checked() {
    let pool = HashingPool::new(1, ClientAddressResolver::new(vec![]), Arc::new(|_| false));
    assert_eq!(
        pool.verify(HASH, &"right".into(), &peer(1), AttemptRecord::default()).await,
        Err(PasswordCheckError::Busy)
    );
}

#[tokio::test]
async fn a_panic_costs_one_answer_and_no_worker() {
    let first = AtomicUsize::new(0);
    let still_allowed = Arc::new(move |_| {
        assert!(first.fetch_add(1, Ordering::SeqCst) > 0, "boom");
        true
    });
    let pool = HashingPool::new(1, ClientAddressResolver::new(vec![]), still_allowed);
    assert_eq!(
        pool.verify(HASH, &"right".into(), &peer(1), AttemptRecord::default()).await,
        Err(PasswordCheckError::Busy)
    );
    assert_eq!(
        pool.verify(HASH, &"right".into(), &peer(1), AttemptRecord::default()).await,
        Ok(true)
    );
}
