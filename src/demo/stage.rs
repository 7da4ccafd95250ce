//! Plays the story: publishes what happens, listens to both clients, and notices what is not right.

use super::{
    DemoError,
    people::{Client, Person},
    screen::Screen,
    story::Step,
};
use crate::client::{memory::Memory, websocket::VisitError};
use std::{fmt, time::Duration};
use tokio::time::{Instant, sleep_until};

/// A message that has not come by then does not come: the longest debounce between two of one kind
/// is 1.5 s here.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two steps of the tour, so that one can read. Two of them are longer than the debounce, so
/// that the times shown are those of a quiet user.
pub const BRIEF: Duration = Duration::from_millis(800);
/// Between two things that happen afterwards: longer than the debounce.
pub const LONG: Duration = Duration::from_secs(3);

/// What was not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Nobody heard this.
    Missing(Person, String),
    /// It should not have been heard.
    Stray(Person, String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(who, text) => {
                let (who, patience) = (who.name(), PATIENCE.as_secs());
                write!(f, "{who} did not hear `{text}` within {patience} s")
            }
            Self::Stray(who, text) => write!(f, "{} was not to hear `{text}`", who.name()),
        }
    }
}

/// Where the demo is played.
pub struct Stage {
    /// Where things are published.
    pub memory: Memory,
    /// One listener.
    pub alice: Client,
    /// The other one.
    pub bob: Client,
    /// Who sees it.
    pub screen: Screen,
}

impl Stage {
    /// Lets it happen, waits until it has been heard, and pauses: what comes then was not to come.
    pub async fn play(&mut self, step: &Step, pause: Duration) -> Result<Vec<Fault>, DemoError> {
        self.screen.step(step.what)?;
        let begun = Instant::now();
        self.memory.publish(step.channel, step.payload.clone()).await?;
        let mut missing = step.heard.clone();
        let mut faults = Vec::new();
        let mut until = begun + PATIENCE;
        while let Some((who, text)) = self.hear(until).await? {
            self.screen.heard(begun.elapsed(), who, &text)?;
            match missing.iter().position(|(whose, wanted)| (*whose, wanted) == (who, &text)) {
                Some(position) => drop(missing.remove(position)),
                None => faults.push(Fault::Stray(who, text)),
            }
            if missing.is_empty() {
                until = Instant::now() + pause;
            }
        }
        if let Some(who) = step.silent {
            self.screen.silence(who)?;
        }
        faults.extend(missing.into_iter().map(|(who, text)| Fault::Missing(who, text)));
        faults.iter().try_for_each(|fault| self.screen.fault(fault))?;
        Ok(faults)
    }

    /// The next text that anybody hears until then.
    async fn hear(&mut self, until: Instant) -> Result<Option<(Person, String)>, VisitError> {
        tokio::select! {
            text = self.alice.next() => Ok(Some((Person::Alice, text?))),
            text = self.bob.next() => Ok(Some((Person::Bob, text?))),
            () = sleep_until(until) => Ok(None),
        }
    }
}
