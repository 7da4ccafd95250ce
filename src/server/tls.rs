//! TLS for clients: certificate and key from PEM files, reloaded when they change.

use super::TlsFiles;
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
    time::{Duration, SystemTime},
};
use tokio_rustls::TlsAcceptor;
use zeroize::Zeroizing;

/// How often the files are checked.
pub const RELOAD_INTERVAL: Duration = Duration::from_secs(10);

/// Larger than any chain or key.
const MAX_FILE: u64 = 1024 * 1024;

/// Why certificate and key can't be used; the text names the file.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file of the certificate or key can't be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The path of the file.
        path: PathBuf,
        /// The reason of the failure.
        source: io::Error,
    },
    /// The certificate file holds none.
    #[error("{} holds no certificate in PEM form", .path.display())]
    NoCertificate {
        /// The path of the file.
        path: PathBuf,
    },
    /// The key file holds none.
    #[error("{} holds no unencrypted private key in PEM form", .path.display())]
    NoKey {
        /// The path of the file.
        path: PathBuf,
    },
    /// They don't match, or their type isn't supported.
    #[error("certificate {} and key {} cannot be used together", .cert.display(), .key.display())]
    Unusable {
        /// The certificate file.
        cert: PathBuf,
        /// The key file.
        key: PathBuf,
        /// The reason of the failure.
        source: rustls::Error,
    },
}

/// The current certificate. New connections get the newest, old ones keep theirs.
pub struct ReloadableTls {
    current: RwLock<LoadedCertificate>,
}

struct LoadedCertificate {
    files: TlsFiles,
    acceptor: TlsAcceptor,
    stamp: FileStamps,
}

/// What changes when a file is replaced: modification time, length, inode.
type FileStamps = [Option<(SystemTime, u64, u64)>; 3];

impl ReloadableTls {
    /// Reads the files; unusable ones end the start.
    pub async fn load(files: TlsFiles) -> Result<Self, TlsError> {
        Ok(Self { current: RwLock::new(read(files).await?) })
    }

    /// The acceptor for the next connection.
    pub fn acceptor(&self) -> TlsAcceptor {
        self.current().acceptor.clone()
    }

    /// Reloads the files, changed or not. Unusable ones are ignored.
    pub async fn reload(&self) -> Result<(), TlsError> {
        let (files, _) = self.current_files();
        self.replace(files).await
    }

    /// Switches to these files. Unusable ones are ignored.
    pub async fn replace(&self, files: TlsFiles) -> Result<(), TlsError> {
        let fresh = read(files).await?;
        tracing::info!(cert = %fresh.files.cert.display(), "certificate reloaded");
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// Checks the files forever and reloads them when they change. A failure is logged once for each
    /// change.
    pub async fn watch(&self, interval: Duration) {
        let mut refused = None;
        loop {
            tokio::time::sleep(interval).await;
            let (files, known) = self.current_files();
            let stamp = stamp(&files).await;
            if stamp == known || refused == Some(stamp) {
                continue;
            }
            refused = self.reload().await.err().map(|error| {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(%error, cause, "certificate reload failed; keeping the current one");
                stamp
            });
        }
    }

    fn current_files(&self) -> (TlsFiles, FileStamps) {
        let current = self.current();
        (current.files.clone(), current.stamp)
    }

    fn current(&self) -> RwLockReadGuard<'_, LoadedCertificate> {
        self.current.read().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn read(files: TlsFiles) -> Result<LoadedCertificate, TlsError> {
    // Before the contents: a change in between is noticed the next time.
    let stamp = stamp(&files).await;
    let (mut cert, key) = (contents(&files.cert).await?, contents(&files.key).await?);
    if let Some(chain) = &files.chain {
        cert.push(b'\n');
        cert.extend_from_slice(&contents(chain).await?);
    }
    let config = config(&files, &cert, &key)?;
    Ok(LoadedCertificate { files, acceptor: TlsAcceptor::from(Arc::new(config)), stamp })
}

async fn stamp(files: &TlsFiles) -> FileStamps {
    let chain = match &files.chain {
        Some(chain) => stamp_of(chain).await,
        None => None,
    };
    [stamp_of(&files.cert).await, stamp_of(&files.key).await, chain]
}

async fn stamp_of(path: &Path) -> Option<(SystemTime, u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let found = tokio::fs::metadata(path).await.ok()?;
    Some((found.modified().ok()?, found.len(), found.ino()))
}

async fn contents(path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let error = |source| TlsError::Read { path: path.into(), source };
    let length = tokio::fs::metadata(path).await.map_err(error)?.len();
    if length > MAX_FILE {
        return Err(error(io::ErrorKind::FileTooLarge.into()));
    }
    tokio::fs::read(path).await.map(Zeroizing::new).map_err(error)
}

fn config(files: &TlsFiles, cert: &[u8], key: &[u8]) -> Result<ServerConfig, TlsError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(cert)
        .collect::<Result<_, _>>()
        .map_err(|_| TlsError::NoCertificate { path: files.cert.clone() })?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate { path: files.cert.clone() });
    }
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|_| TlsError::NoKey { path: files.key.clone() })?;
    let unusable =
        |source| TlsError::Unusable { cert: files.cert.clone(), key: files.key.clone(), source };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(unusable)?;
    // WebSocket over HTTP/2 is another protocol (RFC 8441); don't let a proxy choose it.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
