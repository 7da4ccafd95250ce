//! Many updates on storages that many users see: one look-up each, and little time for the rest.

use crate::{
    clients::{ClientPool, ConnectionPlan},
    daemon::Daemon,
    figures::{Figures, micros},
    options::{Binary, Options},
    stack::{BUSY, BUSY_MOUNTS, ServerStack},
};
use std::{
    error::Error,
    time::{Duration, Instant},
};

/// Updates in a second.
const RATE: u64 = 5_000;

pub(super) fn run(options: &Options, binary: &Binary) -> Result<Figures, Box<dyn Error>> {
    let count = BUSY_MOUNTS.min(options.connections);
    let stack = ServerStack::start(options, count)?;
    let daemon = Daemon::start(binary, &stack, &[])?;
    let mut clients =
        ClientPool::connect(ConnectionPlan::new(daemon.port, count), Duration::from_secs(120))?;
    let mut redis = stack.redis.connection()?;
    let queries = daemon.metric("mapping_query_count")?;
    let (before, begun, mut sent) = (daemon.read()?, Instant::now(), 0);
    while begun.elapsed() < Duration::from_secs(options.seconds.min(10)) {
        let mut pipe = redis::pipe();
        for number in sent..sent + 50 {
            let storage = BUSY.start + i64::try_from(number)? % (BUSY.end - BUSY.start);
            let update = format!(
                "{{\"storage\":{storage},\"path\":\"files\\/{number}\",\"file_id\":{number}}}"
            );
            pipe.cmd("PUBLISH").arg("notify_storage_update").arg(update).ignore();
        }
        let () = pipe.query(&mut redis)?;
        sent += 50;
        clients.until(begun + Duration::from_micros(sent * 1_000_000 / RATE))?;
    }
    let cpu = daemon.read()?.cpu.saturating_sub(before.cpu);
    let received = clients.take().len();
    let mut figures = Figures::default();
    figures.add("queries", "", daemon.metric("mapping_query_count")? - queries);
    figures.add("processor time each update", "µs", micros(cpu) / sent as f64);
    figures.add("messages", "", received as f64);
    Ok(figures)
}
