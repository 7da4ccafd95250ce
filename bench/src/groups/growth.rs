//! How memory and idle processor time grow with the number of connections, in one daemon.

use crate::{
    clients::{ClientPool, ConnectionPlan},
    daemon::Daemon,
    figures::{Figures, micros},
    options::{Binary, Options},
    stack::ServerStack,
};
use std::{
    error::Error,
    time::{Duration, Instant},
};

/// The clients grows in so many steps.
pub const STEPS: [GrowthStep; 4] = [
    GrowthStep { part: 0.05, memory: "memory at 5 %", cpu: "processor time at 5 %" },
    GrowthStep { part: 0.35, memory: "memory at 35 %", cpu: "processor time at 35 %" },
    GrowthStep { part: 0.7, memory: "memory at 70 %", cpu: "processor time at 70 %" },
    GrowthStep { part: 1.0, memory: "memory at 100 %", cpu: "processor time at 100 %" },
];

/// One step and what its figures are called.
pub struct GrowthStep {
    /// Of all connections.
    pub part: f64,
    /// The name of the memory's figure.
    pub memory: &'static str,
    /// The name of the processor time's figure.
    pub cpu: &'static str,
}

/// The figure that says how many "all" were.
pub const ALL: &str = "connections at 100 %";

/// Everybody is pinged once in this time.
const LOOK: Duration = Duration::from_secs(30);
/// After the newcomers have come, before memory is read.
const SETTLE: Duration = Duration::from_secs(4);

pub(super) fn run(options: &Options, binary: &Binary) -> Result<Figures, Box<dyn Error>> {
    let mut figures = Figures::default();
    let stack = ServerStack::start(options, options.connections)?;
    let daemon = Daemon::start(binary, &stack, &[])?;
    let mut clients = ClientPool::begin(ConnectionPlan::new(daemon.port, 0))?;
    figures.add(ALL, "", options.connections as f64);
    for step in &STEPS {
        let count = (options.connections as f64 * step.part).round();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a part of a number of connections"
        )]
        clients
            .grow((count as usize).saturating_sub(clients.inside()), Duration::from_secs(180))?;
        clients.until(Instant::now() + SETTLE)?;
        let before = daemon.read()?;
        figures.add(step.memory, "MB", before.pss as f64 / 1e6);
        let begun = Instant::now();
        clients.until(begun + LOOK)?;
        let cpu = micros(daemon.read()?.cpu.saturating_sub(before.cpu));
        figures.add(step.cpu, "ms a second", cpu / 1e3 / begun.elapsed().as_secs_f64());
    }
    Ok(figures)
}
