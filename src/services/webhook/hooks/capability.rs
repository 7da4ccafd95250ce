//! The unguessable part of a hook's URL.

use crate::{config::secret::Secret, services::webhook::store::HookKey};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// What whoever may call a hook knows: 256 random bits as text. The store has its digest only.
pub struct HookCapability(Secret);

impl HookCapability {
    /// The capability of these random bytes.
    pub fn new(random: &[u8; 32]) -> Self {
        Self(Secret::from(text(random)))
    }

    /// As a caller gives it. Whatever it is, it has a key; the store knows whether there is a hook.
    pub fn given(text: &str) -> Self {
        Self(Secret::from(text))
    }

    /// For the URL.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// What the store knows it by. Comparing digests tells nobody how much of a guess is right.
    pub fn key(&self) -> HookKey {
        HookKey(Sha256::digest(self.0.expose().as_bytes()).into())
    }
}

/// Bytes as text for URLs (RFC 4648 section 5, without padding).
pub fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
