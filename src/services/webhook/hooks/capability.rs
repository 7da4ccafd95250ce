//! The unguessable part of a hook's URL.

use crate::{config::secret::Secret, services::webhook::store::HookKey};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// The secret in a hook's URL: 256 random bits as text. The store has only its digest.
pub struct HookCapability(Secret);

impl HookCapability {
    /// Encodes these random bytes.
    pub fn new(random: &[u8; 32]) -> Self {
        Self(Secret::from(text(random)))
    }

    /// As given by a caller; any text has a key.
    pub fn given(text: &str) -> Self {
        Self(Secret::from(text))
    }

    /// The text for the URL.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// Key in the store. Comparing digests leaks nothing about the capability.
    pub fn key(&self) -> HookKey {
        HookKey(Sha256::digest(self.0.expose().as_bytes()).into())
    }
}

/// Base64 for URLs without padding (RFC 4648 section 5).
pub fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
