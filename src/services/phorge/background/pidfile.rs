//! The pidfile, and whether the process with that id still is the server.

use super::{KEEP, LaunchError, make_folder};
use rustix::process::Pid;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The length at which `/proc` cuts program names (proc_pid_comm(5)).
const COMM: usize = 15;

/// The first argument of this program.
const KIND: &str = "phorge";

/// The path of a pidfile.
pub(super) struct PidFile(PathBuf);

/// Which program has a process id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProcessIdentity {
    /// This program's supervisor.
    Ours,
    /// The original: its launcher in PHP, or Node.
    Original,
    /// No process, or another program that got the id later.
    Nothing,
}

impl PidFile {
    pub(super) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// The process id in the file, if any.
    pub(super) fn read(&self) -> Option<Pid> {
        let text = fs::read_to_string(&self.0).ok()?;
        Pid::from_raw(text.trim().parse().ok().filter(|pid| *pid > 0)?)
    }

    /// Replaces the file atomically, so that no reader gets half an id.
    pub(super) fn write(&self, pid: u32) -> Result<(), LaunchError> {
        let aside = self.0.with_extension("new");
        make_folder(&self.0)
            .and_then(|()| fs::write(&aside, format!("{pid}\n")))
            .and_then(|()| fs::rename(&aside, &self.0))
            .map_err(|source| self.failed("write", source))
    }

    pub(super) fn remove(&self) -> Result<(), LaunchError> {
        match fs::remove_file(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(self.failed("remove", error))
            }
            _ => Ok(()),
        }
    }

    fn failed(&self, what: &'static str, source: io::Error) -> LaunchError {
        LaunchError::File { what, path: self.0.display().to_string(), source }
    }
}

/// Identifies the process with this id.
pub(super) fn look(pid: Pid, program: &Path) -> ProcessIdentity {
    let about = |what| fs::read_to_string(format!("/proc/{}/{what}", pid.as_raw_nonzero()));
    match (about("status"), about("cmdline")) {
        (Ok(status), Ok(arguments)) => judge(&status, &arguments, program),
        _ => ProcessIdentity::Nothing,
    }
}

/// Identifies a process by name and arguments: other notify_push processes and PHP programs may run here.
fn judge(status: &str, arguments: &str, program: &Path) -> ProcessIdentity {
    let has = |word| arguments.split('\0').any(|argument| argument == word);
    let line = |name| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let own = program.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    // The process has ended and its parent has not read its status yet.
    if line("State:").is_some_and(|state| state.starts_with(['Z', 'X'])) {
        return ProcessIdentity::Nothing;
    }
    match line("Name:") {
        Some(name) if name == &own[..own.floor_char_boundary(COMM)] => {
            if has(KIND) && has(KEEP) {
                ProcessIdentity::Ours
            } else {
                ProcessIdentity::Nothing
            }
        }
        Some(name) if name.starts_with("php") || name.starts_with("node") => {
            if arguments.contains("aphlict") {
                ProcessIdentity::Original
            } else {
                ProcessIdentity::Nothing
            }
        }
        _ => ProcessIdentity::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::{PidFile, ProcessIdentity, judge};
    use std::path::Path;

    #[test]
    fn a_reused_process_id_is_not_the_server() {
        let program = Path::new("/usr/bin/notify_push");
        let judged = |name: &str, state: &str, arguments: &str| {
            let status = format!("Name:\t{name}\nUmask:\t0022\nState:\t{state}\n");
            judge(&status, &arguments.replace(' ', "\0"), program)
        };
        let (asleep, ours) = ("S (sleeping)", "/usr/bin/notify_push phorge keep --config f");
        assert_eq!(judged("notify_push", asleep, ours), ProcessIdentity::Ours);
        assert_eq!(judged("notify_push", "Z (zombie)", ours), ProcessIdentity::Nothing);
        assert_eq!(
            judged("notify_push", asleep, "notify_push /c/config.php"),
            ProcessIdentity::Nothing
        );
        assert_eq!(
            judged("notify_push", asleep, "notify_push phorge debug"),
            ProcessIdentity::Nothing
        );
        assert_eq!(judged("bash", asleep, ours), ProcessIdentity::Nothing);
        assert_eq!(judged("php8.2", asleep, "php /p/bin/aphlict start"), ProcessIdentity::Original);
        assert_eq!(judged("node", asleep, "node /p/aphlict_server.js"), ProcessIdentity::Original);
        assert_eq!(judged("php-fpm8.2", asleep, "php-fpm: pool www"), ProcessIdentity::Nothing);
        let long = Path::new("/opt/a_very_long_program_name");
        let arguments = "a_very_long_program_name\0phorge\0keep\0";
        assert_eq!(judge("Name:\ta_very_long_pro\n", arguments, long), ProcessIdentity::Ours);
    }

    #[test]
    fn a_file_without_an_id_names_no_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pid/aphlict.pid");
        let file = PidFile::new(&path);
        assert_eq!(file.read(), None);
        assert!(file.remove().is_ok());
        file.write(4711).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "4711\n");
        assert_eq!(file.read().unwrap().as_raw_nonzero().get(), 4711);
        for text in ["", "x", "-5", "0", "99999999999"] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(file.read(), None, "{text}");
        }
        file.remove().unwrap();
        assert!(!path.exists());
    }
}
