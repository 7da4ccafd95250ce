//! Calls of private URLs. The caller learns whether the call was accepted, and nothing about its
//! owner.

use super::{HookCapability, HookService, TOLERANCE, signature};
use crate::{
    delivery::{DeliveryOutcome, Reason},
    services::webhook::{
        body,
        body::MessageBodyError,
        store::{PrivateHook, RegistrationStoreError},
    },
};
use http::HeaderMap;
use std::{sync::PoisonError, time::Duration};
use tokio::time::Instant;

/// When a caller may retry what the store doesn't answer.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Result of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookCallResult {
    /// The message was accepted.
    Accepted,
    /// No such hook: unknown, expired, revoked, or a missing, wrong or used signature.
    Gone,
    /// The rate limit of the hook is exceeded.
    TooMany,
    /// The body can't be read.
    Bad(MessageBodyError),
    /// The body has no message.
    Empty,
    /// The message isn't accepted now, but may be after this time.
    TryLater(Duration),
}

impl From<RegistrationStoreError> for HookCallResult {
    fn from(error: RegistrationStoreError) -> Self {
        tracing::debug!("hook call failed: {error}");
        Self::TryLater(RETRY_DELAY)
    }
}

fn undelivered(outcome: DeliveryOutcome) -> HookCallResult {
    match outcome {
        DeliveryOutcome::Done => HookCallResult::Accepted,
        DeliveryOutcome::Retry(after) => HookCallResult::TryLater(after),
        DeliveryOutcome::Reject(Reason::LimitReached) => HookCallResult::TooMany,
        DeliveryOutcome::Reject(Reason::Malformed) => {
            HookCallResult::Bad(MessageBodyError::Malformed)
        }
    }
}

impl HookService {
    /// Handles a call.
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
        // Last, so that a call refused for another reason may be repeated unchanged.
        if let Some(named) = signature {
            self.consume_signature(&hook, &named).await?;
        }
        self.0.intake.publish(&hook.to, &message).await.map_err(undelivered)?;
        Ok(HookCallResult::Accepted)
    }

    /// Verifies the signature of a signed hook and returns its name.
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
        // It stays replayable while its time stamp is valid, which may be ahead of our clock.
        let seconds = u32::try_from(2 * TOLERANCE.as_secs() + 1).unwrap_or(u32::MAX);
        let named = format!("{}:{named}", hook.id);
        match self.0.store.insert_once(&named, seconds).await? {
            true => Ok(()),
            false => Err(HookCallResult::Gone),
        }
    }
}
