//! PHP as a process: bounded in time and output, with nothing but the environment it is given.

use super::{InterpreterError, InterpreterRequest, PhpInterpreter, answer};
use crate::services::nextcloud::config::php::Array;
use rustix::process::{Pid, Signal, kill_process_group};
use std::{
    io::Read,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

/// What PHP runs; see the file.
const PROGRAM: &str = include_str!("read_config.php");
/// What stands before the answer in PHP's output.
const MARK: &str = "notify_push:answer:";
/// How long PHP may take.
const TIME: Duration = Duration::from_secs(10);
/// How much PHP may print.
const OUTPUT: usize = 4 << 20;
/// Settings of PHP that would add to its output, or change it.
const OPTIONS: &[&str] = &[
    "auto_prepend_file=",
    "auto_append_file=",
    "display_errors=0",
    "error_log=",
    "log_errors=0",
    "memory_limit=128M",
    // Neither works where a service may not make memory executable.
    "opcache.jit=0",
    "pcre.jit=0",
    "register_argc_argv=1",
    "serialize_precision=-1",
];

/// A PHP command-line interpreter.
pub struct PhpProcess {
    binary: PathBuf,
    time: Duration,
    output: usize,
}

impl PhpProcess {
    /// The interpreter at this path.
    pub fn new(binary: PathBuf) -> Self {
        Self { binary, time: TIME, output: OUTPUT }
    }

    fn command(&self, request: &InterpreterRequest<'_>) -> Command {
        let folder = request.files.first().and_then(|file| file.parent());
        let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let root = folder.parent().filter(|root| root.join("lib/base.php").is_file());
        let mut command = Command::new(&self.binary);
        for option in OPTIONS {
            command.args(["-d", option]);
        }
        command.args(["-r", PROGRAM, "--", MARK, &request.withheld.join(",")]);
        command.arg(root.unwrap_or(Path::new("")));
        // Relative paths are relative to here, not to where PHP runs.
        command
            .args(request.files.iter().map(|file| std::path::absolute(file).unwrap_or_default()));
        command.env_clear().envs(request.environment);
        command.current_dir(root.unwrap_or(&folder));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        command.process_group(0);
        command
    }

    /// All that it prints, in time.
    fn output(&self, child: &mut Child) -> Result<Vec<u8>, InterpreterError> {
        let (sender, receiver) = mpsc::channel();
        let most = u64::try_from(self.output).unwrap_or(u64::MAX).saturating_add(1);
        if let Some(stdout) = child.stdout.take() {
            // Ends with PHP and all that it started: the group is killed.
            std::thread::spawn(move || {
                let mut bytes = Vec::new();
                let read = stdout.take(most).read_to_end(&mut bytes);
                // The receiver is gone where time ran out.
                let _ = sender.send(read.map(|_| bytes));
            });
        }
        let read = receiver.recv_timeout(self.time);
        let bytes = read.map_err(|_| InterpreterError::TimedOut(self.time.as_secs()))?;
        let bytes = bytes.map_err(|_| InterpreterError::Ended)?;
        if bytes.len() > self.output {
            return Err(InterpreterError::TooLarge(self.output));
        }
        Ok(bytes)
    }
}

impl PhpInterpreter for PhpProcess {
    fn evaluate(&self, request: &InterpreterRequest<'_>) -> Result<Array, InterpreterError> {
        let spawned = self.command(request).spawn();
        let mut child = spawned
            .map_err(|source| InterpreterError::Start { binary: self.binary.clone(), source })?;
        let output = self.output(&mut child);
        // Its answer is complete, or too late: nothing of it may go on.
        if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = child.wait();
        answer::parse(&output?, MARK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeMap, os::unix::fs::PermissionsExt, time::Instant};

    /// A shell script in place of PHP.
    fn asked(script: &str, time: Duration, output: usize) -> Result<Array, InterpreterError> {
        let folder = tempfile::tempdir().unwrap();
        let binary = folder.path().join("php");
        std::fs::write(&binary, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&binary, PermissionsExt::from_mode(0o755)).unwrap();
        let environment = BTreeMap::from([("GIVEN".to_owned(), "yes".to_owned())]);
        let files = [folder.path().join("config.php")];
        let request =
            InterpreterRequest { files: &files, environment: &environment, withheld: &[] };
        PhpProcess { binary, time, output }.evaluate(&request)
    }

    #[test]
    fn it_is_bounded_in_time_and_output_and_gets_no_other_environment() {
        let long = Duration::from_secs(20);
        let start = Instant::now();
        let error =
            asked("/bin/sleep 60 & /bin/sleep 60", Duration::from_millis(200), 99).unwrap_err();
        assert!(matches!(error, InterpreterError::TimedOut(0)), "{error}");
        assert!(start.elapsed() < Duration::from_secs(10));
        let error = asked("while :; do echo xxxxxxxx; done", long, 99).unwrap_err();
        assert!(matches!(error, InterpreterError::TooLarge(99)), "{error}");
        let answer = "echo \"notify_push:answer:{\\\"values\\\":[[\\\"a\\\",\\\"/f\\\",\\\"$GIVEN $CARGO_MANIFEST_DIR\\\"]]}\"";
        let config = asked(answer, long, 999).unwrap();
        assert_eq!(config.get("a").unwrap().as_str().as_deref(), Some("yes "));
        let error = asked("exit 3", long, 99).unwrap_err();
        assert!(matches!(error, InterpreterError::Ended), "{error}");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let files = [];
        let request =
            InterpreterRequest { files: &files, environment: &BTreeMap::new(), withheld: &[] };
        let error = PhpProcess::new("/nonexistent/php".into()).evaluate(&request).unwrap_err();
        assert!(error.to_string().contains("cannot run /nonexistent/php"), "{error}");
    }
}
