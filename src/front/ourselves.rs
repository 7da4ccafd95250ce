//! TLS towards our own listener, whose certificate is for a name that others use.

use crate::trust::{Check, Trust};
use std::sync::Arc;
use tokio_rustls::TlsConnector;

/// A connector to our own listener: for the daemon's probe of itself and for `healthcheck`.
///
/// Any certificate will do: we know whom we connect to, and send no secret of anybody's.
///
/// # Errors
/// When the provider knows no version of TLS.
pub fn to_ourselves() -> Result<TlsConnector, rustls::Error> {
    let config = Trust::new(Check::Nothing).client()?.with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
