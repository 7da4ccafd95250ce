//! Who is looked over, with what, and what only the system around it knows.

use crate::{
    auth::Credentials,
    config::{InstanceSettings, Place, Row},
    front::{Bind, ListenSettings},
    hosts::nextcloud::{accounts::Clock, remote::RemoteSettings},
};
use rustix::process::{Resource, getrlimit};
use std::{
    fs, io,
    net::IpAddr,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

/// One host, as far as it is told of.
pub struct Patient {
    /// Its settings.
    pub instance: InstanceSettings,
    /// Where the daemon listens.
    pub listen: ListenSettings,
    /// Which of the requests there are for it.
    pub place: Place,
    /// The settings as they may be shown, and where they come from.
    pub rows: Vec<Row>,
    /// What was noticed while they were read.
    pub warnings: Vec<String>,
    /// Whom to log in as.
    pub credentials: Option<Credentials>,
    /// How long a silent connection is held.
    pub patience: Duration,
    /// How `occ` is run: [`occ`].
    pub occ: String,
    /// How many files may be open.
    pub descriptors: Descriptors,
}

impl Patient {
    pub(super) fn settings(&self) -> &InstanceSettings {
        &self.instance
    }

    /// How Nextcloud is reached; none: its URL is not known.
    pub(super) fn remote(&self) -> Option<RemoteSettings> {
        let nextcloud = &self.settings().nextcloud;
        Some(RemoteSettings {
            user_agent: nextcloud.user_agent.clone(),
            allow_self_signed: nextcloud.allow_self_signed,
            ca: nextcloud.ca.clone(),
            ..RemoteSettings::new(nextcloud.url.clone()?)
        })
    }
}

/// What the rim lends.
pub struct Tools {
    /// The time of day.
    pub clock: Clock,
    /// Chance.
    pub rng: fastrand::Rng,
}

/// How many files and connections may be open at once; `u64::MAX` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptors {
    /// In this process.
    pub own: u64,
    /// In the running daemon, with its process id, where that can be seen.
    pub daemon: Option<(u32, u64)>,
}

/// Reads the limits of this process and of whoever listens at `bind`.
pub fn descriptors(bind: &Bind) -> Descriptors {
    let own = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let daemon = listener(bind).and_then(|id| Some((id, limit(id)?)));
    Descriptors { own, daemon }
}

/// The process that holds the listening socket; none without the right to look.
fn listener(bind: &Bind) -> Option<u32> {
    let inode = inode(bind)?;
    let link = PathBuf::from(format!("socket:[{inode}]"));
    let mut processes = fs::read_dir("/proc").ok()?.flatten();
    processes.find_map(|process| {
        let id = process.file_name().to_str()?.parse().ok()?;
        // With socket activation the service manager holds the socket, too.
        if fs::read_to_string(process.path().join("comm")).is_ok_and(|name| name == "systemd\n") {
            return None;
        }
        let mut files = fs::read_dir(process.path().join("fd")).ok()?.flatten();
        files.any(|file| fs::read_link(file.path()).is_ok_and(|to| to == link)).then_some(id)
    })
}

/// The number of the listening socket: proc_net(5).
fn inode(bind: &Bind) -> Option<u64> {
    let table = |name: &str| fs::read_to_string(Path::new("/proc/net").join(name));
    match bind {
        Bind::Tcp { port, .. } => {
            let tables = [table("tcp"), table("tcp6")];
            tables.iter().flatten().find_map(|table| tcp_inode(table, *port))
        }
        Bind::Unix { path, .. } => unix_inode(&table("unix").ok()?, &path.display().to_string()),
    }
}

fn tcp_inode(table: &str, port: u16) -> Option<u64> {
    const LISTENING: &str = "0A";
    let local = format!(":{port:04X}");
    table.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let ours = fields.get(1)?.ends_with(&local) && *fields.get(3)? == LISTENING;
        if ours { fields.get(9)?.parse().ok() } else { None }
    })
}

fn unix_inode(table: &str, path: &str) -> Option<u64> {
    let line = table.lines().find(|line| line.ends_with(&format!(" {path}")))?;
    line.split_whitespace().nth(6)?.parse().ok()
}

/// The soft limit, which is the one that counts: proc_pid_limits(5).
fn limit(id: u32) -> Option<u64> {
    let table = fs::read_to_string(format!("/proc/{id}/limits")).ok()?;
    let line = table.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
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
    use super::{is_near, quoted, tcp_inode, unix_inode, user};

    #[test]
    fn the_listening_socket_is_found() {
        let tcp = "  sl  local_address rem_address   st tx_queue\n\
            0: 00000000:1EBB 0200007F:A0B2 01 00000000:00000000 00:00000000 00000000 33 0 11 1\n\
            1: 00000000:1EBB 00000000:0000 0A 00000000:00000000 00:00000000 00000000 33 0 4711 1\n";
        assert_eq!(tcp_inode(tcp, 7867), Some(4711));
        assert_eq!(tcp_inode(tcp, 7868), None);
        let unix = "Num RefCount Protocol Flags Type St Inode Path\n\
            0000000000000000: 00000002 00000000 00010000 0001 01 815 /run/push.sock\n";
        assert_eq!(unix_inode(unix, "/run/push.sock"), Some(815));
        assert_eq!(unix_inode(unix, "push.sock"), None);
    }

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
