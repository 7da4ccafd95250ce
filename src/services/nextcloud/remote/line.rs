//! The line in front of Nextcloud: each claim is asked about once, nobody's turn is wasted, and who
//! loses patience and comes back finds the answer or the old place. Pure: no clock, no socket.

use crate::{
    config::recent_map::Recent,
    server::client_address::Origin,
    services::nextcloud::login::{Fingerprint, fair_queue::Lanes},
};
use std::{collections::HashMap, time::Duration};
use tokio::{sync::oneshot, time::Instant};

/// How many claims may stand in line; beyond, who comes hears "try again later".
pub const MAX_WAITING: usize = 20_000;

/// How many connections may wait for the answer about one claim.
pub(super) const MAX_SHARING: usize = 64;

/// How long a place is kept for a client that left, how long an answer that nobody took: clients
/// come back after 20 to 120 s (`specs/nextcloud.md` section 3).
const PLACE_KEPT: Duration = Duration::from_secs(150);
const ANSWER_KEPT: Duration = Duration::from_secs(60);

/// The line counts as moving while the last real answer is no older than this.
const STILL_MOVING: Duration = Duration::from_secs(5);

/// A full line is looked through for those who left no more often than this.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);

/// Claims in line, `T` being what is to be asked, `A` the answer.
pub(super) struct Line<T, A> {
    at_once: usize,
    asking: usize,
    next_number: u64,
    claims: HashMap<Fingerprint, Claim<T, A>>,
    lanes: Lanes<Origin, Fingerprint>,
    places: Recent<Fingerprint, u64>,
    unclaimed: Recent<Fingerprint, A>,
    moved: Option<Instant>,
    swept: Option<Instant>,
}

struct Claim<T, A> {
    number: u64,
    /// Taken when it is asked about.
    question: Option<T>,
    sharing: Vec<oneshot::Sender<A>>,
}

/// How a client got on in line.
pub(super) enum Joined<A> {
    /// The answer was there already, from when the client was here before.
    Answered(A),
    /// It waits. `start` is true when somebody has to start working the line off.
    Waits { answer: oneshot::Receiver<A>, start: bool },
    /// The line is full.
    Full,
}

impl<T, A: Clone> Line<T, A> {
    /// An empty line that is worked off by `at_once`, at least one.
    pub(super) fn new(at_once: usize) -> Self {
        Self {
            at_once: at_once.max(1),
            asking: 0,
            next_number: 0,
            claims: HashMap::new(),
            lanes: Lanes::default(),
            places: Recent::new(MAX_WAITING, PLACE_KEPT),
            unclaimed: Recent::new(MAX_WAITING, ANSWER_KEPT),
            moved: None,
            swept: None,
        }
    }

    /// A client comes with a claim. The same claim, in line or just being asked about, is joined.
    pub(super) fn join(
        &mut self,
        claim: Fingerprint,
        origin: Origin,
        question: T,
        now: Instant,
    ) -> Joined<A> {
        if let Some(answer) = self.unclaimed.take(&claim, now) {
            return Joined::Answered(answer);
        }
        let (sender, answer) = oneshot::channel();
        if let Some(claim) = self.claims.get_mut(&claim) {
            claim.sharing.retain(|client| !client.is_closed());
            if claim.sharing.len() >= MAX_SHARING {
                return Joined::Full;
            }
            claim.sharing.push(sender);
            return Joined::Waits { answer, start: false };
        }
        if self.lanes.len() >= MAX_WAITING && !self.make_room(origin, now) {
            return Joined::Full;
        }
        let number = self.places.take(&claim, now).unwrap_or_else(|| self.draw_number());
        self.lanes.push(origin, number, claim);
        let sharing = vec![sender];
        self.claims.insert(claim, Claim { number, question: Some(question), sharing });
        let start = self.asking < self.at_once;
        self.asking += usize::from(start);
        Joined::Waits { answer, start }
    }

    /// Whose turn it is. A claim that nobody waits for any more keeps its place but isn't asked
    /// about. Without a claim whoever works the line off has left in the same breath.
    pub(super) fn next(&mut self, now: Instant) -> Option<(Fingerprint, T)> {
        while let Some((_, claim)) = self.lanes.pop() {
            let Some(waiting) = self.claims.get_mut(&claim) else { continue };
            if waiting.is_deserted() {
                let number = waiting.number;
                self.claims.remove(&claim);
                self.places.insert(claim, number, now);
            } else if let Some(question) = waiting.question.take() {
                return Some((claim, question));
            }
        }
        self.asking -= 1;
        None
    }

    /// The answer about a claim, for all who wait for it. A `real` one is kept for a while if they
    /// have all left meanwhile, and shows that the line moves.
    pub(super) fn answered(&mut self, claim: Fingerprint, answer: &A, real: bool, now: Instant) {
        let sharing = self.claims.remove(&claim).map(|claim| claim.sharing).unwrap_or_default();
        let mut taken = false;
        for client in sharing {
            taken |= client.send(answer.clone()).is_ok();
        }
        if real {
            self.moved = Some(now);
            if !taken {
                self.unclaimed.insert(claim, answer.clone(), now);
            }
        }
    }

    /// Whether it is worth waiting on: there was an answer lately.
    pub(super) fn moves(&self, now: Instant) -> bool {
        self.moved.is_some_and(|moved| now.duration_since(moved) <= STILL_MOVING)
    }

    /// How many claims stand in line, those of clients that left included.
    pub(super) fn waiting(&self) -> usize {
        self.lanes.len()
    }

    fn draw_number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    /// Makes room in a full line: those who left go, keeping their places; if nobody has, the last
    /// of the longest lane gives way to a newcomer whose own lane is shorter. Whether there is room.
    fn make_room(&mut self, origin: Origin, now: Instant) -> bool {
        if self.swept.is_none_or(|swept| now.duration_since(swept) >= SWEEP_PAUSE) {
            self.swept = Some(now);
            self.sweep(now);
        }
        if self.lanes.len() < MAX_WAITING {
            return true;
        }
        let Some(gone) = self.lanes.drop_from_longest(self.lanes.len_of(origin) + 1) else {
            return false;
        };
        self.claims.remove(&gone);
        true
    }

    fn sweep(&mut self, now: Instant) {
        let (claims, places) = (&mut self.claims, &mut self.places);
        self.lanes.retain(|number, claim| {
            let stays = claims.get(claim).is_some_and(|waiting| !waiting.is_deserted());
            if !stays {
                claims.remove(claim);
                places.insert(*claim, number, now);
            }
            stays
        });
    }
}

impl<T, A> Claim<T, A> {
    fn is_deserted(&self) -> bool {
        self.sharing.iter().all(oneshot::Sender::is_closed)
    }
}

#[cfg(test)]
mod tests;
