//! How fast clients get in, and whether all clients come back after a restart.

use crate::{
    clients::{ClientPool, ConnectionPlan},
    daemon::Daemon,
    figures::Figures,
    options::{Binary, Options},
    stack::{ServerStack, free_port},
};
use std::{
    error::Error,
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

/// Clients of the reconnect.
const BACK: usize = 9_500;
/// Given up after this.
const AT_MOST: Duration = Duration::from_secs(240);

pub(super) fn rate(options: &Options, binary: &Binary) -> Result<Figures, Box<dyn Error>> {
    let count = options.connections.min(5_000);
    let stack = ServerStack::start(options, count)?;
    stack.age_tokens()?;
    let daemon = Daemon::start(binary, &stack, &[])?;
    let begun = Instant::now();
    let clients = ClientPool::connect(ConnectionPlan::new(daemon.port, count), AT_MOST)?;
    let time = begun.elapsed();
    let mut figures = Figures::default();
    figures.add("logins per second", "", clients.inside() as f64 / time.as_secs_f64());
    figures.add("host requests", "", stack.host.counted.requests.load(Relaxed) as f64);
    Ok(figures)
}

pub(super) fn reconnect(
    options: &Options,
    binary: &Binary,
    more: &[(&str, &str)],
) -> Result<Figures, Box<dyn Error>> {
    let count = options.connections.min(BACK);
    let stack = ServerStack::start(options, count)?;
    stack.age_tokens()?;
    let port = free_port()?;
    let _daemon = Daemon::start_at(binary, &stack, more, port)?;
    // What a crash leaves behind: everybody tries at the same moment.
    let begun = Instant::now();
    let mut clients = ClientPool::begin(ConnectionPlan::new(port, count))?;
    while clients.inside() < count && begun.elapsed() < AT_MOST {
        clients.pump(Duration::from_millis(20))?;
    }
    let mut figures = Figures::default();
    figures.add("back", "", clients.inside() as f64);
    figures.add("after", "s", begun.elapsed().as_secs_f64());
    let counted = &stack.host.counted;
    figures.add("host requests", "", counted.requests.load(Relaxed) as f64);
    figures.add("given up while worked on", "", counted.given_up.load(Relaxed) as f64);
    figures.add("attempts that failed", "", clients.failures as f64);
    Ok(figures)
}
