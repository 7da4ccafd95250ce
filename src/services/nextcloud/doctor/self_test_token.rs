//! The token that opens the self-test's routes, here and in Nextcloud: `specs/nextcloud.md` section 5.

use crate::client::redis::{RedisClient, RedisClientError};

/// Where Nextcloud puts it while a self-test runs.
const KEY: &str = "test-token";
/// How long ours stays, in seconds, should nobody take it back: longer than all checks that use it.
const LIFE: u32 = 300;

/// Shown to nobody.
pub(super) struct SelfTestToken {
    text: String,
    ours: bool,
}

impl SelfTestToken {
    /// The one of a self-test that runs now, else one of our own that goes away by itself.
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

    /// Makes ours good for nothing; it is gone a second later.
    pub(super) async fn release(&self, keys: &RedisClient) {
        if self.ours {
            // If this fails it goes away by itself.
            let _ = keys.set_with_expiry(KEY, "", 1).await;
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }
}
