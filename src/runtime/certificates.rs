//! The certificates that listeners show: read again together with the settings.

use crate::server::{ReloadableTls, TlsError, TlsFiles};
use std::sync::Arc;

/// The certificates in use.
#[derive(Default)]
pub(super) struct ServerCertificates {
    /// Those of the daemon's listeners.
    pub(super) shared: Vec<Arc<ReloadableTls>>,
    /// Those of the services' own.
    pub(super) own: Vec<Arc<ReloadableTls>>,
}

impl ServerCertificates {
    /// Reads all of them again, the daemon's from these files; a broken one stays as it was.
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
        tracing::error!("certificate not read again: {error}");
    }
}
