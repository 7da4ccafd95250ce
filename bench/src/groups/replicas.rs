//! Several daemons on one Redis: each hears every event and tells its own clients.

use super::{delivery::flood, latency::custom_times};
use crate::{
    clients::{ClientPool, ConnectionPlan},
    daemon::Daemon,
    figures::{Figures, micros},
    options::{Binary, Options},
    stack::ServerStack,
};
use std::{error::Error, time::Duration};

/// How long one number of daemons is measured, in seconds, for rate and for latency.
const SECONDS: u64 = 5;

/// One number of daemons, and what its figures are called.
struct ReplicaSetting {
    daemons: usize,
    rate: &'static str,
    daemon: &'static str,
    redis: &'static str,
    times: [&'static str; 3],
}

const SETTINGS: [ReplicaSetting; 3] = [
    ReplicaSetting {
        daemons: 1,
        rate: "1 daemon: events a second",
        daemon: "1 daemon: its processor time each event",
        redis: "1 daemon: Redis' processor time each event",
        times: ["1 daemon: p50 at 1000/s", "1 daemon: p99 at 1000/s", "1 daemon: max at 1000/s"],
    },
    ReplicaSetting {
        daemons: 2,
        rate: "2 daemons: events a second",
        daemon: "2 daemons: each one's processor time each event",
        redis: "2 daemons: Redis' processor time each event",
        times: ["2 daemons: p50 at 1000/s", "2 daemons: p99 at 1000/s", "2 daemons: max at 1000/s"],
    },
    ReplicaSetting {
        daemons: 3,
        rate: "3 daemons: events a second",
        daemon: "3 daemons: each one's processor time each event",
        redis: "3 daemons: Redis' processor time each event",
        times: ["3 daemons: p50 at 1000/s", "3 daemons: p99 at 1000/s", "3 daemons: max at 1000/s"],
    },
];

pub(super) fn run(options: &Options, binary: &Binary) -> Result<Figures, Box<dyn Error>> {
    let mut figures = Figures::default();
    let users = options.connections.min(6_000);
    for setting in &SETTINGS {
        let stack = ServerStack::start(options, users)?;
        let daemons = (0..setting.daemons)
            .map(|_| Daemon::start(binary, &stack, &[]))
            .collect::<Result<Vec<_>, _>>()?;
        let ports = daemons.iter().map(|daemon| daemon.port).collect();
        let mut clients =
            ClientPool::connect(ConnectionPlan::spread(ports, users), Duration::from_secs(120))?;
        let used = || -> std::io::Result<Duration> {
            daemons.iter().map(|daemon| Ok(daemon.read()?.cpu)).sum()
        };
        let (before, redis_before) = (used()?, stack.redis.cpu()?);
        let (arrived, time) = flood(&stack, &mut clients, users, Duration::from_secs(SECONDS))?;
        let each = |time: Duration| micros(time) / arrived.max(1) as f64;
        figures.add(setting.rate, "", arrived as f64 / time.as_secs_f64());
        let cpu = used()?.saturating_sub(before) / u32::try_from(setting.daemons)?;
        figures.add(setting.daemon, "µs", each(cpu));
        let redis = stack.redis.cpu()?.saturating_sub(redis_before);
        figures.add(setting.redis, "µs", each(redis));
        let (lost, mut times) = custom_times(&stack, &mut clients, users, SECONDS)?;
        if lost > 0 {
            return Err(format!("{lost} messages were lost").into());
        }
        figures.add_times(setting.times, &mut times);
    }
    Ok(figures)
}
