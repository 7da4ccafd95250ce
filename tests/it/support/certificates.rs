//! A certificate authority of a test's own, and certificates signed by it, as PEM files.

use super::{Folder, folder};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio_rustls::TlsConnector;

/// Names the server certificate is good for.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Certificate chain and key, PEM.
#[derive(Clone)]
pub(crate) struct CertificatePair {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

/// A CA and what it signed; removed when dropped.
pub(crate) struct Certificates {
    folder: Folder,
    issuer: Issuer<'static, KeyPair>,
}

impl Certificates {
    /// A new CA, with a server certificate for localhost and 127.0.0.1 and a client certificate.
    pub(crate) fn new() -> Self {
        let folder = folder("certificates");
        let mut authority = parameters(&[], "Test authority");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let certificate = authority.self_signed(&key).expect("a certificate");
        write(folder.path().join("ca.pem"), &certificate.pem());
        let certificates = Self { folder, issuer: Issuer::new(authority, key) };
        certificates.server_for("server", &NAMES);
        certificates.sign("client", parameters(&[], "client"), ExtendedKeyUsagePurpose::ClientAuth);
        certificates
    }

    /// The CA's certificate.
    pub(crate) fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// For a server that is reached as localhost or 127.0.0.1.
    pub(crate) fn server(&self) -> CertificatePair {
        pair(self.folder.path(), "server")
    }

    /// For a client; common name `client`.
    pub(crate) fn client(&self) -> CertificatePair {
        pair(self.folder.path(), "client")
    }

    /// Connects to servers whose certificate this CA signed, with the client certificate at hand.
    pub(crate) fn connector(&self) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.ca()).expect("a certificate")).expect("a CA");
        let client = self.client();
        let chain = vec![CertificateDer::from_pem_file(client.cert).expect("a certificate")];
        let key = PrivateKeyDer::from_pem_file(client.key).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring knows them")
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .expect("our own key");
        Arc::new(config).into()
    }

    /// A further server certificate, for other names; files of the same name are replaced.
    pub(crate) fn server_for(&self, file: &str, names: &[&str]) -> CertificatePair {
        let parameters = parameters(names, names.first().copied().unwrap_or(file));
        self.sign(file, parameters, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// The server's certificate and key as X.509 v1, which webpki doesn't read: without the version.
    /// The signature is of no use then.
    pub(crate) fn version_1(&self) -> CertificatePair {
        const VERSION: [u8; 5] = [0xa0, 3, 2, 1, 2];
        let pair = self.server_for("version1", &NAMES);
        let mut der = CertificateDer::from_pem_file(&pair.cert).expect("a certificate").to_vec();
        assert_eq!((der[1], der[5], &der[8..13]), (0x82, 0x82, &VERSION[..]), "two long lengths");
        der.drain(8..13);
        for at in [2, 6] {
            let length = u16::from_be_bytes([der[at], der[at + 1]]) - 5;
            der[at..at + 2].copy_from_slice(&length.to_be_bytes());
        }
        let text = BASE64_STANDARD.encode(&der);
        let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
        let (begin, end) = ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----");
        write(pair.cert.clone(), &format!("{begin}\n{}\n{end}\n", lines.join("\n")));
        pair
    }

    /// A certificate for the server's names that no authority signed.
    pub(crate) fn self_signed(&self) -> CertificatePair {
        let key = KeyPair::generate().expect("a key");
        let certificate =
            parameters(&NAMES, "self-signed").self_signed(&key).expect("a certificate");
        let pair = pair(self.folder.path(), "self-signed");
        write(pair.cert.clone(), &certificate.pem());
        write(pair.key.clone(), &key.serialize_pem());
        pair
    }

    fn sign(
        &self,
        file: &str,
        mut leaf: CertificateParams,
        usage: ExtendedKeyUsagePurpose,
    ) -> CertificatePair {
        leaf.extended_key_usages = vec![usage];
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().expect("a key");
        let certificate = leaf.signed_by(&key, &self.issuer).expect("a certificate");
        let pair = pair(self.folder.path(), file);
        write(pair.cert.clone(), &certificate.pem());
        write(pair.key.clone(), &key.serialize_pem());
        pair
    }
}

fn parameters(names: &[&str], common_name: &str) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut parameters = CertificateParams::new(names).expect("names");
    parameters.distinguished_name.push(DnType::CommonName, common_name);
    parameters
}

fn pair(folder: &Path, name: &str) -> CertificatePair {
    CertificatePair {
        cert: folder.join(format!("{name}.pem")),
        key: folder.join(format!("{name}.key")),
    }
}

fn write(path: PathBuf, pem: &str) {
    std::fs::write(path, pem).expect("a file in a folder of our own");
}
