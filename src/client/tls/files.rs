//! Builds TLS configurations from certificate files.

use super::{CertificateCheck, TrustPolicy, certificates};
use rustls::{
    ClientConfig,
    pki_types::{InvalidDnsNameError, PrivateKeyDer, ServerName, pem::PemObject},
};
use std::path::{Path, PathBuf};

/// The certificate files of a connection, all PEM.
#[derive(Debug, Clone, Copy)]
pub struct ClientTlsFiles<'a> {
    /// The authorities; `None`: those of the system.
    pub ca: Option<&'a Path>,
    /// Client certificate and key.
    pub client: Option<(&'a Path, &'a Path)>,
}

/// A certificate or key file that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the TLS file {} can't be used ({cause})", path.display())]
pub struct TlsFileError {
    /// The path of the file.
    pub path: PathBuf,
    /// Why it can't be used.
    pub cause: String,
}

impl ClientTlsFiles<'_> {
    /// Reads the files and builds the configuration.
    ///
    /// # Errors
    /// A file can't be used.
    pub fn config(self, check: CertificateCheck) -> Result<ClientConfig, TlsFileError> {
        let ca = self.ca.unwrap_or(Path::new(""));
        let builder = self.trust(check)?.client().map_err(|cause| unusable(ca, &cause))?;
        let Some((cert, key)) = self.client else { return Ok(builder.with_no_client_auth()) };
        let chain = certificates(cert).map_err(|cause| unusable(cert, &cause))?;
        let private = PrivateKeyDer::from_pem_file(key).map_err(|cause| unusable(key, &cause))?;
        builder.with_client_auth_cert(chain, private).map_err(|cause| unusable(cert, &cause))
    }

    fn trust(self, check: CertificateCheck) -> Result<TrustPolicy, TlsFileError> {
        Ok(match self.ca {
            _ if check == CertificateCheck::Nothing => TrustPolicy::new(check),
            Some(path) => {
                let found = certificates(path).map_err(|cause| unusable(path, &cause))?;
                TrustPolicy::new(check).and(found)
            }
            None => TrustPolicy::new(check).with_system_roots(),
        })
    }
}

fn unusable(path: &Path, cause: &impl ToString) -> TlsFileError {
    TlsFileError { path: path.to_owned(), cause: cause.to_string() }
}

/// The name to verify and to send. Without the name check, a host that is no valid DNS name is
/// accepted too.
///
/// # Errors
/// The name is to be verified and is no valid name.
pub fn server_name(host: &str, checked: bool) -> Result<ServerName<'static>, InvalidDnsNameError> {
    match ServerName::try_from(host.to_owned()) {
        Err(_) if !checked => ServerName::try_from("localhost"),
        other => other,
    }
}
