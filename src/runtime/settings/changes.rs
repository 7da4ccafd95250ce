//! Takes over the daemon's settings that take effect on reload.

use super::DaemonSettings;

impl DaemonSettings {
    /// Takes over the settings that take effect at once; the others stay as they are.
    pub fn apply_live(&mut self, new: &Self) {
        self.log.filter.clone_from(&new.log.filter);
        if let (Some(files), Some(new)) = (&mut self.listen.tls, &new.listen.tls) {
            files.clone_from(new);
        }
        self.pre_auth.clone_from(&new.pre_auth);
    }
}
