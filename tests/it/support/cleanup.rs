//! What stays behind when nothing else tidies up: one watcher that outlives the test process.
//!
//! A `Drop` does not run when the test process is killed, and statics are never dropped. So one shell
//! reads a pipe that only this process holds: when the process ends, however it ends, the shell reads
//! end-of-file, kills the process groups it was told of and removes the folder everything lives in.

use std::{
    fs::Permissions,
    io::Write,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{ChildStdin, Command, Stdio},
    sync::{Mutex, OnceLock},
};

/// A folder of this test's own, removed when dropped.
pub(crate) type Folder = tempfile::TempDir;

const WATCHER: &str = r#"
trap '' INT TERM HUP
groups=' '
while read -r what group; do
    case $what in
        +) groups="$groups$group " ;;
        -) groups="${groups%% "$group" *} ${groups#* "$group" }" ;;
    esac
done
for group in $groups; do kill -s KILL -- "-$group"; done
rm -rf -- "$1" || { sleep 1; rm -rf -- "$1"; }
"#;

struct CleanupWatcher {
    root: PathBuf,
    watcher: Mutex<ChildStdin>,
}

/// Makes a folder for a server or a test. Others may look into it, because PostgreSQL and Apache give
/// up root; its parent goes when the process goes.
pub(crate) fn folder(name: &str) -> Folder {
    open_folder(&format!("{name}-"), &cleanup().root)
}

/// Puts a process group on the list of what to kill at the end.
pub(super) fn watch(group: u32) {
    tell(&format!("+ {group}\n"));
}

/// Takes it off again: its number may be given to another process.
pub(super) fn forget(group: u32) {
    tell(&format!("- {group}\n"));
}

fn tell(line: &str) {
    let mut watcher =
        cleanup().watcher.lock().expect("nothing panics while the watcher is notified");
    watcher.write_all(line.as_bytes()).expect("the watcher lives as long as this process");
}

#[expect(clippy::zombie_processes, reason = "it outlives this process")]
fn cleanup() -> &'static CleanupWatcher {
    static CLEANUP: OnceLock<CleanupWatcher> = OnceLock::new();
    CLEANUP.get_or_init(|| {
        let root = open_folder("notify_push-it-", &std::env::temp_dir()).keep();
        let mut watcher = Command::new("/bin/sh")
            .args(["-c", WATCHER, "watcher"])
            .arg(&root)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        let pipe = watcher.stdin.take().expect("a pipe was asked for");
        CleanupWatcher { root, watcher: Mutex::new(pipe) }
    })
}

fn open_folder(prefix: &str, parent: &Path) -> Folder {
    tempfile::Builder::new()
        .prefix(prefix)
        .permissions(Permissions::from_mode(0o755))
        .tempdir_in(parent)
        .expect("a temporary folder")
}
