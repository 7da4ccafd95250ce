//! The names of keys in Redis, and how ids, times and listed hooks are written there.

use super::{HookKey, HookSummary, RegistrationStoreError, unexpected_reply};
use crate::services::webhook::message_id::MessageId;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Parses `<end> <digest> <signed> c<connection>`; the last part is optional.
pub(super) fn read_listed(id: &str, text: &str) -> Option<HookSummary> {
    let mut parts = text.splitn(4, ' ');
    let expires = time(parts.next()?.parse().ok()?);
    let signed = parts.nth(1)? == "1";
    let connection = parts.next().and_then(|bound| bound.strip_prefix('c')).map(str::to_owned);
    Some(HookSummary { id: id.to_owned(), connection, expires, signed })
}

pub(super) fn connections(user: &str) -> String {
    format!("c:{user}")
}

pub(super) fn hooks_of(user: &str) -> String {
    format!("u:{user}")
}

pub(super) fn hex(HookKey(key): &HookKey) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn id(text: &str) -> Result<MessageId, RegistrationStoreError> {
    text.parse().map_err(|_| unexpected_reply())
}

pub(super) fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn time(millis: u64) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_millis(millis)).unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::{HookSummary, read_listed, time};

    #[test]
    fn a_listed_hook_is_parsed_with_any_connection_name() {
        let hook = |connection: Option<&str>, signed| HookSummary {
            id: "i".to_owned(),
            connection: connection.map(str::to_owned),
            expires: time(7),
            signed,
        };
        assert_eq!(read_listed("i", "7 ab 0 "), Some(hook(None, false)));
        assert_eq!(read_listed("i", "7 ab 1 cc 1 x"), Some(hook(Some("c 1 x"), true)));
        assert_eq!(read_listed("i", "x ab 1 "), None);
        assert_eq!(read_listed("i", "7"), None);
    }
}
