//! Runs a shard on real sockets: one task with its own event queue, nested in the runtime's.
//!
//! An idle client costs the runtime nothing: no task, no timer, no registration of its own
//! (`docs/adr/0003`). A busy shard yields to the runtime after every pass.

use super::{
    HubClosed, HubContext,
    command::ShardCommand,
    context::millis,
    shard::Shard,
    transport::{ClientTransport, TransportWatcher},
    work::PASS,
};
use crate::{lifecycle::TaskGroup, push::session::Millis, server::stream::IdleStream};
use mio::{Events, Interest, Poll, Registry, Token, unix::SourceFd};
use std::{io, os::fd::AsRawFd, sync::Arc, time::Duration};
use tokio::{
    io::{Interest as Readiness, unix::AsyncFd},
    sync::mpsc,
    task::yield_now,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

/// Commands that may wait for a shard; senders wait when it is full.
pub(super) const INBOX: usize = 1024;
/// Commands taken and sockets reported in one round.
const ROUND: usize = 128;
/// Rounds of commands in a row before the sockets are looked at.
const COMMAND_ROUNDS: u32 = 8;
/// The deadline of a shard that has none.
const FAR: Duration = Duration::from_secs(3600);

/// The sending side of a shard's commands.
pub(super) struct ShardInbox(mpsc::Sender<ShardCommand<IdleStream>>);

impl ShardInbox {
    /// Commands that wait.
    pub(super) fn depth(&self) -> usize {
        self.0.max_capacity() - self.0.capacity()
    }

    pub(super) async fn send(&self, command: ShardCommand<IdleStream>) -> Result<(), HubClosed> {
        self.0.send(command).await.map_err(|_| HubClosed)
    }
}

/// The registering side of the event queue.
struct SocketRegistry(Registry);

impl TransportWatcher<IdleStream> for SocketRegistry {
    fn add(&mut self, transport: &IdleStream, id: u32) -> io::Result<()> {
        self.0.register(
            &mut SourceFd(&transport.as_raw_fd()),
            Token(id as usize),
            Interest::READABLE,
        )
    }

    fn want_write(&mut self, transport: &IdleStream, id: u32, wanted: bool) -> io::Result<()> {
        let interest =
            if wanted { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
        self.0.reregister(&mut SourceFd(&transport.as_raw_fd()), Token(id as usize), interest)
    }

    fn remove(&mut self, transport: &IdleStream) {
        // The system forgets a closed socket by itself; this only saves stale reports.
        let _ = self.0.deregister(&mut SourceFd(&transport.as_raw_fd()));
    }
}

/// Starts a shard.
pub(super) fn start(
    context: Arc<HubContext>,
    number: u16,
    epoch: Instant,
    rng: fastrand::Rng,
    tasks: &TaskGroup,
) -> io::Result<ShardInbox> {
    let poll = Poll::new()?;
    let watcher = SocketRegistry(poll.registry().try_clone()?);
    let queue = nested(poll)?;
    let (sender, commands) = mpsc::channel(INBOX);
    let grace = context.grace;
    let shard = Shard::new(context, watcher, number, rng);
    let (events, batch) = (Events::with_capacity(ROUND), Vec::with_capacity(ROUND));
    let runner = ShardRunner { shard, queue, commands, batch, epoch, grace, events };
    tasks.core("hub", runner.run(tasks.stopping().clone()));
    Ok(ShardInbox(sender))
}

/// The queue as one source of the runtime's own.
#[expect(
    deprecated,
    reason = "its successor is unsafe, and we forbid that; what it warns of can't \
    happen here: the queue owns its descriptor and lives inside the result"
)]
fn nested(poll: Poll) -> io::Result<AsyncFd<Poll>> {
    AsyncFd::with_interest(poll, Readiness::READABLE)
}

struct ShardRunner {
    shard: Shard<IdleStream, SocketRegistry>,
    queue: AsyncFd<Poll>,
    commands: mpsc::Receiver<ShardCommand<IdleStream>>,
    batch: Vec<ShardCommand<IdleStream>>,
    epoch: Instant,
    grace: Duration,
    events: Events,
}

impl ShardRunner {
    /// Runs until the process stops *and* every session has ended.
    async fn run(mut self, stopping: CancellationToken) {
        let timer = sleep_until(self.epoch);
        tokio::pin!(timer);
        // The last handle may be dropped before the last session has ended.
        let (mut commanded, mut command_rounds) = (true, 0);
        let mut worked = Duration::ZERO;
        while !self.shard.is_done() {
            let deadline = self.deadline();
            if timer.deadline() != deadline {
                timer.as_mut().reset(deadline);
            }
            let busy = self.shard.has_work();
            tokio::select! {
                biased;
                () = stopping.cancelled(), if !self.shard.is_draining() => {
                    let until = self.now() + millis(self.grace);
                    self.shard.drain(self.now(), until);
                }
                count = self.commands.recv_many(&mut self.batch, ROUND),
                    if commanded && self.shard.takes_commands() =>
                {
                    commanded = count > 0;
                    self.shard.enqueue(self.batch.drain(..));
                    command_rounds += 1;
                    if command_rounds >= COMMAND_ROUNDS {
                        command_rounds = 0;
                        self.poll_events();
                    }
                }
                ready = self.queue.readable_mut() => {
                    let Ok(mut ready) = ready else { return };
                    let polled = ready.get_inner_mut().poll(&mut self.events, Some(Duration::ZERO));
                    if polled.is_err() || self.events.is_empty() {
                        ready.clear_ready();
                    }
                    command_rounds = 0;
                    self.note_events();
                }
                () = &mut timer => {}
                () = std::future::ready(()), if busy => {}
            }
            let began = self.epoch.elapsed();
            let more = self.pass(began);
            worked += self.epoch.elapsed().saturating_sub(began);
            if more || worked >= PASS {
                worked = Duration::ZERO;
                yield_now().await;
            }
        }
    }

    /// Lets the shard work; whether there is more to do at once.
    fn pass(&mut self, now: Duration) -> bool {
        let (now, epoch) = (millis(now), self.epoch);
        self.shard.pass(now, &|| epoch.elapsed());
        self.shard.has_work() || self.shard.next_deadline().is_some_and(|at| at <= now)
    }

    /// Looks at the sockets though the runtime hasn't reported any: it may not have had the time.
    fn poll_events(&mut self) {
        if self.queue.get_mut().poll(&mut self.events, Some(Duration::ZERO)).is_ok() {
            self.note_events();
        }
    }

    fn note_events(&mut self) {
        let now = self.now();
        for event in &self.events {
            let Ok(id) = u32::try_from(event.token().0) else { continue };
            if event.is_writable() {
                self.shard.writable(id, now);
            }
            if event.is_readable() || event.is_read_closed() || event.is_error() {
                self.shard.mark_readable(id);
            }
        }
    }

    fn now(&self) -> Millis {
        millis(self.epoch.elapsed())
    }

    fn deadline(&self) -> Instant {
        let next = self.shard.next_deadline().map(Duration::from_millis);
        self.epoch + next.unwrap_or_else(|| self.epoch.elapsed() + FAR)
    }
}

impl ClientTransport for IdleStream {
    fn abort(self) {
        IdleStream::abort(self);
    }

    fn finish(&mut self) {
        // The connection may have ended already, which is just as well.
        let _ = self.shutdown_write();
    }
}
