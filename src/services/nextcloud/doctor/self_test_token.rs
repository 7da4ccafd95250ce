//! The token for the self-test's routes of the daemon and of Nextcloud (`specs/nextcloud.md` section 5).

use crate::client::redis::{RedisClient, RedisClientError};

/// The Redis key that holds it during a self-test.
const KEY: &str = "test-token";
/// The life of the doctor's own token in seconds, longer than all checks that use it.
const LIFE: u32 = 300;

/// A token for self-test requests; never shown.
pub(super) struct SelfTestToken {
    text: String,
    ours: bool,
}

impl SelfTestToken {
    /// Takes the token of a running self-test, else creates one that expires.
    pub(super) async fn acquire(
        keys: &RedisClient,
        rng: &mut fastrand::Rng,
    ) -> Result<Self, RedisClientError> {
        if let Some(found) = keys.get(KEY).await?.filter(|found| !found.is_empty()) {
            let text = String::from_utf8_lossy(&found).into_owned();
            return Ok(Self { text, ours: false });
        }
        let text = format!("{:032x}", rng.u128(..));
        keys.set_with_expiry(KEY, &text, LIFE).await?;
        Ok(Self { text, ours: true })
    }

    /// Invalidates the doctor's own token at once; Redis deletes it a second later.
    pub(super) async fn release(&self, keys: &RedisClient) {
        if self.ours {
            // If this fails, the token expires.
            let _ = keys.set_with_expiry(KEY, "", 1).await;
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }
}
