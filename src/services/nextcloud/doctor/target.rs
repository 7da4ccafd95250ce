//! The Nextcloud that is checked, and how to run its `occ`.

use crate::{
    client::loopback_reachable,
    config::{ServiceRoute, SettingRow, SettingSource},
    push::LoginCredentials,
    server::{BindAddress, ListenSettings},
    services::nextcloud::{
        accounts::WallClock, http::NextcloudClientSettings, settings::NextcloudServiceSettings,
    },
};
use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::unix::fs::MetadataExt as _,
    path::Path,
    time::Duration,
};

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

    /// Where a setting comes from, by its name in the report; None if it has its default.
    pub(super) fn source(&self, name: &str) -> Option<&SettingSource> {
        let row = self.rows.iter().find(|row| row.name == name)?;
        Some(&row.source).filter(|source| **source != SettingSource::Default)
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

/// A command that asks the daemon itself for this path.
pub(super) fn daemon_curl(listen: &ListenSettings, path: &str) -> String {
    let (scheme, insecure) = if listen.tls.is_some() { ("https", "k") } else { ("http", "") };
    match &listen.bind {
        BindAddress::Tcp { address, port } => {
            let here = address.map_or(Ipv4Addr::LOCALHOST.into(), loopback_reachable);
            format!("curl -v{insecure} {scheme}://{}{path}", SocketAddr::new(here, *port))
        }
        BindAddress::Unix { path: socket, .. } => {
            let socket = quoted(&socket.display().to_string());
            format!("curl -v{insecure} --unix-socket {socket} {scheme}://localhost{path}")
        }
    }
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
    use super::{BindAddress, ListenSettings, daemon_curl, is_near, quoted, user};

    #[test]
    fn the_daemon_is_asked_at_its_own_address() {
        let bind = BindAddress::Tcp { address: None, port: 7999 };
        let mut listen = ListenSettings { bind, tls: None, proxy_protocol: false };
        assert_eq!(daemon_curl(&listen, "/x"), "curl -v http://127.0.0.1:7999/x");
        listen.bind = BindAddress::Unix { path: "/run/a b".into(), permissions: 0o660 };
        let expected = "curl -v --unix-socket '/run/a b' http://localhost/x";
        assert_eq!(daemon_curl(&listen, "/x"), expected);
    }

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
