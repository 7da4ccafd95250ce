//! A call of a hook: who calls learns whether it was taken in, and nothing of its owner.

use super::{Capability, Hooks, TOLERANCE, signature};
use crate::services::webhook::{
    body,
    body::BadBody,
    book::{BookError, Hook},
};
use http::HeaderMap;
use std::sync::PoisonError;
use tokio::time::Instant;

/// What a caller learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Taken in.
    Accepted,
    /// There is no such hook, there never was, it is over, revoked, or wants another signature.
    Gone,
    /// Called too often.
    TooMany,
    /// The body can't be read.
    Bad(BadBody),
    /// The body says nothing.
    Empty,
    /// Nobody can say right now.
    TryLater,
}

impl From<BookError> for Answer {
    fn from(error: BookError) -> Self {
        tracing::debug!("a hook can't be served: {error}");
        Self::TryLater
    }
}

impl Hooks {
    /// Takes a call in.
    pub async fn call(&self, capability: &Capability, headers: &HeaderMap, body: &[u8]) -> Answer {
        self.serve(capability, headers, body).await.unwrap_or_else(|answer| answer)
    }

    async fn serve(
        &self,
        capability: &Capability,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Answer, Answer> {
        let key = capability.key();
        let fits = {
            let mut rates = self.0.rates.lock().unwrap_or_else(PoisonError::into_inner);
            rates.take(key, Instant::now())
        };
        if !fits {
            return Err(Answer::TooMany);
        }
        let hook = self.0.book.hook(&key).await?.ok_or(Answer::Gone)?;
        let signature = self.verify(&hook, headers, body)?;
        let message = body::message(headers, body).map_err(Answer::Bad)?;
        let message = message.ok_or(Answer::Empty)?;
        // Last: a call that isn't taken in for another reason may be made again as it is.
        if let Some(named) = signature {
            self.uses_up(&hook, &named).await?;
        }
        self.0.book.post(&hook.to, &message).await?;
        Ok(Answer::Accepted)
    }

    /// The name of the call's signature, where the hook wants one.
    fn verify(
        &self,
        hook: &Hook,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Option<String>, Answer> {
        let Some(secret) = &hook.secret else { return Ok(None) };
        let now = (self.0.clock)();
        signature::check(secret, headers, body, now).map(Some).ok_or(Answer::Gone)
    }

    async fn uses_up(&self, hook: &Hook, named: &str) -> Result<(), Answer> {
        // It could be sent again as long as its time stamp counts, which may be ahead of our clock.
        let seconds = u32::try_from(2 * TOLERANCE.as_secs() + 1).unwrap_or(u32::MAX);
        let named = format!("{}:{named}", hook.id);
        match self.0.book.first_time(&named, seconds).await? {
            true => Ok(()),
            false => Err(Answer::Gone),
        }
    }
}
