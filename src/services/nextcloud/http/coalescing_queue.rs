//! The queue in front of Nextcloud: each claim is asked about once, no request is wasted on a client
//! that has left, and a client that comes back finds its answer or its old place. The clock is passed
//! in.

use crate::{
    server::client_address::ClientNetwork,
    services::nextcloud::{
        login::{ClaimFingerprint, fair_queue::FairQueue},
        recent_map::RecentMap,
    },
};
use std::{collections::HashMap, time::Duration};
use tokio::{sync::oneshot, time::Instant};

/// Claims that may wait; a client with a further one reads "try again later".
pub const MAX_WAITING: usize = 20_000;

/// Connections that may wait for the answer about one claim.
pub(super) const MAX_WAITERS_PER_CLAIM: usize = 64;

/// How long a place is kept for a client that left, and an answer for which no client waited: clients
/// come back after 20 to 120 s (`specs/nextcloud.md` section 3).
const POSITION_TTL: Duration = Duration::from_secs(150);
const UNDELIVERED_TTL: Duration = Duration::from_secs(60);

/// The queue counts as moving while the last real answer is no older than this.
const PROGRESS_WINDOW: Duration = Duration::from_secs(5);

/// A full queue is searched for clients that left at most this often.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Claims that wait. `T` is the question about one, `A` the answer.
pub(super) struct CoalescingQueue<T, A> {
    at_once: usize,
    active_workers: usize,
    next_number: u64,
    claims: HashMap<ClaimFingerprint, QueuedClaim<T, A>>,
    fair_queue: FairQueue<ClientNetwork, ClaimFingerprint>,
    positions: RecentMap<ClaimFingerprint, u64>,
    undelivered: RecentMap<ClaimFingerprint, A>,
    last_result: Option<Instant>,
    last_sweep: Option<Instant>,
}

struct QueuedClaim<T, A> {
    number: u64,
    /// `None` once it is being asked.
    question: Option<T>,
    waiters: Vec<oneshot::Sender<A>>,
}

/// What a client that joins the queue has to do.
pub(super) enum JoinOutcome<A> {
    /// Take the answer to its earlier question.
    Answered(A),
    /// Wait. `start` is true when the caller has to start a worker.
    Waits { answer: oneshot::Receiver<A>, start: bool },
    /// The queue is full.
    Full,
}

impl<T, A: Clone> CoalescingQueue<T, A> {
    /// An empty queue for `at_once` workers, at least one.
    pub(super) fn new(at_once: usize) -> Self {
        Self {
            at_once: at_once.max(1),
            active_workers: 0,
            next_number: 0,
            claims: HashMap::new(),
            fair_queue: FairQueue::default(),
            positions: RecentMap::new(MAX_WAITING, POSITION_TTL),
            undelivered: RecentMap::new(MAX_WAITING, UNDELIVERED_TTL),
            last_result: None,
            last_sweep: None,
        }
    }

    /// Adds a client with a claim. It joins the same claim if that waits or is being asked about.
    pub(super) fn join(
        &mut self,
        claim: ClaimFingerprint,
        network: ClientNetwork,
        question: T,
        now: Instant,
    ) -> JoinOutcome<A> {
        if let Some(answer) = self.undelivered.take(&claim, now) {
            return JoinOutcome::Answered(answer);
        }
        let (sender, answer) = oneshot::channel();
        if let Some(claim) = self.claims.get_mut(&claim) {
            claim.waiters.retain(|client| !client.is_closed());
            if claim.waiters.len() >= MAX_WAITERS_PER_CLAIM {
                return JoinOutcome::Full;
            }
            claim.waiters.push(sender);
            return JoinOutcome::Waits { answer, start: false };
        }
        if self.fair_queue.len() >= MAX_WAITING && !self.make_room(network, now) {
            return JoinOutcome::Full;
        }
        let number = self.positions.take(&claim, now).unwrap_or_else(|| self.draw_number());
        self.fair_queue.push(network, number, claim);
        let waiters = vec![sender];
        self.claims.insert(claim, QueuedClaim { number, question: Some(question), waiters });
        let start = self.active_workers < self.at_once;
        self.active_workers += usize::from(start);
        JoinOutcome::Waits { answer, start }
    }

    /// The claim whose turn it is. A claim without waiting clients keeps its place but isn't asked
    /// about. Without a claim the worker has to end: it no longer counts as active.
    pub(super) fn next(&mut self, now: Instant) -> Option<(ClaimFingerprint, T)> {
        while let Some((_, claim)) = self.fair_queue.pop() {
            let Some(waiting) = self.claims.get_mut(&claim) else { continue };
            if waiting.is_abandoned() {
                let number = waiting.number;
                self.claims.remove(&claim);
                self.positions.insert(claim, number, now);
            } else if let Some(question) = waiting.question.take() {
                return Some((claim, question));
            }
        }
        self.active_workers -= 1;
        None
    }

    /// Sends the answer about a claim to all clients that wait for it. A `real` answer is kept for a
    /// while if all have left, and shows that the queue is moving.
    pub(super) fn answered(
        &mut self,
        claim: ClaimFingerprint,
        answer: &A,
        real: bool,
        now: Instant,
    ) {
        let waiters = self.claims.remove(&claim).map(|claim| claim.waiters).unwrap_or_default();
        let mut taken = false;
        for client in waiters {
            taken |= client.send(answer.clone()).is_ok();
        }
        if real {
            self.last_result = Some(now);
            if !taken {
                self.undelivered.insert(claim, answer.clone(), now);
            }
        }
    }

    /// Whether there was an answer recently, so that waiting makes sense.
    pub(super) fn is_progressing(&self, now: Instant) -> bool {
        self.last_result
            .is_some_and(|last_result| now.duration_since(last_result) <= PROGRESS_WINDOW)
    }

    /// The number of waiting claims, including those of clients that left.
    pub(super) fn waiting(&self) -> usize {
        self.fair_queue.len()
    }

    fn draw_number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    /// Makes room in a full queue and returns whether there is any. Claims of clients that left are
    /// removed but keep their positions; without such claims the last one of the network with the
    /// most claims gives way to a newcomer whose network has fewer.
    fn make_room(&mut self, network: ClientNetwork, now: Instant) -> bool {
        if self.last_sweep.is_none_or(|last_sweep| now.duration_since(last_sweep) >= SWEEP_INTERVAL)
        {
            self.last_sweep = Some(now);
            self.sweep(now);
        }
        if self.fair_queue.len() < MAX_WAITING {
            return true;
        }
        let Some(gone) = self.fair_queue.evict_from_longest(self.fair_queue.len_of(network) + 1)
        else {
            return false;
        };
        self.claims.remove(&gone);
        true
    }

    fn sweep(&mut self, now: Instant) {
        let (claims, positions) = (&mut self.claims, &mut self.positions);
        self.fair_queue.retain(|number, claim| {
            let stays = claims.get(claim).is_some_and(|waiting| !waiting.is_abandoned());
            if !stays {
                claims.remove(claim);
                positions.insert(*claim, number, now);
            }
            stays
        });
    }
}

impl<T, A> QueuedClaim<T, A> {
    fn is_abandoned(&self) -> bool {
        self.waiters.iter().all(oneshot::Sender::is_closed)
    }
}

#[cfg(test)]
mod tests;
