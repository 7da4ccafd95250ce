//! How long it takes from a publish to the client.

use crate::{
    clients::{ClientPool, ConnectionPlan},
    daemon::Daemon,
    figures::{Figures, millis},
    options::{Binary, Options},
    stack::{HOMES, ServerStack, user},
};
use redis::Commands;
use std::{
    error::Error,
    thread,
    time::{Duration, Instant},
};

/// File changes measured.
const CHANGES: usize = 200;

pub(super) fn custom(options: &Options, binary: &Binary) -> Result<Figures, Box<dyn Error>> {
    let stack = ServerStack::start(options, options.connections)?;
    let daemon = Daemon::start(binary, &stack, &[])?;
    let plan = ConnectionPlan::new(daemon.port, options.connections);
    let mut clients = ClientPool::connect(plan, Duration::from_secs(180))?;
    let (lost, mut times) =
        custom_times(&stack, &mut clients, options.connections, options.seconds)?;
    let mut figures = Figures::default();
    figures.add("messages lost", "", lost as f64);
    figures
        .add_times(["custom message p50", "custom message p99", "custom message max"], &mut times);
    Ok(figures)
}

/// Publishes 1 000 messages a second, each to one of so many users; how many were lost, and how long
/// the others took.
pub(super) fn custom_times(
    stack: &ServerStack,
    clients: &mut ClientPool,
    users: usize,
    seconds: u64,
) -> Result<(usize, Vec<Duration>), Box<dyn Error>> {
    let mut redis = stack.redis.connection()?;
    let epoch = Instant::now();
    let publisher = thread::spawn(move || -> redis::RedisResult<usize> {
        let mut sent = 0_usize;
        while epoch.elapsed().as_secs() < seconds {
            let due = epoch + Duration::from_millis(sent as u64);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let name = user(sent.wrapping_mul(7919) % users);
            let now = epoch.elapsed().as_nanos();
            let body = format!("{{\"user\":\"{name}\",\"message\":\"n\",\"body\":{now}}}");
            let _: usize = redis.publish("notify_custom", body)?;
            sent += 1;
        }
        Ok(sent)
    });
    clients.until(epoch + Duration::from_secs(seconds + 1))?;
    let sent = publisher.join().map_err(|_| "the publisher panicked")??;
    let since =
        |at: Instant, number| at.duration_since(epoch).saturating_sub(Duration::from_nanos(number));
    let times: Vec<Duration> = clients
        .take()
        .iter()
        .filter_map(|received| Some(since(received.at, received.number?)))
        .collect();
    Ok((sent.saturating_sub(times.len()), times))
}

pub(super) fn file(options: &Options, binary: &Binary) -> Result<Figures, Box<dyn Error>> {
    let count = CHANGES.min(options.connections);
    let stack = ServerStack::start(options, count)?;
    let daemon = Daemon::start(binary, &stack, &[])?;
    let mut clients =
        ClientPool::connect(ConnectionPlan::new(daemon.port, count), Duration::from_secs(60))?;
    let mut redis = stack.redis.connection()?;
    let mut times = Vec::new();
    for number in 0..count {
        let storage = HOMES + i64::try_from(number)?;
        clients.take();
        let begun = Instant::now();
        let update =
            format!("{{\"storage\":{storage},\"path\":\"files\\/a.txt\",\"file_id\":{number}}}");
        let _: usize = redis.publish("notify_storage_update", update)?;
        let deadline = begun + Duration::from_secs(5);
        while Instant::now() < deadline {
            clients.pump(Duration::from_millis(50))?;
            if let Some(received) = clients.take().iter().find(|received| received.client == number)
            {
                times.push(received.at.duration_since(begun));
                break;
            }
        }
    }
    let mut figures = Figures::default();
    figures.add("changes not received of", "", (count - times.len()) as f64);
    figures.add_times(["file change p50", "file change p99", "file change max"], &mut times);
    Ok(figures)
}

pub(super) fn steady(options: &Options, binary: &Binary) -> Result<Figures, Box<dyn Error>> {
    let stack = ServerStack::start(options, 1)?;
    let daemon = Daemon::start(binary, &stack, &[])?;
    let mut clients =
        ClientPool::connect(ConnectionPlan::new(daemon.port, 1), Duration::from_secs(60))?;
    let mut redis = stack.redis.connection()?;
    let (begun, lasts) = (Instant::now(), Duration::from_secs(30));
    while begun.elapsed() < lasts {
        let update = format!("{{\"storage\":{HOMES},\"path\":\"files\\/a.txt\",\"file_id\":1}}");
        let _: usize = redis.publish("notify_storage_update", update)?;
        clients.until(Instant::now() + Duration::from_millis(200))?;
    }
    let end = Instant::now();
    clients.until(end + Duration::from_secs(2))?;
    let received: Vec<Instant> = clients.take().iter().map(|received| received.at).collect();
    let during = received.iter().filter(|at| **at <= end).count();
    let mut figures = Figures::default();
    figures.add("messages in 30 s", "", during as f64);
    let first = received.first().map_or(f64::NAN, |first| millis(first.duration_since(begun)));
    figures.add("first message after", "ms", first);
    let gaps =
        std::iter::once(&begun).chain(&received).zip(&received).map(|(a, b)| b.duration_since(*a));
    figures.add("longest silence", "ms", gaps.max().map_or(f64::NAN, millis));
    Ok(figures)
}
