//! `start`, `stop`, `restart` and `status`, as `bin/aphlict` has them, for a server in the background whose
//! process id is in a pidfile.

mod pidfile;
mod supervisor;

use super::config::PhorgeSettings;
use crate::{
    config::ServiceAction,
    services::{ProgramInvocation, ServiceCommandError},
};
use pidfile::{PidFile, ProcessIdentity};
use rustix::process::{Pid, Signal, geteuid, kill_process, kill_process_group};
use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File},
    io,
    os::unix::{fs::DirBuilderExt as _, process::CommandExt as _},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// The action that serves in the foreground.
const SERVE: &str = "debug";
/// The hidden action that `start` runs in the background: see [`supervisor`].
const KEEP: &str = "keep";

/// The actions of this kind of service.
pub const ACTIONS: &[ServiceAction] = &[
    ServiceAction { name: "start", serves: false },
    ServiceAction { name: "stop", serves: false },
    ServiceAction { name: "restart", serves: false },
    ServiceAction { name: "status", serves: false },
    ServiceAction { name: SERVE, serves: true },
    ServiceAction { name: KEEP, serves: false },
];

/// How long a server may take to start.
const START: Duration = Duration::from_secs(30);
/// How long a server may take to stop, in addition to its drain time, before it is killed.
const STOP: Duration = Duration::from_secs(10);
/// The interval between two looks at the pidfile.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// The most bytes of the log that are shown when a server doesn't start.
const MAX_SHOWN: u64 = 4096;

