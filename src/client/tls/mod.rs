//! Whose certificate is good enough when we connect to a server over TLS.

mod verifier;

use rustls::{
    ClientConfig, ConfigBuilder, Error, RootCertStore,
    client::WantsClientCert,
    crypto::ring,
    pki_types::{
        CertificateDer,
        pem::{self, PemObject},
    },
};
use std::{path::Path, sync::Arc};
use verifier::CertificateVerifier;

/// What a server has to show besides that it holds its certificate's key, which is checked always.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateCheck {
    /// Nothing: whoever answers will do.
    Nothing,
    /// That somebody we trust has issued its certificate, for whatever name.
    Issuer,
    /// That somebody we trust has issued its certificate for the name we connect to.
    IssuerAndName,
}

/// Whom we trust, and how far we look.
#[derive(Debug)]
pub struct TrustPolicy {
    check: CertificateCheck,
    roots: RootCertStore,
    pinned: Vec<CertificateDer<'static>>,
}

/// Why a file gives no certificates.
#[derive(Debug, thiserror::Error)]
pub enum CertificateFileError {
    /// It can't be read, or is no PEM.
    #[error(transparent)]
    Unreadable(#[from] pem::Error),
    /// There is none in it.
    #[error("it holds no certificate")]
    None,
}

impl TrustPolicy {
    /// In nobody yet.
    pub fn new(check: CertificateCheck) -> Self {
        Self { check, roots: RootCertStore::empty(), pinned: Vec::new() }
    }

    /// In the system's authorities too. Reads files.
    pub fn with_system_roots(mut self) -> Self {
        self.roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        self
    }

    /// In these too, as issuers and as servers themselves: so OpenSSL, and with it Nextcloud, takes
    /// a self-signed certificate that is given as its own CA, which webpki alone refuses.
    pub fn and(mut self, certificates: Vec<CertificateDer<'static>>) -> Self {
        self.roots.add_parsable_certificates(certificates.iter().cloned());
        self.pinned.extend(certificates);
        self
    }

    /// Whether no server can pass.
    pub fn is_empty_trust(&self) -> bool {
        self.check != CertificateCheck::Nothing && self.roots.is_empty() && self.pinned.is_empty()
    }

    /// Connections that trust so; what remains to be said is who we are.
    ///
    /// # Errors
    /// Only when ring knew no version of TLS.
    pub fn client(self) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, Error> {
        let provider = Arc::new(ring::default_provider());
        let verifier = Arc::new(CertificateVerifier::new(Arc::clone(&provider), self));
        let builder = ClientConfig::builder_with_provider(provider);
        let builder = builder.with_safe_default_protocol_versions()?;
        Ok(builder.dangerous().with_custom_certificate_verifier(verifier))
    }
}

/// The certificates in a PEM file, at least one.
///
/// # Errors
/// [`CertificateFileError`].
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateFileError> {
    let found: Vec<_> = CertificateDer::pem_file_iter(path)?.collect::<Result<_, _>>()?;
    if found.is_empty() { Err(CertificateFileError::None) } else { Ok(found) }
}

#[cfg(test)]
mod tests;
