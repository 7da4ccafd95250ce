//! Who is looked over, with what, and what only the system around it knows.

use crate::{
    config::{ServiceRoute, SettingRow},
    push::LoginCredentials,
    server::ListenSettings,
    services::nextcloud::{
        accounts::WallClock, http::NextcloudClientSettings, settings::NextcloudServiceSettings,
    },
};
use std::{fs, io, net::IpAddr, os::unix::fs::MetadataExt as _, path::Path, time::Duration};

/// One host, as far as it is told of.
pub struct NextcloudTarget {
    /// Its settings.
    pub instance: NextcloudServiceSettings,
    /// Where the daemon listens.
    pub listen: ListenSettings,
    /// Which of the requests there are for it.
    pub place: ServiceRoute,
    /// The settings as they may be shown, and where they come from.
    pub rows: Vec<SettingRow>,
    /// What was noticed while they were read.
    pub warnings: Vec<String>,
    /// Whom to log in as.
    pub credentials: Option<LoginCredentials>,
    /// How long a silent connection is held.
    pub patience: Duration,
    /// How `occ` is run: [`occ`].
    pub occ: String,
}

impl NextcloudTarget {
    pub(super) fn settings(&self) -> &NextcloudServiceSettings {
        &self.instance
    }

    /// How Nextcloud is reached; none: its URL is not known.
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

/// What the environment lends.
pub struct NextcloudCheckContext {
    /// The time of day.
    pub clock: WallClock,
    /// Chance.
    pub rng: fastrand::Rng,
}

/// How `occ` is run beside this config.php: as the file's owner, with the whole path where that can be
/// told.
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

/// The name with this number: passwd(5).
fn user(table: &str, id: u32) -> Option<&str> {
    table.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, number) = (fields.next()?, fields.next()?, fields.next()?);
        (number.parse() == Ok(id)).then_some(name)
    })
}

/// Whether this name or address of a host is this machine's own, whatever network it is in.
pub(super) fn is_near(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host.parse::<IpAddr>().map_or(host == "localhost", |ip| ip.to_canonical().is_loopback())
}

/// As a shell takes it for one word.
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
    fn owners_have_names() {
        let table = "root:x:0:0::/root:/bin/sh\nwww-data:x:33:33::/var/www:/bin/false\n";
        assert_eq!(user(table, 33), Some("www-data"));
        assert_eq!(user(table, 3), None);
    }

    #[test]
    fn loopback_is_near_however_it_is_written() {
        for near in ["localhost", "127.0.0.9", "::1", "[::1]", "::ffff:127.0.0.1"] {
            assert!(is_near(near), "{near}");
        }
        for far in ["localhost.example", "10.0.0.1", "[2001:db8::1]", ""] {
            assert!(!is_near(far), "{far}");
        }
    }

    #[test]
    fn a_word_stays_one() {
        assert_eq!(quoted("/var/www/occ"), "/var/www/occ");
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(quoted(""), "''");
    }
}
