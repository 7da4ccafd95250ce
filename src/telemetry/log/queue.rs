//! The queue between the log and stderr: a stderr that isn't read delays no client.
//!
//! A stderr that blocks (the journal is stopped, a pipe's reader hangs) would otherwise block every
//! thread that logs, and with them the daemon.

use std::{
    io::{self, Write},
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};
use tracing_subscriber::fmt::MakeWriter;

/// Bytes that may wait to be written; further lines are dropped and counted.
const MAX_WAITING: usize = 256 * 1024;

/// The capacity that the two buffers keep between bursts.
const RETAINED_CAPACITY: usize = 8 * 1024;

/// How long the end of the process waits for the last lines.
const FLUSH: Duration = Duration::from_secs(1);

/// The lines that wait. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct LogQueue {
    shared: Arc<LogQueueShared>,
}

#[derive(Default)]
struct LogQueueShared {
    state: Mutex<LogQueueState>,
    /// Signals that lines wait, or that all have been written.
    changed: Condvar,
}

#[derive(Default)]
struct LogQueueState {
    waiting: Vec<u8>,
    dropped_lines: u64,
    writing: bool,
}

/// Keep it until the end of `main`: dropping it waits a moment until the queue is written.
#[must_use = "the last lines are lost without it"]
pub struct LogGuard {
    queue: LogQueue,
}

impl LogQueue {
    /// Starts the thread that writes to `out`. After lines were dropped, it calls `report` with their number
    /// once there is room again.
    pub(super) fn start(
        mut out: impl Write + Send + 'static,
        report: impl Fn(u64) + Send + 'static,
    ) -> io::Result<(Self, LogGuard)> {
        let queue = Self::default();
        let mine = queue.clone();
        let body = move || {
            let mut lines = Vec::new();
            loop {
                let dropped_lines = mine.take(&mut lines);
                // stderr is closed.
                let _ = out.write_all(&lines).and_then(|()| out.flush());
                mine.written();
                if dropped_lines > 0 {
                    report(dropped_lines);
                }
            }
        };
        thread::Builder::new().name("log".to_owned()).spawn(body)?;
        Ok((queue.clone(), LogGuard { queue }))
    }

    fn push(&self, line: &[u8]) {
        let mut state = self.state();
        if state.waiting.len() + line.len() > MAX_WAITING {
            state.dropped_lines += 1;
        } else {
            state.waiting.extend_from_slice(line);
        }
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Waits for lines and swaps them for an empty buffer; returns how many were dropped before.
    fn take(&self, lines: &mut Vec<u8>) -> u64 {
        lines.clear();
        lines.shrink_to(RETAINED_CAPACITY);
        let nothing = |state: &mut LogQueueState| state.waiting.is_empty();
        let mut state = self
            .shared
            .changed
            .wait_while(self.state(), nothing)
            .unwrap_or_else(PoisonError::into_inner);
        mem::swap(lines, &mut state.waiting);
        state.writing = true;
        mem::take(&mut state.dropped_lines)
    }

    fn written(&self) {
        self.state().writing = false;
        self.shared.changed.notify_all();
    }

    fn flush(&self, at_most: Duration) {
        let busy = |state: &mut LogQueueState| state.writing || !state.waiting.is_empty();
        // A time-out changes nothing: the process ends.
        drop(self.shared.changed.wait_timeout_while(self.state(), at_most, busy));
    }

    fn state(&self) -> MutexGuard<'_, LogQueueState> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Each call is one line, as the formatting layer writes.
impl Write for LogQueue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for LogQueue {
    type Writer = LogQueue;

    fn make_writer(&self) -> LogQueue {
        self.clone()
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.queue.flush(FLUSH);
    }
}

#[cfg(test)]
mod tests {
    use super::{LogQueue, MAX_WAITING};
    use std::{
        io::{BufRead, BufReader, Read, Write, pipe},
        sync::mpsc,
    };

    enum QueueOutput {
        Line(u64),
        LeftOut(u64),
    }

    #[test]
    fn a_slow_reader_delays_no_one_and_learns_how_much_it_missed() {
        const LINES: u64 = 20_000;
        let (reader, writer) = pipe().unwrap();
        let (output, all) = mpsc::channel();
        let report = output.clone();
        let report = move |lines| report.send(QueueOutput::LeftOut(lines)).unwrap();
        let (mut queue, _guard) = LogQueue::start(writer, report).unwrap();
        // More than the pipe and the queue hold together: it would hang here.
        for number in 0..LINES {
            queue.write_all(format!("{number:099}\n").as_bytes()).unwrap();
        }
        assert!(queue.state().waiting.len() <= MAX_WAITING);
        std::thread::spawn(move || {
            let lines = BufReader::new(reader).lines();
            lines.for_each(|line| {
                output.send(QueueOutput::Line(line.unwrap().parse().unwrap())).unwrap()
            });
        });
        let (mut lines, mut dropped_lines, mut last) = (0, 0, None);
        while lines + dropped_lines < LINES {
            match all.recv().unwrap() {
                QueueOutput::LeftOut(more) => dropped_lines += more,
                QueueOutput::Line(number) => {
                    assert!(last < Some(number), "{number} after {last:?}");
                    (lines, last) = (lines + 1, Some(number));
                }
            }
        }
        assert!(dropped_lines > 0);
        assert_eq!(lines + dropped_lines, LINES);
    }

    #[test]
    fn what_was_logged_is_written_before_the_guard_lets_go() {
        let (mut reader, writer) = pipe().unwrap();
        let (mut queue, guard) = LogQueue::start(writer, |_| {}).unwrap();
        queue.write_all(b"a\n").unwrap();
        queue.write_all(b"b\n").unwrap();
        drop(guard);
        let mut written = [0; 4];
        assert!(queue.state().waiting.is_empty());
        reader.read_exact(&mut written).unwrap();
        assert_eq!(&written, b"a\nb\n");
    }

    #[test]
    fn a_stderr_that_is_gone_disturbs_nobody() {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let (mut queue, guard) = LogQueue::start(writer, |_| {}).unwrap();
        queue.write_all(b"a\n").unwrap();
        drop(guard);
        assert!(queue.state().waiting.is_empty() && !queue.state().writing);
    }
}
