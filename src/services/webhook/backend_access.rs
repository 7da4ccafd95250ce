//! Access control of the REST API: the shared token of the back ends.

use crate::config::secret::Secret;
use http::HeaderMap;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Header that holds the token (`specs/webhook-push.md` section 2).
pub const HEADER: &str = "x-auth-token";

/// Which back ends may use the REST API. Cheap to clone.
#[derive(Clone)]
pub enum BackendAccess {
    /// Those that send the token; only its digest is kept.
    Token(Box<[u8; 32]>),
    /// All of them: `--insecure-no-token`.
    Open,
}

impl BackendAccess {
    /// Requires this token.
    pub fn token(token: &Secret) -> Self {
        Self::Token(Box::new(digest(token.expose().as_bytes())))
    }

    /// Whether a request has the token; never if none is required.
    pub fn has_token(&self, headers: &HeaderMap) -> bool {
        !matches!(self, Self::Open) && self.admits(headers)
    }

    /// Whether a request has access. Compares whole digests, so the duration doesn't depend on the
    /// token.
    pub fn admits(&self, headers: &HeaderMap) -> bool {
        match self {
            Self::Open => true,
            Self::Token(expected) => {
                let given = headers.get(HEADER).map(|token| token.as_bytes());
                digest(given.unwrap_or_default()).ct_eq(expected.as_ref()).into()
            }
        }
    }
}

impl std::fmt::Debug for BackendAccess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "Token(***)",
            Self::Open => "Open",
        })
    }
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::{BackendAccess, HEADER};
    use http::HeaderMap;

    fn headers(token: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Some(token) = token {
            headers.insert(HEADER, token.parse().unwrap());
        }
        headers
    }

    #[test]
    fn only_the_token_itself_passes() {
        let access = BackendAccess::token(&"s3cr3t".into());
        assert!(access.admits(&headers(Some("s3cr3t"))));
        for wrong in [None, Some(""), Some("s3cr3"), Some("s3cr3tt"), Some("S3CR3T")] {
            assert!(!access.admits(&headers(wrong)), "{wrong:?}");
        }
        assert!(BackendAccess::Open.admits(&headers(None)));
        assert_eq!(format!("{access:?}"), "Token(***)");
    }
}
