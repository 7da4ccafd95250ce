//! Eight bytes that tell whether a stored password hash has changed, and nothing else.

use std::hash::{BuildHasher as _, RandomState};

/// Makes fingerprints of stored password hashes, keyed by chance: worthless outside this process.
/// Clones agree with each other, separately made ones don't.
#[derive(Clone, Default)]
pub struct PasswordFingerprinter(RandomState);

impl PasswordFingerprinter {
    /// The fingerprint of `users.password`.
    pub fn of(&self, stored: &str) -> u64 {
        self.0.hash_one(stored)
    }
}
