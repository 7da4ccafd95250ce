//! Which certificates Nextcloud may present.

use super::{RemoteSettings, trouble::Trouble};
use crate::client::{
    tls,
    tls::{Check, Trust},
};
use rustls::ClientConfig;

/// What a TLS connection to Nextcloud needs. Reads files: the system's certificates only when they
/// are needed, which is not the case for `http://` and when any certificate will do.
///
/// # Errors
/// [`Trouble::Setup`]: a file can't be used, or the system has no certificates.
pub fn client_config(settings: &RemoteSettings) -> Result<ClientConfig, Trouble> {
    let builder = trusted(settings)?.client().map_err(|cause| Trouble::Setup(cause.to_string()))?;
    Ok(builder.with_no_client_auth())
}

fn trusted(settings: &RemoteSettings) -> Result<Trust, Trouble> {
    let given = match &settings.ca {
        Some(path) => tls::certificates(path)
            .map_err(|cause| Trouble::Setup(format!("CA file {}: {cause}", path.display())))?,
        None => Vec::new(),
    };
    if settings.url.scheme() != "https" || settings.allow_self_signed {
        return Ok(Trust::new(Check::Nothing));
    }
    let trust = Trust::new(Check::IssuerAndName).and_the_system().and(given);
    if trust.is_in_vain() {
        let hint = "the system has no CA certificates: install ca-certificates or give a CA file";
        return Err(Trouble::Setup(hint.to_owned()));
    }
    Ok(trust)
}
