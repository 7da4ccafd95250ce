//! Plays the story: publishes what happens, listens to both clients, and notices what is not right.

use super::{
    DemoError,
    screen::DemoScreen,
    script::ScriptStep,
    users::{DemoClient, DemoPerson},
};
use crate::client::{memory::MemorySource, websocket::WebSocketClientError};
use std::{fmt, time::Duration};
use tokio::time::{Instant, sleep_until};

/// A message that has not come by then does not come: the longest debounce between two of one kind
/// is 1.5 s here.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Between two steps of the tour, so that one can read. Two of them are longer than the debounce, so
/// that the times shown are those of a quiet user.
pub const TOUR_PAUSE: Duration = Duration::from_millis(800);
/// Between two things that happen afterwards: longer than the debounce.
pub const LOOP_PAUSE: Duration = Duration::from_secs(3);

/// What was not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScriptFault {
    /// Nobody heard this.
    Missing(DemoPerson, String),
    /// It should not have been heard.
    Unexpected(DemoPerson, String),
}

impl fmt::Display for ScriptFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(who, text) => {
                let (who, patience) = (who.name(), TIMEOUT.as_secs());
                write!(f, "{who} did not hear `{text}` within {patience} s")
            }
            Self::Unexpected(who, text) => write!(f, "{} was not to hear `{text}`", who.name()),
        }
    }
}

/// Where the demo is played.
pub struct ScriptRunner {
    /// Where things are published.
    pub memory: MemorySource,
    /// One listener.
    pub alice: DemoClient,
    /// The other one.
    pub bob: DemoClient,
    /// Who sees it.
    pub screen: DemoScreen,
}

impl ScriptRunner {
    /// Lets it happen, waits until it has been heard, and pauses: what comes then was not to come.
    pub async fn play(
        &mut self,
        step: &ScriptStep,
        pause: Duration,
    ) -> Result<Vec<ScriptFault>, DemoError> {
        self.screen.step(step.what)?;
        let begun = Instant::now();
        self.memory.publish(step.channel, step.payload.clone()).await?;
        let mut missing = step.heard.clone();
        let mut faults = Vec::new();
        let mut until = begun + TIMEOUT;
        while let Some((who, text)) = self.hear(until).await? {
            self.screen.heard(begun.elapsed(), who, &text)?;
            match missing
                .iter()
                .position(|(expected_user, wanted)| (*expected_user, wanted) == (who, &text))
            {
                Some(position) => drop(missing.remove(position)),
                None => faults.push(ScriptFault::Unexpected(who, text)),
            }
            if missing.is_empty() {
                until = Instant::now() + pause;
            }
        }
        if let Some(who) = step.silent {
            self.screen.silence(who)?;
        }
        faults.extend(missing.into_iter().map(|(who, text)| ScriptFault::Missing(who, text)));
        faults.iter().try_for_each(|fault| self.screen.fault(fault))?;
        Ok(faults)
    }

    /// The next text that anybody hears until then.
    async fn hear(
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
