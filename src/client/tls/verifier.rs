//! Verifies server certificates as [`TrustPolicy`] says.

use super::{CertificateCheck, TrustPolicy};
use rustls::{
    DigitallySignedStruct, Error, SignatureScheme,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor, verify_server_name,
    },
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};
use std::sync::Arc;

#[derive(Debug)]
pub(super) struct CertificateVerifier {
    provider: Arc<CryptoProvider>,
    trust: TrustPolicy,
}

impl CertificateVerifier {
    pub(super) fn new(provider: Arc<CryptoProvider>, trust: TrustPolicy) -> Self {
        Self { provider, trust }
    }

    fn verify_issuer(
        &self,
        end: &CertificateDer<'_>,
        parsed: &ParsedCertificate<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        if self.trust.pinned.iter().any(|pinned| pinned == end) {
            return Ok(());
        }
        let (roots, algorithms) =
            (&self.trust.roots, self.provider.signature_verification_algorithms.all);
        verify_server_cert_signed_by_trust_anchor(parsed, roots, intermediates, now, algorithms)
    }
}

/// Without a check the signature of the handshake isn't verified either: an attacker who can change the
/// connection could present a certificate of their own, and webpki reads neither X.509 v1 nor P-521.
impl ServerCertVerifier for CertificateVerifier {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.trust.check != CertificateCheck::Nothing {
            let parsed = ParsedCertificate::try_from(end)?;
            self.verify_issuer(end, &parsed, intermediates, now)?;
            if self.trust.check == CertificateCheck::IssuerAndName {
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
        if self.trust.check == CertificateCheck::Nothing {
            return Ok(HandshakeSignatureValid::assertion());
        }
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if self.trust.check == CertificateCheck::Nothing {
            return Ok(HandshakeSignatureValid::assertion());
        }
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let mut schemes = self.provider.signature_verification_algorithms.supported_schemes();
        if self.trust.check == CertificateCheck::Nothing {
            // ring can't verify it, and nothing is to be verified.
            schemes.push(SignatureScheme::ECDSA_NISTP521_SHA512);
        }
        schemes
    }
}
