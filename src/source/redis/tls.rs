//! TLS towards Redis: certificates from files or the system, and checks that can be turned off one by one.

use super::{Fault, RedisTls};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor, verify_server_name,
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
    server::ParsedCertificate,
};
use std::{io, path::Path, sync::Arc};

/// Why a TLS handshake failed, with its remedy.
#[derive(Debug, thiserror::Error)]
pub enum TlsFault {
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
    Silent(f32),
    /// Anything else.
    #[error("the handshake failed ({0})")]
    Other(io::Error),
}

impl From<io::Error> for TlsFault {
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

/// Reads the files and builds what a connection needs. Read anew for each connection, so that a
/// renewed certificate is used without a restart.
pub(super) fn client_config(settings: &RedisTls) -> Result<ClientConfig, Fault> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(Verifier::new(settings, &provider)?);
    let (path, builder) = (
        settings.ca.clone().unwrap_or_default(),
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions(),
    );
    let builder = builder
        .map_err(|cause| Fault::TlsFile { path, cause: cause.to_string() })?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let Some((cert, key)) = &settings.client else { return Ok(builder.with_no_client_auth()) };
    let chain = certificates(cert)?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|cause| unusable(key, &cause))?;
    builder.with_client_auth_cert(chain, private).map_err(|cause| unusable(cert, &cause))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let read: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).and_then(|found| found.collect());
    match read {
        Ok(found) if found.is_empty() => Err(unusable(path, &"it holds no certificate")),
        Ok(found) => Ok(found),
        Err(cause) => Err(unusable(path, &cause)),
    }
}

fn unusable(path: &Path, cause: &impl ToString) -> Fault {
    Fault::TlsFile { path: path.to_owned(), cause: cause.to_string() }
}

/// Checks a server's certificate as far as the settings ask for it. The signature that proves the
/// server holds the certificate's key is checked always.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    roots: RootCertStore,
    /// The CA file's certificates themselves: a server that presents one of them is trusted. That
    /// is how OpenSSL, and so Nextcloud, takes a self-signed certificate given as its own CA;
    /// webpki alone refuses it.
    pinned: Vec<CertificateDer<'static>>,
    check_chain: bool,
    check_name: bool,
}

impl Verifier {
    fn new(settings: &RedisTls, provider: &Arc<CryptoProvider>) -> Result<Self, Fault> {
        let pinned = match &settings.ca {
            Some(path) if settings.verify_peer => certificates(path)?,
            _ => Vec::new(),
        };
        let mut roots = RootCertStore::empty();
        if settings.ca.is_none() && settings.verify_peer {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        } else {
            roots.add_parsable_certificates(pinned.iter().cloned());
        }
        Ok(Self {
            provider: Arc::clone(provider),
            roots,
            pinned,
            check_chain: settings.verify_peer,
            check_name: settings.verify_peer && settings.verify_name,
        })
    }

    fn verify_chain(
        &self,
        end: &CertificateDer<'_>,
        parsed: &ParsedCertificate<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        if self.pinned.iter().any(|pinned| pinned == end) {
            return Ok(());
        }
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(
            parsed,
            &self.roots,
            intermediates,
            now,
            algorithms,
        )
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.check_chain {
            let parsed = ParsedCertificate::try_from(end)?;
            self.verify_chain(end, &parsed, intermediates, now)?;
            if self.check_name {
                verify_server_name(&parsed, name)?;
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
