//! Runs the probe as a process of its own.

use super::within;
use std::process::Stdio;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

/// A password that must be seen nowhere but where it belongs.
pub(crate) const PASSWORD: &str = "hunter2-hunter2";

/// How it ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A probe that runs.
pub(crate) struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

/// With the password in the environment.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_test_client"));
    command.args(arguments).env_clear().env("NEXTCLOUD_PASSWORD", PASSWORD);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Runs it to its end.
pub(crate) async fn run(arguments: &[&str]) -> Outcome {
    finish(command(arguments)).await
}

/// The same with something on standard input.
pub(crate) async fn run_with_input(mut command: Command, input: &str) -> Outcome {
    let mut child = command.stdin(Stdio::piped()).spawn().expect("the probe");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input.as_bytes()).await.expect("the probe reads");
    drop(stdin);
    outcome(child).await
}

/// Runs a command to its end.
pub(crate) async fn finish(mut command: Command) -> Outcome {
    outcome(command.spawn().expect("the probe")).await
}

async fn outcome(child: Child) -> Outcome {
    let output = within("the probe ends", child.wait_with_output()).await.expect("its output");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(!stdout.contains(PASSWORD) && !stderr.contains(PASSWORD), "{stdout}{stderr}");
    Outcome { code: output.status.code(), stdout, stderr }
}

impl Running {
    /// Starts it and goes on.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = command(arguments).spawn().expect("the probe");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Self { child, lines }
    }

    /// The next line that it prints.
    pub(crate) async fn line(&mut self) -> String {
        let line = within("a line of the probe's", self.lines.next_line()).await;
        line.expect("its output").expect("it goes on")
    }

    /// Lines up to one that holds this.
    pub(crate) async fn until(&mut self, part: &str) -> String {
        loop {
            let line = self.line().await;
            if line.contains(part) {
                return line;
            }
        }
    }

    /// Ctrl-C; the exit code.
    pub(crate) async fn interrupt(mut self) -> Option<i32> {
        let id = i32::try_from(self.child.id().expect("it runs")).expect("a process id");
        let pid = rustix::process::Pid::from_raw(id).expect("a process id");
        rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("our own child");
        within("the probe ends", self.child.wait()).await.expect("our own child").code()
    }
}
