//! What is wrong with a certificate, in words for the operator.

use rustls::CertificateError;

/// The problem in words; rustls shows some only as the names of its variants.
pub fn certificate_problem(error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer => "no trusted authority issued it".to_owned(),
        CertificateError::Other(other) if other.to_string() == "CaUsedAsEndEntity" => {
            "it is the certificate of an authority, not of a server: issue one for the server with it"
                .to_owned()
        }
        CertificateError::Other(other) => other.to_string(),
        named => named.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::certificate_problem;
    use rustls::{CertificateError, OtherError};
    use std::{io, sync::Arc};

    #[test]
    fn an_authoritys_certificate_is_described_in_words() {
        let other = |text| CertificateError::Other(OtherError(Arc::new(io::Error::other(text))));
        assert!(certificate_problem(&other("CaUsedAsEndEntity")).contains("not of a server"));
        assert_eq!(certificate_problem(&other("too odd")), "too odd");
    }
}
