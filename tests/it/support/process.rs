//! One child process as a guard: its whole family is stopped, paused or killed together.

use super::{
    cleanup,
    wait::{LOOK, PATIENCE},
};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs::File,
    io::Write as _,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Instant,
};

/// What a program finds in its environment unless a test gives it more.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A program that runs, and how to start it again; killed with all its descendants when dropped.
pub(crate) struct Server {
    program: PathBuf,
    log: PathBuf,
    set_up: Box<dyn Fn(&mut Command) + Send + Sync>,
    child: Option<Child>,
}

impl Server {
    /// Starts a program with an empty environment; `set_up` adds its arguments; what it prints goes to
    /// `log`.
    pub(crate) fn start(
        program: &str,
        log: &Path,
        set_up: impl Fn(&mut Command) + Send + Sync + 'static,
    ) -> Self {
        let set_up = Box::new(set_up);
        let mut server = Self { program: find(program), log: log.to_owned(), set_up, child: None };
        server.start_again();
        server
    }

    /// Starts it as the first time; kills it before if it still runs.
    pub(crate) fn start_again(&mut self) {
        self.kill();
        let log = File::options().create(true).append(true).open(&self.log).expect("a log file");
        let mut command = Command::new(&self.program);
        command
            .env_clear()
            .env("PATH", PATH)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log);
        (self.set_up)(&mut command);
        let child = command.spawn().unwrap_or_else(|error| panic!("{:?}: {error}", self.program));
        cleanup::watch(child.id());
        self.child = Some(child);
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.as_ref().expect("it was not killed").id()
    }

    /// What it printed so far, over all its starts.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// How it ended by itself, if it did.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.as_mut()?.try_wait().expect("our own child")
    }

    /// Sends a signal to the process alone.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(pid(self.id()), signal).expect("our own child");
    }

    /// Freezes it and its descendants: connections stay open, nothing is answered. Each of their
    /// threads stands still when it returns: on a busy machine a signal takes its time.
    pub(crate) fn pause(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // Again: a process that was still running may have started another.
            self.signal_family(Signal::STOP);
            if family(self.id()).into_iter().all(stands_still) {
                return;
            }
            assert!(Instant::now() < deadline, "{:?} does not stop", self.program);
            std::thread::sleep(LOOK);
        }
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        self.signal_family(Signal::CONT);
    }

    /// Kills it and its descendants without warning, as a power cut would. Nothing happens when it
    /// does not run.
    pub(crate) fn kill(&mut self) {
        if self.child.is_none() {
            return;
        }
        if self.ended().is_none() {
            self.signal_family(Signal::KILL);
        }
        cleanup::forget(self.id());
        self.child.take().expect("checked above").wait().expect("our own child");
    }

    fn signal_family(&self, signal: Signal) {
        for member in family(self.id()) {
            // A descendant may have ended since it was listed.
            let _ = kill_process(pid(member), signal);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Where a program is: Debian keeps some servers where a user's PATH does not lead, PostgreSQL's in a
/// folder for each version.
pub(crate) fn find(program: &str) -> PathBuf {
    look_for(program).unwrap_or_else(|| panic!("{program} is not installed: tests/install does it"))
}

/// Whether a program is there that `tests/install` can't always get. If not, what needs it is left out,
/// and `tests/run` reports that at its end.
#[expect(clippy::disallowed_methods, reason = "tests/run passes the file this way")]
pub(crate) fn installed(program: &str, what: &str) -> bool {
    if look_for(program).is_some() {
        return true;
    }
    let line = format!("not verified: {what}, because {program} is not installed\n");
    print!("{line}");
    if let Some(file) = std::env::var_os("NOT_VERIFIED") {
        let opened = std::fs::OpenOptions::new().append(true).create(true).open(file);
        let written = opened.and_then(|mut file| file.write_all(line.as_bytes()));
        written.expect("the file of tests/run");
    }
    false
}

fn look_for(program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(PathBuf::from(program));
    }
    let mut folders: Vec<PathBuf> = PATH.split(':').map(PathBuf::from).collect();
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        folders.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    folders.iter().map(|folder| folder.join(program)).find(|path| path.exists())
}

/// The process and all its descendants, whatever group or session they moved to.
fn family(root: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = std::fs::read_dir("/proc")
        .expect("/proc")
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|id| Some((id, parent(id)?)))
        .collect();
    let mut members = vec![root];
    let mut next = 0;
    while let Some(&member) = members.get(next) {
        members.extend(parents.iter().filter(|(_, of)| *of == member).map(|(id, _)| *id));
        next += 1;
    }
    members
}

/// The parent of a process: the second field after the command name in `/proc/<id>/stat`.
fn parent(id: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Whether no thread of a process can run; one that has ended can't either.
fn stands_still(id: u32) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{id}/task")) else { return true };
    threads.flatten().all(|thread| {
        let Ok(stat) = std::fs::read_to_string(thread.path().join("stat")) else { return true };
        let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        matches!(state, None | Some('T' | 't' | 'Z' | 'X'))
    })
}

fn pid(id: u32) -> Pid {
    i32::try_from(id).ok().and_then(Pid::from_raw).expect("a process id")
}
