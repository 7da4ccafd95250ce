//! Runs a shard on real sockets: one task with its own event queue, nested in the runtime's.
//!
//! A client costs the runtime nothing while it is idle: no task, no timer, no registration of its
//! own (`docs/adr/0003`).

use super::{
    HubClosed, HubContext,
    command::ShardCommand,
    handle::millis,
    shard::Shard,
    transport::{ClientTransport, TransportWatcher},
};
use crate::{lifecycle::TaskGroup, push::session::Millis, server::stream::IdleStream};
use mio::{Events, Interest, Poll, Registry, Token, unix::SourceFd};
use std::{io, os::fd::AsRawFd, sync::Arc, time::Duration};
use tokio::{
    io::{Interest as Readiness, unix::AsyncFd},
    sync::mpsc,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

/// Commands that may wait for a shard; senders wait when it is full.
pub(super) const INBOX: usize = 1024;
/// Commands taken, clients timed and sockets reported in one round, before the others' turn.
const ROUND: usize = 128;

/// Where a shard's commands go in.
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

/// The event queue's registering side.
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
    shared: Arc<HubContext>,
    number: u16,
    epoch: Instant,
    rng: fastrand::Rng,
    tasks: &TaskGroup,
) -> io::Result<ShardInbox> {
    let poll = Poll::new()?;
    let watcher = SocketRegistry(poll.registry().try_clone()?);
    let queue = nested(poll)?;
    let (sender, commands) = mpsc::channel(INBOX);
    let grace = shared.grace;
    let shard = Shard::new(shared, watcher, number, rng);
    let events = Events::with_capacity(ROUND);
    let runner = ShardRunner { shard, queue, commands, epoch, grace, events };
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
    epoch: Instant,
    grace: Duration,
    events: Events,
}

impl ShardRunner {
    /// Until the process stops *and* everybody has been seen off.
    async fn run(mut self, stopping: CancellationToken) {
        let mut batch = Vec::with_capacity(ROUND);
        let timer = sleep_until(self.epoch);
        tokio::pin!(timer);
        // The last handle may be dropped before the last client has been seen off.
        let mut commanded = true;
        while !self.shard.is_done() {
            let deadline = self.deadline();
            if timer.deadline() != deadline {
                timer.as_mut().reset(deadline);
            }
            tokio::select! {
                biased;
                () = stopping.cancelled(), if !self.shard.is_draining() => {
                    let until = self.now() + millis(self.grace);
                    self.shard.drain(self.now(), until);
                }
                count = self.commands.recv_many(&mut batch, ROUND), if commanded => {
                    commanded = count > 0;
                    batch.drain(..).for_each(|command| self.execute(command));
                }
                ready = self.queue.readable_mut() => {
                    let Ok(mut ready) = ready else { return };
                    let polled = ready.get_inner_mut().poll(&mut self.events, Some(Duration::ZERO));
                    if polled.is_err() || self.events.is_empty() {
                        ready.clear_ready();
                    }
                    self.serve();
                }
                () = &mut timer => {}
            }
            self.shard.pass_time(self.now(), ROUND);
            self.shard.report();
        }
    }

    fn execute(&mut self, command: ShardCommand<IdleStream>) {
        let now = self.now();
        match command {
            ShardCommand::Join(join_request) => self.shard.join(join_request, now),
            ShardCommand::Tell(notify) => self.shard.notify(&notify, now),
            ShardCommand::Gap { spread, fan_out } => self.shard.gap(spread, &fan_out, now),
            ShardCommand::ApplyPolicy(session_policy) => self.shard.apply(session_policy),
            ShardCommand::Close(session, close) => self.shard.close(session, close, now),
            // Whoever asks may have given up: nothing is lost by that.
            ShardCommand::Disconnect(recipient, close, reply) => {
                let _ = reply.send(self.shard.disconnect(recipient.as_ref(), close, now));
            }
            ShardCommand::Count(recipient, reply) => drop(reply.send(self.shard.count(&recipient))),
            ShardCommand::List(from, count, reply) => {
                drop(reply.send(self.shard.list(from, count)))
            }
        }
    }

    fn serve(&mut self) {
        let now = self.now();
        for event in &self.events {
            let Ok(id) = u32::try_from(event.token().0) else { continue };
            if event.is_writable() {
                self.shard.writable(id, now);
            }
            if event.is_readable() || event.is_read_closed() || event.is_error() {
                self.shard.readable(id, now);
            }
        }
    }

    fn now(&self) -> Millis {
        millis(self.epoch.elapsed())
    }

    fn deadline(&self) -> Instant {
        let far = Duration::from_secs(3600);
        let next = self.shard.next_deadline().map(Duration::from_millis);
        self.epoch + next.unwrap_or_else(|| self.epoch.elapsed() + far)
    }
}

impl ClientTransport for IdleStream {
    fn abort(self) {
        IdleStream::abort(self);
    }

    fn finish(&mut self) {
        // It may have ended already: then there is nobody to notify.
        let _ = self.shutdown_write();
    }
}
