//! The users of `docs/redis-acl.md`, so that the page can't promise what doesn't work.

use notify_push::client::redis::RedisSettings;

use super::subscriber::logged_in;

const PAGE: &str =
    concat!(include_str!("../../../docs/redis-acl.md"), include_str!("../../../docs/webhook.md"));

/// The words of a user's line, as redis-server takes them on its command line.
pub(crate) fn user(name: &str) -> Vec<&'static str> {
    let start = format!("user {name} on ");
    let line = PAGE.lines().find(|line| line.starts_with(&start));
    let words = line.unwrap_or_else(|| panic!("no {name} in docs/"));
    ["--user"].into_iter().chain(words.split(' ').skip(1)).collect()
}

/// The same settings, logged in as a user of the page.
pub(crate) fn as_user(name: &str, settings: RedisSettings) -> RedisSettings {
    logged_in(Some(name), "CHANGE-ME", settings)
}
