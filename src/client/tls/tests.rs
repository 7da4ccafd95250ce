//! Real handshakes with certificates made here.

use super::{CertificateCheck, CertificateFileError, TrustPolicy, certificates};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, Error, ServerConfig, ServerConnection,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
};
use std::sync::Arc;

struct TestIdentity {
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

fn authority() -> (Issuer<'static, KeyPair>, CertificateDer<'static>) {
    let mut parameters = CertificateParams::new([]).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap().der().clone();
    (Issuer::new(parameters, key), certificate)
}

fn issued(by: &Issuer<'static, KeyPair>) -> TestIdentity {
    let key = KeyPair::generate().unwrap();
    let parameters = CertificateParams::new(["right.example".to_owned()]).unwrap();
    TestIdentity { certificate: parameters.signed_by(&key, by).unwrap().der().clone(), key }
}

fn self_signed() -> TestIdentity {
    let made = rcgen::generate_simple_self_signed(["right.example".to_owned()]).unwrap();
    TestIdentity { certificate: made.cert.der().clone(), key: made.signing_key }
}

fn server(identity: &TestIdentity, key: &KeyPair) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let single = rustls::sign::SingleCertAndKey::from(rustls::sign::CertifiedKey::new(
        vec![identity.certificate.clone()],
        provider.key_provider.load_private_key(key).unwrap(),
    ));
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(single))
}

/// The result of a handshake with a server that shows `identity` and signs with `key`.
fn handshake(
    trust: TrustPolicy,
    identity: &TestIdentity,
    key: &KeyPair,
    name: &'static str,
) -> Result<(), Error> {
    let config: ClientConfig = trust.client().unwrap().with_no_client_auth();
    let name = ServerName::try_from(name).unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut server = ServerConnection::new(Arc::new(server(identity, key))).unwrap();
    while client.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut &wire[..]).unwrap();
        server.process_new_packets().unwrap();
        wire.clear();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        client.read_tls(&mut &wire[..]).unwrap();
        client.process_new_packets()?;
    }
    Ok(())
}

fn shows(trust: TrustPolicy, identity: &TestIdentity, name: &'static str) -> Result<(), Error> {
    handshake(trust, identity, &identity.key, name)
}

fn is_wrong_name(result: &Result<(), Error>) -> bool {
    matches!(
        result,
        Err(Error::InvalidCertificate(CertificateError::NotValidForNameContext { .. }))
    )
}

#[test]
fn a_certificate_of_a_trusted_issuer_is_accepted_for_its_name_only() {
    let (issuer, ca) = authority();
    let identity = issued(&issuer);
    let trust = |check| TrustPolicy::new(check).and(vec![ca.clone()]);
    assert_eq!(shows(trust(CertificateCheck::IssuerAndName), &identity, "right.example"), Ok(()));
    assert!(is_wrong_name(&shows(
        trust(CertificateCheck::IssuerAndName),
        &identity,
        "wrong.example"
    )));
    assert_eq!(shows(trust(CertificateCheck::Issuer), &identity, "wrong.example"), Ok(()));
}

#[test]
fn a_certificate_of_an_unknown_issuer_is_accepted_only_without_a_check() {
    let (identity, (_, ca)) = (issued(&authority().0), authority());
    for check in [CertificateCheck::Issuer, CertificateCheck::IssuerAndName] {
        let outcome =
            shows(TrustPolicy::new(check).and(vec![ca.clone()]), &identity, "right.example");
        assert!(matches!(outcome, Err(Error::InvalidCertificate(_))), "{outcome:?}");
    }
    assert_eq!(
        shows(TrustPolicy::new(CertificateCheck::Nothing), &identity, "wrong.example"),
        Ok(())
    );
}

#[test]
fn a_self_signed_certificate_as_its_own_ca_is_accepted_for_its_name_only() {
    let identity = self_signed();
    let trust = || {
        TrustPolicy::new(CertificateCheck::IssuerAndName).and(vec![identity.certificate.clone()])
    };
    assert_eq!(shows(trust(), &identity, "right.example"), Ok(()));
    assert!(is_wrong_name(&shows(trust(), &identity, "wrong.example")));
    assert!(shows(TrustPolicy::new(CertificateCheck::Issuer), &identity, "right.example").is_err());
}

#[test]
fn a_certificate_without_its_key_is_refused_by_every_check() {
    let (identity, other_key) = (self_signed(), KeyPair::generate().unwrap());
    let with = |check| {
        let trust = TrustPolicy::new(check).and(vec![identity.certificate.clone()]);
        handshake(trust, &identity, &other_key, "right.example")
    };
    for check in [CertificateCheck::Issuer, CertificateCheck::IssuerAndName] {
        let bad_signature = Error::InvalidCertificate(CertificateError::BadSignature);
        assert_eq!(with(check), Err(bad_signature));
    }
    assert_eq!(with(CertificateCheck::Nothing), Ok(()));
}

/// The certificate as X.509 v1: without its version, which is then 1.
fn as_version_1(identity: &TestIdentity) -> TestIdentity {
    const VERSION: [u8; 5] = [0xa0, 3, 2, 1, 2];
    let mut der = identity.certificate.to_vec();
    assert_eq!((der[1], der[5], &der[8..13]), (0x82, 0x82, &VERSION[..]));
    der.drain(8..13);
    for at in [2, 6] {
        let length = u16::from_be_bytes([der[at], der[at + 1]]) - 5;
        der[at..at + 2].copy_from_slice(&length.to_be_bytes());
    }
    let key = KeyPair::try_from(identity.key.serialize_der()).unwrap();
    TestIdentity { certificate: der.into(), key }
}

#[test]
fn a_certificate_of_version_1_is_accepted_only_without_a_check() {
    let identity = as_version_1(&self_signed());
    let trust = |check| TrustPolicy::new(check).and(vec![identity.certificate.clone()]);
    assert_eq!(shows(trust(CertificateCheck::Nothing), &identity, "right.example"), Ok(()));
    for check in [CertificateCheck::Issuer, CertificateCheck::IssuerAndName] {
        assert!(shows(trust(check), &identity, "right.example").is_err());
    }
}

#[test]
fn an_empty_trust_policy_can_pass_only_without_a_check() {
    assert!(TrustPolicy::new(CertificateCheck::Issuer).is_empty_trust());
    assert!(!TrustPolicy::new(CertificateCheck::Nothing).is_empty_trust());
    assert!(!TrustPolicy::new(CertificateCheck::Issuer).and(vec![authority().1]).is_empty_trust());
}

#[test]
fn a_file_without_a_certificate_differs_from_a_missing_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    assert!(matches!(certificates(&file), Err(CertificateFileError::Unreadable(_))));
    std::fs::write(&file, "nothing").unwrap();
    assert!(matches!(certificates(&file), Err(CertificateFileError::None)));
}
