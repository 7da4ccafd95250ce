//! The Nextcloud that is checked, and how to run its `occ`.

use crate::{
    config::{ServiceRoute, SettingRow},
    push::LoginCredentials,
    server::ListenSettings,
    services::nextcloud::{
        accounts::WallClock, http::NextcloudClientSettings, settings::NextcloudServiceSettings,
    },
};
use std::{fs, io, net::IpAddr, os::unix::fs::MetadataExt as _, path::Path, time::Duration};

/// The settings and context of the checked Nextcloud.
pub struct NextcloudTarget {
    /// The service's settings.
    pub instance: NextcloudServiceSettings,
    /// The daemon's listener.
    pub listen: ListenSettings,
    /// Which requests to that listener belong to the service.
    pub place: ServiceRoute,
    /// The settings without secrets, each with its source.
    pub rows: Vec<SettingRow>,
    /// Warnings from reading the settings.
    pub warnings: Vec<String>,
    /// The account to log in with, if one was named.
    pub credentials: Option<LoginCredentials>,
    /// How long the idle check holds a silent connection.
    pub idle_time: Duration,
    /// The command that runs `occ`, from [`occ`].
    pub occ: String,
}

impl NextcloudTarget {
    pub(super) fn settings(&self) -> &NextcloudServiceSettings {
        &self.instance
    }

    /// How Nextcloud is reached; None if its URL is unknown.
    pub(super) fn remote(&self) -> Option<NextcloudClientSettings> {
        let nextcloud = &self.settings().nextcloud;
        Some(NextcloudClientSettings {
            user_agent: nextcloud.user_agent.clone(),
            allow_self_signed: nextcloud.allow_self_signed,
            ca: nextcloud.ca.clone(),
            ..NextcloudClientSettings::new(nextcloud.url.clone()?)
        })
    }
}

/// The clock and random numbers for the checks.
pub struct NextcloudCheckContext {
    /// Reads the time of day.
    pub clock: WallClock,
    /// The source of random numbers.
    pub rng: fastrand::Rng,
}

/// The command that runs `occ` beside this config.php: as the file's owner and with the full path where
/// they are known.
pub fn occ(config: Option<&Path>) -> String {
    config.and_then(|config| command(config).ok().flatten()).unwrap_or_else(|| "occ".to_owned())
}

fn command(config: &Path) -> io::Result<Option<String>> {
    let config = fs::canonicalize(config)?;
    let Some(root) = config.parent().and_then(Path::parent) else { return Ok(None) };
    let occ = root.join("occ");
    if !occ.exists() {
        return Ok(None);
    }
    let id = fs::metadata(&config)?.uid();
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let owner = user(&users, id).map_or_else(|| format!("'#{id}'"), str::to_owned);
    Ok(Some(format!("sudo -u {owner} php {}", quoted(&occ.display().to_string()))))
}

/// The user name with this id: passwd(5).
fn user(table: &str, id: u32) -> Option<&str> {
    table.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, number) = (fields.next()?, fields.next()?, fields.next()?);
        (number.parse() == Ok(id)).then_some(name)
    })
}

/// Whether a host name or address is this machine's loopback.
pub(super) fn is_near(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host.parse::<IpAddr>().map_or(host == "localhost", |ip| ip.to_canonical().is_loopback())
}

/// Quotes a word for a shell where necessary.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::{is_near, quoted, user};

    #[test]
    fn owners_are_looked_up() {
        let table = "root:x:0:0::/root:/bin/sh\nwww-data:x:33:33::/var/www:/bin/false\n";
        assert_eq!(user(table, 33), Some("www-data"));
        assert_eq!(user(table, 3), None);
    }

    #[test]
    fn loopback_has_several_forms() {
        for near in ["localhost", "127.0.0.9", "::1", "[::1]", "::ffff:127.0.0.1"] {
            assert!(is_near(near), "{near}");
        }
        for far in ["localhost.example", "10.0.0.1", "[2001:db8::1]", ""] {
            assert!(!is_near(far), "{far}");
        }
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("/var/www/occ"), "/var/www/occ");
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(quoted(""), "''");
    }
}