/// Why an action failed.
#[derive(Debug, thiserror::Error)]
enum LaunchError {
    #[error(
        "refusing to run in the background as root: run it as the user that the web server's daemons \
         run as (sudo -u daemon-user …), in the foreground, or with --allow-root"
    )]
    Root,
    #[error("Aphlict is already running (pid {0}): use restart to restart it")]
    Running(Pid),
    #[error("Aphlict is not running")]
    NotRunning,
    #[error("the original Aphlict runs (pid {0}): stop it first, with bin/aphlict stop")]
    Original(Pid),
    #[error(
        "cannot {what} {path}: check logs and pidfile in the configuration, and who may write there"
    )]
    File { what: &'static str, path: String, source: io::Error },
    #[error("cannot run {path}")]
    Program { path: String, source: io::Error },
    #[error("Aphlict did not start:\n{0}")]
    DidNotStart(String),
    #[error("cannot send a signal to process {0}")]
    Signal(Pid, #[source] io::Error),
    #[error("the system refuses what is needed to supervise a server")]
    System(#[from] io::Error),
}

/// Runs an action; returns the text for the operator.
///
/// # Errors
/// The reason why the action failed.
pub fn act(
    settings: &PhorgeSettings,
    action: &str,
    invocation: &ProgramInvocation,
) -> Result<String, ServiceCommandError> {
    let pidfile = PidFile::new(&settings.pidfile);
    let launch = BackgroundServer { settings, action, invocation, pidfile };
    let done = match action {
        "start" => launch.start(),
        "stop" => launch.stop(),
        "restart" => launch.restart(),
        KEEP => supervisor::supervise(&launch),
        _ => launch.status(),
    };
    Ok(done?)
}

/// A server in the background, running or not.
struct BackgroundServer<'a> {
    settings: &'a PhorgeSettings,
    /// The requested action, one of the invocation's arguments.
    action: &'a str,
    invocation: &'a ProgramInvocation,
    pidfile: PidFile,
}

impl BackgroundServer<'_> {
    fn status(&self) -> Result<String, LaunchError> {
        let pid = self.running()?.ok_or(LaunchError::NotRunning)?;
        Ok(format!("Aphlict ({pid}) is running.\n"))
    }

    fn restart(&self) -> Result<String, LaunchError> {
        self.check_privileges()?;
        Ok(self.stop()? + &self.start()?)
    }

    fn start(&self) -> Result<String, LaunchError> {
        self.check_privileges()?;
        if let Some(pid) = self.running()? {
            return Err(LaunchError::Running(pid));
        }
        self.pidfile.remove()?;
        let log = &self.settings.log;
        let before = fs::metadata(log).map_or(0, |log| log.len());
        let mut child = self.launch(log)?;
        let until = Instant::now() + START;
        while self.pidfile.read() != Pid::from_child(&child).into() {
            let ended = child.try_wait()?.is_some();
            if ended || Instant::now() > until {
                let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
                return Err(LaunchError::DidNotStart(log_tail(log, before)));
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        Ok(format!("Aphlict started (pid {}), its log is {}.\n", child.id(), log.display()))
    }

    fn launch(&self, log: &Path) -> Result<Child, LaunchError> {
        let failed = |what| {
            let path = log.display().to_string();
            move |source| LaunchError::File { what, path, source }
        };
        make_folder(log).map_err(failed("make the folder of"))?;
        let out = File::options().create(true).append(true).open(log).map_err(failed("write"))?;
        let err = out.try_clone().map_err(failed("write"))?;
        let mut command = self.command(KEEP);
        command.stdin(Stdio::null()).stdout(out).stderr(err).process_group(0);
        command.spawn().map_err(|source| self.program(source))
    }

    /// This program's command line with another action.
    fn command(&self, action: &str) -> Command {
        let mut command = Command::new(&self.invocation.program);
        command.args(replace_action(&self.invocation.arguments, self.action, action));
        command
    }

    fn program(&self, source: io::Error) -> LaunchError {
        LaunchError::Program { path: self.invocation.program.display().to_string(), source }
    }

    fn stop(&self) -> Result<String, LaunchError> {
        let Some(pid) = self.running()? else {
            self.pidfile.remove()?;
            return Ok("Aphlict is not running.\n".to_owned());
        };
        kill_process(pid, Signal::TERM).map_err(|error| LaunchError::Signal(pid, error.into()))?;
        let until = Instant::now() + self.settings.drain_time + STOP;
        let mut killed = "";
        while self.running()? == Some(pid) {
            if Instant::now() > until && killed.is_empty() {
                killed = " It did not end in time and was killed.";
                // The whole group: the supervisor and its server.
                let _ = kill_process_group(pid, Signal::KILL);
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        self.pidfile.remove()?;
        Ok(format!("Aphlict ({pid}) stopped.{killed}\n"))
    }

    fn running(&self) -> Result<Option<Pid>, LaunchError> {
        let Some(pid) = self.pidfile.read() else { return Ok(None) };
        match pidfile::look(pid, &self.invocation.program) {
            ProcessIdentity::Ours => Ok(Some(pid)),
            ProcessIdentity::Original => Err(LaunchError::Original(pid)),
            ProcessIdentity::Nothing => Ok(None),
        }
    }

    fn check_privileges(&self) -> Result<(), LaunchError> {
        let refused = geteuid().is_root() && !self.settings.allow_root;
        if refused { Err(LaunchError::Root) } else { Ok(()) }
    }
}

/// The arguments with another action. The last match counts: an earlier one may be a value, as in
/// `--log-level debug debug`.
fn replace_action(arguments: &[OsString], action: &str, other: &str) -> Vec<OsString> {
    let mut arguments = arguments.to_vec();
    match arguments.iter_mut().rfind(|argument| **argument == action) {
        Some(argument) => *argument = other.into(),
        None => arguments.push(other.into()),
    }
    arguments
}

/// Creates the folder of a file, with the original's permissions.
fn make_folder(file: &Path) -> io::Result<()> {
    match file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => DirBuilder::new().recursive(true).mode(0o755).create(folder),
        None => Ok(()),
    }
}

/// What was appended to a log since it had this length.
fn log_tail(log: &Path, before: u64) -> String {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let read = || -> io::Result<String> {
        let mut file = File::open(log)?;
        file.seek(SeekFrom::Start(before))?;
        let mut text = Vec::new();
        file.take(MAX_SHOWN).read_to_end(&mut text)?;
        Ok(String::from_utf8_lossy(&text).trim_end().to_owned())
    };
    read().unwrap_or_else(|_| format!("see {}", log.display()))
}

#[cfg(test)]
mod tests {
    use super::{KEEP, SERVE, replace_action};
    use std::ffi::OsString;

    #[test]
    fn only_the_action_is_replaced() {
        for (arguments, action, other, expected) in [
            ("phorge start --config f", "start", KEEP, "phorge keep --config f"),
            ("phorge --log-level debug start", "start", KEEP, "phorge --log-level debug keep"),
            ("phorge --log-level debug keep", KEEP, SERVE, "phorge --log-level debug debug"),
            ("phorge --pidfile restart restart", "restart", KEEP, "phorge --pidfile restart keep"),
            ("phorge", "start", KEEP, "phorge keep"),
        ] {
            let arguments: Vec<_> = arguments.split(' ').map(OsString::from).collect();
            let expected: Vec<_> = expected.split(' ').map(OsString::from).collect();
            assert_eq!(replace_action(&arguments, action, other), expected);
        }
    }
}
