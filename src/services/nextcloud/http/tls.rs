//! Which certificates Nextcloud may present.

use super::{NextcloudClientSettings, error::NextcloudError};
use crate::client::{
    tls,
    tls::{CertificateCheck, TrustPolicy},
};
use rustls::ClientConfig;

/// What a TLS connection to Nextcloud needs. Reads files: the system's certificates only when they
/// are needed, which is not the case for `http://` and when any certificate will do.
///
/// # Errors
/// [`NextcloudError::Setup`]: a file can't be used, or the system has no certificates.
pub fn client_config(settings: &NextcloudClientSettings) -> Result<ClientConfig, NextcloudError> {
    let builder =
        trusted(settings)?.client().map_err(|cause| NextcloudError::Setup(cause.to_string()))?;
    Ok(builder.with_no_client_auth())
}

fn trusted(settings: &NextcloudClientSettings) -> Result<TrustPolicy, NextcloudError> {
    let given = match &settings.ca {
        Some(path) => tls::certificates(path).map_err(|cause| {
            NextcloudError::Setup(format!("CA file {}: {cause}", path.display()))
        })?,
        None => Vec::new(),
    };
    if settings.url.scheme() != "https" || settings.allow_self_signed {
        return Ok(TrustPolicy::new(CertificateCheck::Nothing));
    }
    let trust = TrustPolicy::new(CertificateCheck::IssuerAndName).with_system_roots().and(given);
    if trust.is_empty_trust() {
        let hint = "the system has no CA certificates: install ca-certificates or give a CA file";
        return Err(NextcloudError::Setup(hint.to_owned()));
    }
    Ok(trust)
}
