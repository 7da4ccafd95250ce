//! Eight bytes that show whether a stored password hash has changed, and nothing else.

use std::hash::{BuildHasher as _, RandomState};

/// Makes fingerprints of stored password hashes with a random key: worthless outside this process.
/// Only clones make equal fingerprints.
#[derive(Clone, Default)]
pub struct PasswordFingerprinter(RandomState);

impl PasswordFingerprinter {
    /// The fingerprint of `users.password`.
    pub fn of(&self, stored: &str) -> u64 {
        self.0.hash_one(stored)
    }

    /// A shorter fingerprint, for sessions of which there are many.
    pub fn short(&self, stored: &str) -> u32 {
        Self::shorten(self.of(stored))
    }

    /// The shorter fingerprint of the same text.
    pub(super) fn shorten(fingerprint: u64) -> u32 {
        u32::try_from(fingerprint >> 32).unwrap_or_default()
    }
}
