//! A circuit breaker: while the database is down, queries fail at once except for one trial at a time.

use crate::health::DependencyState;
use parking_lot::{Mutex, MutexGuard};
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, time::Instant};

/// The first pause after a failure; it doubles up to [`LONGEST_PAUSE`].
pub const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest pause between two trials. With the jitter, the daemon notices a recovered database
/// within 1.25 × this.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long one trial may take before the next is admitted beside it.
const TRIAL_TIMEOUT: Duration = Duration::from_secs(4);

/// Permission to send one query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CircuitPermit {
    /// The database was down: this query is the trial.
    trial: bool,
}

pub(super) struct CircuitBreaker {
    health: watch::Sender<DependencyState>,
    retry: Mutex<RetrySchedule>,
}

struct RetrySchedule {
    failures: u32,
    retry_at: Instant,
    rng: fastrand::Rng,
}

impl CircuitBreaker {
    pub(super) fn new(now: Instant, rng: fastrand::Rng) -> Self {
        let retry = Mutex::new(RetrySchedule { failures: 0, retry_at: now, rng });
        Self { health: watch::Sender::new(DependencyState::Untried), retry }
    }

    pub(super) fn health(&self) -> watch::Receiver<DependencyState> {
        self.health.subscribe()
    }

    /// Permission to send a query now, or why not.
    pub(super) fn admit(&self, now: Instant) -> Result<CircuitPermit, Arc<str>> {
        let DependencyState::Down { why, .. } = &*self.health.borrow() else {
            return Ok(CircuitPermit { trial: false });
        };
        let mut retry = self.retry();
        if now < retry.retry_at {
            return Err(Arc::clone(why));
        }
        // Should this trial never end, the next is admitted after TRIAL_TIMEOUT.
        retry.retry_at = now + TRIAL_TIMEOUT;
        Ok(CircuitPermit { trial: true })
    }

    /// When the next trial is due; `None` unless the database is down.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        let down = matches!(&*self.health.borrow(), DependencyState::Down { .. });
        down.then(|| self.retry().retry_at)
    }

    pub(super) fn succeeded(&self, now: Instant) {
        let was = self.health.borrow().clone();
        if matches!(was, DependencyState::Up { .. }) {
            return;
        }
        self.retry().failures = 0;
        if let DependencyState::Down { since, .. } = was {
            let seconds = now.saturating_duration_since(since).as_secs();
            tracing::info!("database reconnected after {seconds} s");
        }
        self.health.send_replace(DependencyState::Up { since: now });
    }

    pub(super) fn failed(&self, pass: CircuitPermit, why: &Arc<str>, now: Instant) {
        let was = self.health.borrow().clone();
        let (since, logged) = match &was {
            DependencyState::Down { since, why: before } => (*since, before == why),
            _ => (now, false),
        };
        // Queries that were under way at the first failure add nothing new.
        if pass.trial || !matches!(was, DependencyState::Down { .. }) {
            self.retry().increase(now);
        }
        if !logged {
            tracing::warn!("the database is not available; reconnecting: {why}");
        }
        self.health.send_replace(DependencyState::Down { since, why: Arc::clone(why) });
    }

    fn retry(&self) -> MutexGuard<'_, RetrySchedule> {
        self.retry.lock()
    }
}

impl RetrySchedule {
    fn increase(&mut self, now: Instant) {
        let doubled = FIRST_PAUSE * 2_u32.pow(self.failures.min(8));
        self.failures = self.failures.saturating_add(1);
        let jitter = 0.75 + self.rng.f64() / 2.0;
        self.retry_at = now + doubled.min(LONGEST_PAUSE).mul_f64(jitter);
    }
}

#[cfg(test)]
mod tests {
    use super::{CircuitBreaker, DependencyState, LONGEST_PAUSE, TRIAL_TIMEOUT};
    use std::{sync::Arc, time::Duration};
    use tokio::time::Instant;

    fn circuit(now: Instant) -> CircuitBreaker {
        CircuitBreaker::new(now, fastrand::Rng::with_seed(1))
    }

    fn fail(circuit: &CircuitBreaker, now: Instant) {
        let pass = circuit.admit(now).expect("due");
        circuit.failed(pass, &Arc::from("refused"), now);
    }

    #[test]
    fn all_queries_are_admitted_until_the_first_failure() {
        let now = Instant::now();
        let circuit = circuit(now);
        let passes: Vec<_> = (0..5).map(|_| circuit.admit(now).expect("untried")).collect();
        for pass in passes {
            circuit.failed(pass, &Arc::from("refused"), now);
        }
        assert_eq!(circuit.admit(now).expect_err("down"), Arc::from("refused"));
        // Five that failed together increase the pause once.
        assert!(circuit.retry_at().expect("down") < now + Duration::from_secs(1));
    }

    #[test]
    fn one_trial_at_a_time_is_admitted() {
        let now = Instant::now();
        let circuit = circuit(now);
        fail(&circuit, now);
        let due = circuit.retry_at().expect("down");
        assert!(circuit.admit(due).is_ok());
        assert!(circuit.admit(due).is_err());
        assert!(circuit.admit(due + TRIAL_TIMEOUT).is_ok(), "the first trial never ended");
    }

    #[test]
    fn pauses_grow_to_a_limit_and_start_over_after_a_success() {
        let mut now = Instant::now();
        let circuit = circuit(now);
        for _ in 0..20 {
            fail(&circuit, now);
            now = circuit.retry_at().expect("down");
        }
        fail(&circuit, now);
        let pause = circuit.retry_at().expect("down") - now;
        assert!(pause > LONGEST_PAUSE / 2 && pause <= LONGEST_PAUSE.mul_f64(1.25), "{pause:?}");
        circuit.succeeded(now);
        assert_eq!(*circuit.health().borrow(), DependencyState::Up { since: now });
        fail(&circuit, now);
        assert!(circuit.retry_at().expect("down") - now < Duration::from_secs(1));
    }

    #[test]
    fn the_outage_keeps_its_start() {
        let now = Instant::now();
        let circuit = circuit(now);
        fail(&circuit, now);
        fail(&circuit, now + LONGEST_PAUSE);
        let health = circuit.health().borrow().clone();
        assert_eq!(health, DependencyState::Down { since: now, why: Arc::from("refused") });
    }
}
