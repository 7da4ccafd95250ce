//! Which certificates Nextcloud may present.

use super::{RemoteSettings, trouble::Trouble};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
    server::ParsedCertificate,
};
use std::{path::Path, sync::Arc};

/// What a TLS connection to Nextcloud needs. Reads files: the system's certificates only when they
/// are needed, which is not the case for `http://` and when any certificate will do.
pub(super) fn client_config(settings: &RemoteSettings) -> Result<ClientConfig, Trouble> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Verifier::new(settings, &provider)?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|cause| Trouble::Setup(cause.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(config)
}

/// Looks at a certificate as far as the settings ask for it. The signature that proves that the
/// server holds the certificate's key is checked always.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    /// `None`: any chain will do.
    chain: Option<Arc<WebPkiServerVerifier>>,
    /// The CA file's certificates themselves: OpenSSL takes a self-signed certificate given as its
    /// own CA, webpki alone refuses it.
    pinned: Vec<CertificateDer<'static>>,
}

impl Verifier {
    fn new(settings: &RemoteSettings, provider: &Arc<CryptoProvider>) -> Result<Self, Trouble> {
        let pinned = match &settings.ca {
            Some(path) => certificates(path)?,
            None => Vec::new(),
        };
        let checked = settings.url.scheme() == "https" && !settings.allow_self_signed;
        let chain = match checked {
            true => Some(webpki(&pinned, provider)?),
            false => None,
        };
        Ok(Self { provider: Arc::clone(provider), chain, pinned })
    }
}

fn webpki(
    pinned: &[CertificateDer<'static>],
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, Trouble> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots.add_parsable_certificates(pinned.iter().cloned());
    if roots.is_empty() {
        let hint = "the system has no CA certificates: install ca-certificates or give a CA file";
        return Err(Trouble::Setup(hint.to_owned()));
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|cause| Trouble::Setup(cause.to_string()))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Trouble> {
    let unusable = |cause: &dyn std::fmt::Display| {
        Trouble::Setup(format!("CA file {}: {cause}", path.display()))
    };
    let found = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|cause| unusable(&cause))?;
    if found.is_empty() {
        return Err(unusable(&"it holds no certificate"));
    }
    Ok(found)
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        if self.pinned.iter().any(|pinned| pinned == end) {
            verify_server_name(&ParsedCertificate::try_from(end)?, name)?;
            return Ok(ServerCertVerified::assertion());
        }
        chain.verify_server_cert(end, intermediates, name, ocsp, now)
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
