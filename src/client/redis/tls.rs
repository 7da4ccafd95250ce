//! TLS for Redis: certificates from files or the system; each check can be disabled on its own.

use super::{RedisClientError, RedisTls};
use crate::client::tls::{CertificateCheck, ClientTlsFiles, TlsFileError};
use rustls::{CertificateError, ClientConfig, Error};
use std::io;

/// Why a TLS handshake failed, with its remedy.
#[derive(Debug, thiserror::Error)]
pub enum RedisTlsError {
    /// The certificate is for another name.
    #[error(
        "the certificate is for another name: use a name that is in it, or turn the name check off \
         (--redis-tls-dont-validate-hostname, ssl_context.verify_peer_name=false)"
    )]
    Name,
    /// The certificate's issuer isn't trusted.
    #[error(
        "the certificate is not signed by a trusted authority: give its CA file (--redis-tls-ca, ssl_context.cafile)"
    )]
    Issuer,
    /// The certificate is out of date, revoked or broken.
    #[error("the server's certificate is not valid ({0}): renew it")]
    Certificate(Error),
    /// The server wants a client certificate or doesn't like ours.
    #[error(
        "the server does not accept our client certificate ({0}): give the right one (--redis-tls-cert and --redis-tls-key, ssl_context.local_cert and local_pk)"
    )]
    Client(Error),
    /// The server doesn't speak TLS.
    #[error("the server does not speak TLS on this port: leave tls:// out or correct the port")]
    NotTls,
    /// No answer: a Redis without TLS waits for the end of what it takes for a command.
    #[error(
        "no answer to the handshake within {0} s: leave tls:// out if the port doesn't speak TLS; else the server hangs"
    )]
    HandshakeTimeout(f32),
    /// Any other failure.
    #[error("the handshake failed ({0})")]
    Other(io::Error),
}

impl From<io::Error> for RedisTlsError {
    fn from(error: io::Error) -> Self {
        use rustls::AlertDescription as Alert;
        let Some(cause) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else {
            return Self::Other(error);
        };
        match cause {
            Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            ) => Self::Name,
            // A bad signature is what another CA with the same name leaves.
            Error::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::BadSignature,
            ) => Self::Issuer,
            Error::InvalidCertificate(_) => Self::Certificate(cause.clone()),
            Error::InvalidMessage(_) => Self::NotTls,
            Error::AlertReceived(
                Alert::CertificateRequired
                | Alert::HandshakeFailure
                | Alert::BadCertificate
                | Alert::UnknownCA
                | Alert::CertificateUnknown
                | Alert::CertificateExpired,
            ) => Self::Client(cause.clone()),
            _ => Self::Other(error),
        }
    }
}

/// Reads the files and builds the configuration. Read again for each connection, so that a renewed
/// certificate is used without a restart.
pub(super) fn client_config(settings: &RedisTls) -> Result<ClientConfig, RedisClientError> {
    let check = match (settings.verify_peer, settings.verify_name) {
        (false, _) => CertificateCheck::Nothing,
        (true, false) => CertificateCheck::Issuer,
        (true, true) => CertificateCheck::IssuerAndName,
    };
    let client = settings.client.as_ref().map(|(cert, key)| (&**cert, &**key));
    ClientTlsFiles { ca: settings.ca.as_deref(), client }
        .config(check)
        .map_err(|TlsFileError { path, cause }| RedisClientError::TlsFile { path, cause })
}
