//! Memory and processor time of a full house that has nothing to do, and memory after it has left.

use crate::{
    clients::{ClientPool, ConnectionPlan},
    daemon::Daemon,
    figures::{Figures, micros, millis},
    kernel::SlabTable,
    options::{Binary, Options},
    stack::ServerStack,
};
use std::{
    error::Error,
    thread::sleep,
    time::{Duration, Instant},
};

/// A ping every 30 s belongs to an idle connection: a shorter look would miss it.
const LOOK: Duration = Duration::from_secs(60);
/// Clients who come and go first, so that the code that serves them is not counted as theirs.
const WARM_UP: usize = 100;
/// After everybody has come or gone, before memory is read.
const SETTLE: Duration = Duration::from_secs(5);

pub(super) fn run(options: &Options, binary: &Binary) -> Result<Figures, Box<dyn Error>> {
    let mut figures = Figures::default();
    let stack = ServerStack::start(options, options.connections)?;
    let daemon = Daemon::start(binary, &stack, &[])?;
    figures.add("start to ready", "ms", millis(daemon.started_in));
    sleep(Duration::from_secs(1));
    let base = daemon.read()?;
    figures.add("base memory", "MB", base.pss as f64 / 1e6);
    drop(ClientPool::connect(ConnectionPlan::new(daemon.port, WARM_UP), Duration::from_secs(60))?);
    sleep(SETTLE + SETTLE);
    let warm = daemon.read()?;
    figures.add("memory after a first hundred have left", "MB", warm.pss as f64 / 1e6);
    let kernel = SlabTable::read();
    let plan = ConnectionPlan::new(daemon.port, options.connections);
    let mut clients = ClientPool::connect(plan, Duration::from_secs(180))?;
    clients.until(Instant::now() + SETTLE)?;
    let full = daemon.read()?;
    let each = |bytes: u64| bytes as f64 / options.connections as f64;
    figures.add("memory each connection", "bytes", each(full.pss.saturating_sub(warm.pss)));
    if let (Some(before), Some(now)) = (kernel, SlabTable::read()) {
        // The bench holds the other end, as large as the daemon's, on the same machine.
        let bytes = now.each_since(&before, 2 * options.connections);
        figures.add("kernel memory each socket", "bytes", bytes);
    }
    let begun = Instant::now();
    clients.until(begun + LOOK)?;
    let after = daemon.read()?;
    let seconds = begun.elapsed().as_secs_f64();
    let cpu = micros(after.cpu.saturating_sub(full.cpu)) / options.connections as f64 / seconds;
    figures.add("processor time each connection and second", "µs", cpu);
    let switches = after.switches.saturating_sub(full.switches) as f64 / seconds;
    figures.add("context switches a second", "", switches);
    drop(clients);
    sleep(SETTLE + SETTLE);
    let left = daemon.read()?;
    figures.add("memory after all have left", "MB", left.pss as f64 / 1e6);
    Ok(figures)
}
