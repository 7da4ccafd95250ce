//! A supervised subscription in a test: what it delivers and how it is doing.

use super::within;
use notify_push::{
    client::{
        SourceEvent,
        redis::{RedisAddress, RedisSettings, RedisSubscription, RedisTimeouts, RedisTopology},
    },
    config::secret::Secret,
    health::DependencyState,
    lifecycle::TaskGroup,
};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// The channels that the tests subscribe to.
pub(crate) const CHANNELS: &[&str] = &["notify_storage_update", "notify_custom"];

/// A timeouts for tests: nothing is waited for longer than a loaded machine needs.
pub(crate) fn hurried() -> RedisTimeouts {
    RedisTimeouts {
        step_timeout: Duration::from_secs(2),
        silence: Duration::from_millis(200),
        answer: Duration::from_millis(500),
        look: Duration::from_millis(100),
        command: Duration::from_secs(2),
    }
}

/// Settings for a server without password.
pub(crate) fn single(address: RedisAddress) -> RedisSettings {
    settings(RedisTopology::Single(address))
}

/// Settings without password.
pub(crate) fn settings(topology: RedisTopology) -> RedisSettings {
    RedisSettings { topology, user: None, password: None, database: 0, tls: None }
}

/// The same settings with a login.
pub(crate) fn logged_in(user: Option<&str>, password: &str, at: RedisSettings) -> RedisSettings {
    RedisSettings { user: user.map(str::to_owned), password: Some(Secret::new(password)), ..at }
}

/// `127.0.0.1:port`.
pub(crate) fn local(port: u16) -> RedisAddress {
    RedisAddress::Tcp("127.0.0.1".to_owned(), port)
}

/// A subscription that runs until this is dropped.
pub(crate) struct Subscriber {
    pub(crate) arriving: mpsc::Receiver<SourceEvent>,
    pub(crate) state: watch::Receiver<DependencyState>,
    tasks: TaskGroup,
}

impl Subscriber {
    /// Subscribes to [`CHANNELS`], at a hurried timeouts.
    pub(crate) fn start(settings: RedisSettings) -> Self {
        Self::start_with(settings, 1024, hurried())
    }

    /// The same with another length of the queue and another timeouts.
    pub(crate) fn start_with(
        settings: RedisSettings,
        queue: usize,
        timeouts: RedisTimeouts,
    ) -> Self {
        let (tasks, (queue, arriving)) = (TaskGroup::default(), mpsc::channel(queue));
        let (state_sender, state) = watch::channel(DependencyState::Untried);
        let rng = fastrand::Rng::with_seed(7);
        let subscription =
            RedisSubscription { settings, channels: CHANNELS, timeouts, rng, barriers: None };
        tasks.core("redis", subscription.run(queue, state_sender, tasks.stopping().clone()));
        Self { arriving, state, tasks }
    }

    /// Waits until it listens.
    pub(crate) async fn connected(&mut self) {
        let connected = self.state.wait_for(DependencyState::is_up);
        within("the subscription", connected).await.expect("it runs");
    }

    /// Waits until it is away and says why.
    pub(crate) async fn away(&mut self) -> String {
        let away = self.state.wait_for(|state| matches!(state, DependencyState::Down { .. }));
        let away = within("the subscription being away", away).await.expect("it runs").clone();
        let DependencyState::Down { why, .. } = away else { unreachable!("waited for") };
        why.to_string()
    }

    /// Tells it to end.
    pub(crate) fn stop(&self) {
        self.tasks.stopping().cancel();
    }

    /// The next delivery: channel and payload, or `None` for a gap.
    pub(crate) async fn next(&mut self) -> Option<(&'static str, String)> {
        let arrived = within("a delivery", self.arriving.recv()).await;
        match arrived.expect("the subscription runs") {
            SourceEvent::Gap | SourceEvent::Barrier(_) => None,
            SourceEvent::Message(message, _) => {
                let text = String::from_utf8_lossy(&message.payload).into_owned();
                Some((message.channel, text))
            }
        }
    }

    /// What the next delivery must be.
    pub(crate) async fn hears(&mut self, channel: &str, payload: &str) {
        let heard = self.next().await;
        assert_eq!(heard.as_ref().map(|(c, p)| (*c, p.as_str())), Some((channel, payload)));
    }

    /// The next delivery must be a gap.
    pub(crate) async fn has_a_gap(&mut self) {
        assert_eq!(self.next().await, None);
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.stop();
    }
}
