//! Takes over the settings of a Nextcloud that take effect on reload.

use super::NextcloudServiceSettings;

impl NextcloudServiceSettings {
    /// Takes over the settings that take effect at once; the others stay as they are.
    pub fn apply_live(&mut self, new: &Self) {
        self.delivery.clone_from(&new.delivery);
        self.proxies.trusted.clone_from(&new.proxies.trusted);
        self.auth.throttle.max_attempts = new.auth.throttle.max_attempts;
    }
}
