//! Signed calls: HMAC-SHA256 over time stamp and body.

use crate::config::secret::Secret;
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use sha2::Sha256;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The header with the seconds since 1970 at which the call was signed.
pub const TIMESTAMP: &str = "x-hook-timestamp";
/// The header with `sha256=` and the hexadecimal HMAC over time stamp, full stop and body.
pub const SIGNATURE: &str = "x-hook-signature";
/// Maximum difference between a time stamp and our clock.
pub const TOLERANCE: Duration = Duration::from_secs(300);

/// Verifies a call's signature. Returns its name, which is valid only once.
pub fn check(secret: &Secret, headers: &HeaderMap, body: &[u8], now: SystemTime) -> Option<String> {
    let (stamp, given) = (single(headers, TIMESTAMP)?, single(headers, SIGNATURE)?);
    let seconds: u64 = stamp.parse().ok().filter(|_| stamp.bytes().all(|b| b.is_ascii_digit()))?;
    let signed = UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?;
    let apart = now.duration_since(signed).unwrap_or_else(|error| error.duration());
    if apart > TOLERANCE {
        return None;
    }
    let given = unhex(given.strip_prefix("sha256=")?)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).ok()?;
    mac.update(stamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    // In constant time.
    mac.verify_slice(&given).ok()?;
    Some(given.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn single<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::{HeaderMap, SIGNATURE, SystemTime, TIMESTAMP, TOLERANCE, UNIX_EPOCH, check};
    use std::time::Duration;

    const STAMP: &str = "1700000000";
    const BODY: &[u8] = br#"{"message":"hi"}"#;
    /// `printf '%s' '1700000000.{"message":"hi"}' | openssl dgst -sha256 -hmac key`
    const RIGHT: &str = "sha256=a32bde5d0a5373aa796ac49c027b806152f8cfec826d8d05df600013f1501502";

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_700_000_000)
    }

    fn verdict(stamp: &str, signature: &str, body: &[u8], now: SystemTime) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(TIMESTAMP, stamp.parse().unwrap());
        headers.insert(SIGNATURE, signature.parse().unwrap());
        check(&"key".into(), &headers, body, now).is_some()
    }

    #[test]
    fn only_signatures_as_openssl_creates_them_are_valid() {
        assert!(verdict(STAMP, RIGHT, BODY, now()));
        assert!(verdict(STAMP, &RIGHT.to_uppercase().replace("SHA", "sha"), BODY, now()));
        assert!(!verdict(STAMP, RIGHT, br#"{"message":"ho"}"#, now()));
        assert!(!verdict("1700000001", RIGHT, BODY, now()));
        for signature in ["", "sha256=", "sha1=00", &RIGHT[..70], &RIGHT.replace("sha256=", "")] {
            assert!(!verdict(STAMP, signature, BODY, now()), "{signature}");
        }
        assert!(check(&"key".into(), &HeaderMap::new(), BODY, now()).is_none());
    }

    #[test]
    fn a_signature_out_of_the_time_window_is_refused() {
        assert!(verdict(STAMP, RIGHT, BODY, now() + TOLERANCE));
        assert!(verdict(STAMP, RIGHT, BODY, now() - TOLERANCE));
        assert!(!verdict(STAMP, RIGHT, BODY, now() + TOLERANCE + Duration::from_secs(1)));
        assert!(!verdict(STAMP, RIGHT, BODY, now() - TOLERANCE - Duration::from_secs(1)));
        for stamp in ["+1700000000", "99999999999999999999", "", "now"] {
            assert!(!verdict(stamp, RIGHT, BODY, now()), "{stamp}");
        }
    }
}
