//! How much goes through, at what price, and whether all of it arrives in order.

use crate::{
    clients::{ClientPool, ConnectionPlan, ReceivedMessage},
    daemon::Daemon,
    figures::{Figures, micros, millis},
    options::{Binary, Options},
    stack::{SHARED, SHARERS, ServerStack, user},
};
use redis::Commands;
use std::{
    error::Error,
    time::{Duration, Instant},
};

/// Rounds of the warm fan-out.
const ROUNDS: usize = 20;
/// Messages on their way at once when the throughput is measured.
const WINDOW: usize = 4_000;
/// Messages published in one go.
const BATCH: usize = 200;
/// What hasn't come by then is lost.
const LOST: Duration = Duration::from_secs(10);

pub(super) fn fan_out(options: &Options, binary: &Binary) -> Result<Figures, Box<dyn Error>> {
    let count = SHARERS.min(options.connections);
    let stack = ServerStack::start(options, count)?;
    let daemon = Daemon::start(binary, &stack, &[("DEBOUNCE_DISABLE", "true")])?;
    let mut clients =
        ClientPool::connect(ConnectionPlan::new(daemon.port, count), Duration::from_secs(120))?;
    let mut redis = stack.redis.connection()?;
    let mut figures = Figures::default();
    let cold = one_fan_out(&mut clients, &mut redis, count)?;
    figures.add("cold: last of all", "ms", millis(cold));
    let before = daemon.read()?;
    let mut lasts = Vec::new();
    for _ in 0..ROUNDS {
        clients.until(Instant::now() + Duration::from_millis(100))?;
        lasts.push(one_fan_out(&mut clients, &mut redis, count)?);
    }
    let cpu = daemon.read()?.cpu.saturating_sub(before.cpu);
    figures.add_times(
        ["warm: last of all, median", "warm: last of all, p99", "warm: last of all, max"],
        &mut lasts,
    );
    figures.add("processor time each message", "µs", micros(cpu) / (ROUNDS * count) as f64);
    Ok(figures)
}

fn one_fan_out(
    clients: &mut ClientPool,
    redis: &mut redis::Connection,
    count: usize,
) -> Result<Duration, Box<dyn Error>> {
    clients.take();
    let begun = Instant::now();
    let update = format!("{{\"storage\":{SHARED},\"path\":\"files\\/a.txt\",\"file_id\":1}}");
    let _: usize = redis.publish("notify_storage_update", update)?;
    let mut received: Vec<ReceivedMessage> = Vec::new();
    while received.len() < count {
        if begun.elapsed() > Duration::from_secs(20) {
            return Err(format!("only {} of {count} received", received.len()).into());
        }
        clients.pump(Duration::from_millis(20))?;
        received.extend(clients.take());
    }
    let last = received.iter().map(|received| received.at).max().unwrap_or(begun);
    Ok(last.duration_since(begun))
}

pub(super) fn throughput(options: &Options, binary: &Binary) -> Result<Figures, Box<dyn Error>> {
    let stack = ServerStack::start(options, options.connections)?;
    let daemon = Daemon::start(binary, &stack, &[])?;
    let plan = ConnectionPlan::new(daemon.port, options.connections);
    let mut clients = ClientPool::connect(plan, Duration::from_secs(180))?;
    let before = daemon.read()?;
    let lasts = Duration::from_secs(options.seconds);
    let (arrived, time) = flood(&stack, &mut clients, options.connections, lasts)?;
    let cpu = daemon.read()?.cpu.saturating_sub(before.cpu);
    let mut figures = Figures::default();
    figures.add("messages a second", "", arrived as f64 / time.as_secs_f64());
    figures.add("processor time each message", "µs", micros(cpu) / arrived.max(1) as f64);
    Ok(figures)
}

/// As many messages as go through, each to one of so many users, with a window of those on their
/// way. How many arrived in which time; none is lost.
pub(super) fn flood(
    stack: &ServerStack,
    clients: &mut ClientPool,
    users: usize,
    lasts: Duration,
) -> Result<(usize, Duration), Box<dyn Error>> {
    let mut redis = stack.redis.connection()?;
    let (mut sent, mut arrived, begun) = (0, 0, Instant::now());
    let mut last = begun;
    while begun.elapsed() < lasts || arrived < sent {
        while sent - arrived + BATCH <= WINDOW && begun.elapsed() < lasts {
            let mut pipe = redis::pipe();
            for number in sent..sent + BATCH {
                let name = user(number.wrapping_mul(7919) % users);
                let body = format!("{{\"user\":\"{name}\",\"message\":\"n\",\"body\":{number}}}");
                pipe.publish("notify_custom", body).ignore();
            }
            let () = pipe.query(&mut redis)?;
            sent += BATCH;
        }
        clients.pump(Duration::from_millis(5))?;
        let received = clients.take().len();
        if received > 0 {
            (arrived, last) = (arrived + received, Instant::now());
        }
        if clients.failures > 0 || last.elapsed() > LOST {
            return Err(format!("only {arrived} of {sent} messages arrived").into());
        }
    }
    Ok((arrived, last.duration_since(begun)))
}

pub(super) fn ordered(options: &Options, binary: &Binary) -> Result<Figures, Box<dyn Error>> {
    let stack = ServerStack::start(options, 1)?;
    let daemon = Daemon::start(binary, &stack, &[])?;
    let mut clients =
        ClientPool::connect(ConnectionPlan::new(daemon.port, 1), Duration::from_secs(60))?;
    let mut redis = stack.redis.connection()?;
    let (begun, mut sent) = (Instant::now(), 0_u64);
    while begun.elapsed() < Duration::from_secs(options.seconds) {
        let mut pipe = redis::pipe();
        for number in sent..sent + 50 {
            let body = format!("{{\"user\":\"{}\",\"message\":\"n\",\"body\":{number}}}", user(0));
            pipe.publish("notify_custom", body).ignore();
        }
        let () = pipe.query(&mut redis)?;
        sent += 50;
        clients.until(begun + Duration::from_micros(sent * 200))?;
    }
    clients.until(Instant::now() + Duration::from_secs(2))?;
    let numbers: Vec<u64> = clients.take().iter().filter_map(|received| received.number).collect();
    let inversions = numbers.windows(2).filter(|pair| pair[1] < pair[0]).count();
    let mut figures = Figures::default();
    figures.add("lost", "%", 100.0 * (sent as f64 - numbers.len() as f64) / sent as f64);
    figures.add("out of order", "%", 100.0 * inversions as f64 / sent as f64);
    Ok(figures)
}
