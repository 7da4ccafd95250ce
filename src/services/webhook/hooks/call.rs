//! A call of a hook: who calls learns whether it was taken in, and nothing of its owner.

use super::{HookCapability, HookService, TOLERANCE, signature};
use crate::services::webhook::{
    body,
    body::MessageBodyError,
    store::{PrivateHook, RegistrationStoreError},
};
use http::HeaderMap;
use std::sync::PoisonError;
use tokio::time::Instant;

/// What a caller learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookCallResult {
    /// Taken in.
    Accepted,
    /// There is no such hook, there never was, it is over, revoked, or wants another signature.
    Gone,
    /// Called too often.
    TooMany,
    /// The body can't be read.
    Bad(MessageBodyError),
    /// The body says nothing.
    Empty,
    /// Nobody can say right now.
    TryLater,
}

impl From<RegistrationStoreError> for HookCallResult {
    fn from(error: RegistrationStoreError) -> Self {
        tracing::debug!("a hook can't be served: {error}");
        Self::TryLater
    }
}

impl HookService {
    /// Takes a call in.
    pub async fn call(
        &self,
        capability: &HookCapability,
        headers: &HeaderMap,
        body: &[u8],
    ) -> HookCallResult {
        self.serve(capability, headers, body).await.unwrap_or_else(|answer| answer)
    }

    async fn serve(
        &self,
        capability: &HookCapability,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<HookCallResult, HookCallResult> {
        let key = capability.key();
        let fits = {
            let mut rates = self.0.rates.lock().unwrap_or_else(PoisonError::into_inner);
            rates.take(key, Instant::now())
        };
        if !fits {
            return Err(HookCallResult::TooMany);
        }
        let hook = self.0.store.hook(&key).await?.ok_or(HookCallResult::Gone)?;
        let signature = self.verify(&hook, headers, body)?;
        let message = body::message(headers, body).map_err(HookCallResult::Bad)?;
        let message = message.ok_or(HookCallResult::Empty)?;
        // Last: a call that isn't taken in for another reason may be made again as it is.
        if let Some(named) = signature {
            self.consume_signature(&hook, &named).await?;
        }
        self.0.store.post(&hook.to, &message).await?;
        Ok(HookCallResult::Accepted)
    }

    /// The name of the call's signature, where the hook wants one.
    fn verify(
        &self,
        hook: &PrivateHook,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Option<String>, HookCallResult> {
        let Some(secret) = &hook.secret else { return Ok(None) };
        let now = (self.0.clock)();
        signature::check(secret, headers, body, now).map(Some).ok_or(HookCallResult::Gone)
    }

    async fn consume_signature(
        &self,
        hook: &PrivateHook,
        named: &str,
    ) -> Result<(), HookCallResult> {
        // It could be sent again as long as its time stamp counts, which may be ahead of our clock.
        let seconds = u32::try_from(2 * TOLERANCE.as_secs() + 1).unwrap_or(u32::MAX);
        let named = format!("{}:{named}", hook.id);
        match self.0.store.insert_once(&named, seconds).await? {
            true => Ok(()),
            false => Err(HookCallResult::Gone),
        }
    }
}
