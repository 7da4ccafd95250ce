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
}
