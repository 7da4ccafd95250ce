//! Private webhook URLs. A caller of one may send its owner messages, and nothing else.

mod call;
mod capability;
mod rates;
mod request;
mod signature;

pub use call::HookCallResult;
pub use capability::HookCapability;
pub use rates::HookRateLimiter;
pub use request::{CreatedHook, HookCommand, HookRequest, HookScope};
pub use signature::{SIGNATURE, TIMESTAMP, TOLERANCE};

use super::{
    intake::MessageIntake,
    registration_key::{MessageTarget, RegistrationKey},
    store::{HookSummary, PrivateHook, RegistrationStore, RegistrationStoreError},
};
use crate::{config::secret::Secret, health::WallClock};
use rustls::crypto::SecureRandom;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

/// Random bytes of a capability and of a secret.
const RANDOM: usize = 32;
/// Random bytes of an id, which isn't secret.
const RANDOM_ID: usize = 8;

/// Limits of hooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookRules {
    /// Default lifetime of a hook.
    pub usual: Duration,
    /// Maximum lifetime of a hook.
    pub longest: Duration,
    /// Calls of one hook per minute, and the burst after a quiet minute.
    pub per_minute: u32,
    /// Prefix of URLs: scheme, host and the service's path, or the path only.
    pub base: String,
}

/// Why a request is refused, as the client reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HookError {
    /// The request is invalid.
    #[error("malformed")]
    Malformed,
    /// The maximum of hooks is reached.
    #[error("full")]
    Full,
    /// The store isn't available.
    #[error("try later")]
    TryLater,
}

impl From<RegistrationStoreError> for HookError {
    fn from(error: RegistrationStoreError) -> Self {
        match error {
            RegistrationStoreError::Full(_) => Self::Full,
            RegistrationStoreError::Offline(why) => {
                tracing::debug!("hook lookup failed: {why}");
                Self::TryLater
            }
        }
    }
}

/// Creates hooks and handles their calls. Cheap to clone.
#[derive(Clone)]
pub struct HookService(Arc<HookServiceInner>);

struct HookServiceInner {
    store: Arc<dyn RegistrationStore>,
    intake: MessageIntake,
    clock: WallClock,
    random: &'static dyn SecureRandom,
    rules: HookRules,
    rates: Mutex<HookRateLimiter>,
}

impl HookService {
    /// Creates a service on this store, whose messages go through `intake`.
    pub fn new(
        store: Arc<dyn RegistrationStore>,
        intake: MessageIntake,
        clock: WallClock,
        rules: HookRules,
    ) -> Self {
        let random = rustls::crypto::ring::default_provider().secure_random;
        let rates = Mutex::new(HookRateLimiter::new(rules.per_minute));
        Self(Arc::new(HookServiceInner { store, intake, clock, random, rules, rates }))
    }

    /// Handles the request of a connected client and returns the answer as a JSON object.
    pub async fn ask(&self, claim: &RegistrationKey, command: &HookCommand) -> serde_json::Value {
        let answer = match command {
            HookCommand::Revoke { revoke } => {
                // A client may revoke the hooks of all clients of its user.
                let user = MessageTarget::User(claim.user.clone());
                let revoked = self.revoke(&user, revoke).await;
                revoked.map(|revoked| serde_json::json!({ "revoked": revoked }))
            }
            HookCommand::Make(request) => {
                let to = match request.to {
                    Some(HookScope::User) => MessageTarget::User(claim.user.clone()),
                    Some(HookScope::Connection) | None => MessageTarget::Connection(claim.clone()),
                };
                self.make(to, request).await.map(|made| made.json())
            }
        };
        answer.unwrap_or_else(|error| serde_json::json!({ "error": error.to_string() }))
    }

    /// Creates a hook.
    ///
    /// # Errors
    /// [`HookError`].
    pub async fn make(
        &self,
        to: MessageTarget,
        request: &HookRequest,
    ) -> Result<CreatedHook, HookError> {
        let HookServiceInner { store, clock, rules, .. } = &*self.0;
        let lifetime = request.seconds.map_or(rules.usual, Duration::from_secs);
        if lifetime.is_zero() || lifetime > rules.longest {
            return Err(HookError::Malformed);
        }
        let capability = HookCapability::new(&self.random::<RANDOM>()?);
        let secret = match request.signed {
            true => Some(Secret::from(capability::text(&self.random::<RANDOM>()?))),
            false => None,
        };
        let id = self.random::<RANDOM_ID>()?.iter().map(|byte| format!("{byte:02x}")).collect();
        let hook = PrivateHook { id, to, expires: clock() + lifetime, secret };
        store.add_hook(&capability.key(), &hook).await?;
        let url = format!("{}/hook/{}", rules.base, capability.expose());
        Ok(CreatedHook { hook, url: Secret::from(url) })
    }

    /// Lists a user's hooks.
    ///
    /// # Errors
    /// [`HookError::TryLater`].
    pub async fn list(&self, user: &str) -> Result<Vec<HookSummary>, HookError> {
        Ok(self.0.store.hooks(user).await?)
    }

    /// Revokes a hook and returns whether it existed.
    ///
    /// # Errors
    /// [`HookError::TryLater`].
    pub async fn revoke(&self, owner: &MessageTarget, id: &str) -> Result<bool, HookError> {
        Ok(self.0.store.remove_hook(owner, id).await?)
    }

    fn random<const N: usize>(&self) -> Result<[u8; N], HookError> {
        let mut bytes = [0; N];
        self.0.random.fill(&mut bytes).map_err(|_| HookError::TryLater)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests;
