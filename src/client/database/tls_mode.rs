//! How much TLS a database is asked for.

use crate::client::database::TlsMode;

/// Understands PostgreSQL's `sslmode` and MySQL's `ssl-mode`.
pub fn tls_mode(text: &str) -> Result<TlsMode, String> {
    match text.trim().to_ascii_lowercase().replace('_', "-").as_str() {
        "disable" | "disabled" => Ok(TlsMode::Disable),
        "" | "allow" | "prefer" | "preferred" => Ok(TlsMode::Prefer),
        "require" | "required" => Ok(TlsMode::Require),
        "verify-ca" => Ok(TlsMode::VerifyCa),
        "verify-full" | "verify-identity" => Ok(TlsMode::VerifyFull),
        _ => Err("expected the TLS mode to be disable, prefer, require, verify-ca or verify-full \
                  (or MySQL's DISABLED to VERIFY_IDENTITY)"
            .into()),
    }
}
