//! The certificates of the listeners, reloaded with the settings.

use crate::server::{ReloadableTls, TlsError, TlsFiles};
use std::sync::Arc;

/// The certificates in use.
#[derive(Default)]
pub(super) struct ServerCertificates {
    /// The certificates of the daemon's listeners.
    pub(super) shared: Vec<Arc<ReloadableTls>>,
    /// The certificates of the services' own listeners.
    pub(super) own: Vec<Arc<ReloadableTls>>,
}

impl ServerCertificates {
    /// Reloads all, the daemon's from these files. An unusable one is kept as it was.
    pub(super) async fn reload(&self, files: Option<&TlsFiles>) {
        if let Some(files) = files {
            for tls in &self.shared {
                log_failure(tls.replace(files.clone()).await);
            }
        }
        for tls in &self.own {
            log_failure(tls.reload().await);
        }
    }
}

fn log_failure(read: Result<(), TlsError>) {
    if let Err(error) = read {
        tracing::error!("certificate reload failed; keeping the current one: {error}");
    }
}
