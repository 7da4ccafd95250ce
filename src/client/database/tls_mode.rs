//! Parses the TLS mode of a database connection.

use crate::client::database::DatabaseTlsMode;

/// Parses PostgreSQL's `sslmode` and MySQL's `ssl-mode`.
pub fn tls_mode(text: &str) -> Result<DatabaseTlsMode, String> {
    match text.trim().to_ascii_lowercase().replace('_', "-").as_str() {
        "disable" | "disabled" => Ok(DatabaseTlsMode::Disable),
        "" | "allow" | "prefer" | "preferred" => Ok(DatabaseTlsMode::Prefer),
        "require" | "required" | "no-verify" => Ok(DatabaseTlsMode::Require),
        "verify-ca" => Ok(DatabaseTlsMode::VerifyCa),
        "verify-full" | "verify-identity" => Ok(DatabaseTlsMode::VerifyFull),
        _ => Err("expected the TLS mode to be disable, prefer, require, verify-ca or verify-full \
                  (or MySQL's DISABLED to VERIFY_IDENTITY)"
            .into()),
    }
}
