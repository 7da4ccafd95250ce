//! The check of the limit of open files and connections.

use crate::{
    doctor::finding::{CheckFinding, CheckId},
    server::BindAddress,
};
use rustix::process::{Resource, getrlimit};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A lower limit is a hint. Each client takes one descriptor; this is enough for large installations.
const ENOUGH: u64 = 65_536;

/// Makes a finding from the limits.
pub(super) fn judge(limits: DescriptorLimits) -> CheckFinding {
    let (limit, whose) = match limits.daemon {
        Some((id, limit)) => (limit, format!("the running daemon (process {id})")),
        None => (limits.own, "a process started from here".to_owned()),
    };
    if limit >= ENOUGH {
        let number = if limit == u64::MAX { "any number of".to_owned() } else { limit.to_string() };
        return CheckFinding::fine(
            CheckId::Descriptors,
            format!("{whose} may open {number} files"),
        );
    }
    CheckFinding::hint(CheckId::Descriptors, format!("{whose} may open {limit} files"))
        .why(
            "each client takes one; beyond the limit the daemon accepts no new clients. The unit in \
             systemd/ sets 1048576",
        )
        .advise("With systemd (systemctl edit notify_push):")
        .paste("[Service]\nLimitNOFILE=1048576")
        .advise("In a container:")
        .run("docker run --ulimit nofile=1048576 …")
}

/// The limits of open files and connections; `u64::MAX` means none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DescriptorLimits {
    /// The limit of this process.
    pub own: u64,
    /// Process id and limit of the running daemon, where they are visible.
    pub daemon: Option<(u32, u64)>,
}

/// Reads the limits of this process and of the process that listens at `bind`.
pub fn descriptors(bind: &BindAddress) -> DescriptorLimits {
    let own = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let daemon = listener(bind).and_then(|id| Some((id, limit(id)?)));
    DescriptorLimits { own, daemon }
}

/// The process with the listening socket; None without the permission to look.
fn listener(bind: &BindAddress) -> Option<u32> {
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

/// The inode of the listening socket: proc_net(5).
fn inode(bind: &BindAddress) -> Option<u64> {
    let table = |name: &str| fs::read_to_string(Path::new("/proc/net").join(name));
    match bind {
        BindAddress::Tcp { port, .. } => {
            let tables = [table("tcp"), table("tcp6")];
            tables.iter().flatten().find_map(|table| tcp_inode(table, *port))
        }
        BindAddress::Unix { path, .. } => {
            unix_inode(&table("unix").ok()?, &path.display().to_string())
        }
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

/// The soft limit, which is in force: proc_pid_limits(5).
fn limit(id: u32) -> Option<u64> {
    let table = fs::read_to_string(format!("/proc/{id}/limits")).ok()?;
    let line = table.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::{DescriptorLimits, ENOUGH, judge, tcp_inode, unix_inode};
    use crate::doctor::finding::FindingState;

    #[test]
    fn the_running_daemons_limit_counts() {
        let of = |own, daemon| judge(DescriptorLimits { own, daemon });
        assert_eq!(of(1024, Some((7, ENOUGH))).state, FindingState::Fine);
        assert_eq!(of(ENOUGH, Some((7, 1024))).state, FindingState::Hint);
        assert_eq!(of(1024, None).state, FindingState::Hint);
        assert!(of(0, Some((7, u64::MAX))).observed.contains("(process 7) may open any number"));
    }

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
}
