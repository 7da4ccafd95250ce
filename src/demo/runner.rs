//! Runs the script: publishes events, reads both clients, and detects faults.

use super::{
    DemoError,
    screen::DemoScreen,
    script::ScriptStep,
    users::{DemoClient, DemoPerson},
};
use crate::client::{memory::MemorySource, websocket::WebSocketClientError};
use std::{fmt, time::Duration};
use tokio::time::{Instant, sleep_until};

/// The time limit for a message, longer than the longest debounce of 1.5 s here.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The pause between two steps of the tour, to give time to read. Two pauses are longer than the debounce,
/// so that the times shown are those of a quiet user.
pub const TOUR_PAUSE: Duration = Duration::from_millis(800);
/// The pause between two later steps, longer than the debounce.
pub const LOOP_PAUSE: Duration = Duration::from_secs(3);

/// A difference from the script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScriptFault {
    /// The client did not receive this text.
    Missing(DemoPerson, String),
    /// The client should not have received this text.
    Unexpected(DemoPerson, String),
}

impl fmt::Display for ScriptFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(user, text) => {
                let (user, seconds) = (user.name(), TIMEOUT.as_secs());
                write!(f, "{user} did not receive `{text}` within {seconds} s")
            }
            Self::Unexpected(user, text) => {
                write!(f, "{} should not have received `{text}`", user.name())
            }
        }
    }
}

/// Runs steps against the daemon.
pub struct ScriptRunner {
    /// Publishes the events.
    pub memory: MemorySource,
    /// The connected client of alice.
    pub alice: DemoClient,
    /// The connected client of bob.
    pub bob: DemoClient,
    /// Shows what happens.
    pub screen: DemoScreen,
}

impl ScriptRunner {
    /// Publishes a step's event, waits for its messages, and pauses; messages in the pause are faults.
    pub async fn play(
        &mut self,
        step: &ScriptStep,
        pause: Duration,
    ) -> Result<Vec<ScriptFault>, DemoError> {
        self.screen.step(step.title)?;
        let begun = Instant::now();
        self.memory.publish(step.channel, step.payload.clone()).await?;
        let mut missing = step.expected.clone();
        let mut faults = Vec::new();
        let mut until = begun + TIMEOUT;
        while let Some((user, text)) = self.next_message(until).await? {
            self.screen.received(begun.elapsed(), user, &text)?;
            match missing
                .iter()
                .position(|(expected_user, wanted)| (*expected_user, wanted) == (user, &text))
            {
                Some(position) => drop(missing.remove(position)),
                None => faults.push(ScriptFault::Unexpected(user, text)),
            }
            if missing.is_empty() {
                until = Instant::now() + pause;
            }
        }
        if let Some(user) = step.silent {
            self.screen.silence(user)?;
        }
        faults.extend(missing.into_iter().map(|(user, text)| ScriptFault::Missing(user, text)));
        faults.iter().try_for_each(|fault| self.screen.fault(fault))?;
        Ok(faults)
    }

    /// The next text that either client receives until then.
    async fn next_message(
        &mut self,
        until: Instant,
    ) -> Result<Option<(DemoPerson, String)>, WebSocketClientError> {
        tokio::select! {
            text = self.alice.next() => Ok(Some((DemoPerson::Alice, text?))),
            text = self.bob.next() => Ok(Some((DemoPerson::Bob, text?))),
            () = sleep_until(until) => Ok(None),
        }
    }
}
