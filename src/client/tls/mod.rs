//! Which certificates the daemon accepts when it connects to a server over TLS.

mod certificate_problem;
mod files;
mod verifier;

pub use files::{ClientTlsFiles, TlsFileError, server_name};

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

pub use certificate_problem::certificate_problem;

/// How much of a server's certificate is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateCheck {
    /// Nothing: any certificate is accepted, also one that webpki can't read.
    Nothing,
    /// That a trusted authority issued it, for any name.
    Issuer,
    /// That a trusted authority issued it for the name of the connection.
    IssuerAndName,
}

/// The trusted certificates and the extent of the check.
#[derive(Debug)]
pub struct TrustPolicy {
    check: CertificateCheck,
    roots: RootCertStore,
    pinned: Vec<CertificateDer<'static>>,
}

/// Why a file yields no certificates.
#[derive(Debug, thiserror::Error)]
pub enum CertificateFileError {
    /// It can't be read or isn't PEM.
    #[error(transparent)]
    Unreadable(#[from] pem::Error),
    /// It contains no certificate.
    #[error("it contains no certificate")]
    None,
}

impl TrustPolicy {
    /// Trusts no certificate yet.
    pub fn new(check: CertificateCheck) -> Self {
        Self { check, roots: RootCertStore::empty(), pinned: Vec::new() }
    }

    /// Trusts the system's authorities too. Reads files.
    pub fn with_system_roots(mut self) -> Self {
        self.roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        self
    }

    /// Trusts these too, as issuers and as server certificates. OpenSSL, and with it Nextcloud, accepts
    /// a self-signed certificate as its own CA; webpki alone refuses it.
    pub fn and(mut self, certificates: Vec<CertificateDer<'static>>) -> Self {
        self.roots.add_parsable_certificates(certificates.iter().cloned());
        self.pinned.extend(certificates);
        self
    }

    /// Whether the check can never succeed.
    pub fn is_empty_trust(&self) -> bool {
        self.check != CertificateCheck::Nothing && self.roots.is_empty() && self.pinned.is_empty()
    }

    /// A TLS configuration with this policy, still without a client certificate.
    ///
    /// # Errors
    /// When ring supports no TLS version.
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
