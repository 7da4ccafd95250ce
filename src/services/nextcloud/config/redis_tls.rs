//! `ssl_context`: PHP's options for TLS streams.

use super::keys::ConfigEntry;
use crate::{
    client::redis::{RedisTls, verified},
    config::ConfigError,
};
use std::path::PathBuf;

/// TLS as a Redis section's `ssl_context` wants it; everything is verified where there is none.
pub(super) fn tls(section: &ConfigEntry<'_>) -> Result<RedisTls, ConfigError> {
    let mut tls = verified();
    let Some(context) = section.get("ssl_context")? else { return Ok(tls) };
    let switch = |name: &str| Ok::<_, ConfigError>(context.get(name)?.map(|e| e.value.as_bool()));
    let path = |name: &str| Ok::<_, ConfigError>(context.get_text(name)?.map(PathBuf::from));
    tls.ca = path("cafile")?;
    // One file may hold both.
    tls.client = path("local_cert")?
        .map(|cert| Ok::<_, ConfigError>((cert.clone(), path("local_pk")?.unwrap_or(cert))))
        .transpose()?;
    let self_signed = switch("allow_self_signed")?.unwrap_or(false) && tls.ca.is_none();
    tls.verify_peer = switch("verify_peer")?.unwrap_or(true) && !self_signed;
    tls.verify_name = switch("verify_peer_name")?.unwrap_or(true);
    Ok(tls)
}
