//! What unauthenticated connections cost the others: the time of a login and of a message.

use crate::{
    clients::{ClientPool, ConnectionPlan},
    daemon::Daemon,
    figures::Figures,
    guessers::PasswordGuessers,
    options::{Binary, Options},
    stack::{ServerStack, user},
};
use redis::Commands;
use socket2::{Domain, Socket, Type};
use std::{
    error::Error,
    net::{Ipv4Addr, SocketAddr},
    thread::sleep,
    time::{Duration, Instant},
};

/// Sockets that say nothing.
const SILENT: usize = 5_000;
/// Logins one after the other, and messages.
const TIMES: usize = 300;
/// One of them takes no longer.
const AT_MOST: Duration = Duration::from_secs(30);
/// Until the door is in order after a clients has come to it, the queue of hashes full.
const SETTLE: Duration = Duration::from_secs(2);

pub(super) fn silent(options: &Options, binary: &Binary) -> Result<Figures, Box<dyn Error>> {
    let stack = ServerStack::start(options, TIMES)?;
    let mut figures = Figures::default();
    let daemon = Daemon::start(binary, &stack, &[])?;
    figures.add_times(
        ["alone: login p50", "alone: login p99", "alone: login max"],
        &mut logins(&daemon)?,
    );
    let silent = crowd_at_the_door(daemon.port)?;
    figures.add_times(
        ["5 000 silent: login p50", "5 000 silent: login p99", "5 000 silent: login max"],
        &mut logins(&daemon)?,
    );
    drop((silent, daemon));
    let daemon = Daemon::start(binary, &stack, &[("MAX_UNAUTHENTICATED", "1000")])?;
    let _silent = crowd_at_the_door(daemon.port)?;
    figures.add_times(
        ["room for 1 000: login p50", "room for 1 000: login p99", "room for 1 000: login max"],
        &mut logins(&daemon)?,
    );
    Ok(figures)
}

pub(super) fn guesses(options: &Options, binary: &Binary) -> Result<Figures, Box<dyn Error>> {
    let stack = ServerStack::start(options, TIMES)?;
    let daemon = Daemon::start(binary, &stack, &[("AUTH", "database")])?;
    let mut figures = Figures::default();
    figures.add_times(
        ["alone: login p50", "alone: login p99", "alone: login max"],
        &mut logins(&daemon)?,
    );
    figures.add_times(
        ["alone: message p50", "alone: message p99", "alone: message max"],
        &mut messages(&stack, &daemon)?,
    );
    let guessers = PasswordGuessers::start(daemon.port);
    sleep(SETTLE);
    let (begun, before) = (Instant::now(), guessers.answers());
    figures.add_times(
        ["guessed at: login p50", "guessed at: login p99", "guessed at: login max"],
        &mut logins(&daemon)?,
    );
    figures.add_times(
        ["guessed at: message p50", "guessed at: message p99", "guessed at: message max"],
        &mut messages(&stack, &daemon)?,
    );
    let (after, seconds) = (guessers.answers(), begun.elapsed().as_secs_f64());
    figures.add("guesses looked at a second", "", (after.0 - before.0) as f64 / seconds);
    figures.add("guesses put off a second", "", (after.1 - before.1) as f64 / seconds);
    Ok(figures)
}

/// How long each of some users takes from the first packet until it is logged in.
fn logins(daemon: &Daemon) -> Result<Vec<Duration>, Box<dyn Error>> {
    let mut times = Vec::with_capacity(TIMES);
    for first in 0..TIMES {
        let begun = Instant::now();
        let clients = ClientPool::connect(
            ConnectionPlan { first, ..ConnectionPlan::new(daemon.port, 1) },
            AT_MOST,
        )?;
        times.push(begun.elapsed());
        drop(clients);
    }
    Ok(times)
}

/// How long messages take to somebody who is here, a hundred a second.
fn messages(stack: &ServerStack, daemon: &Daemon) -> Result<Vec<Duration>, Box<dyn Error>> {
    let mut clients = ClientPool::connect(ConnectionPlan::new(daemon.port, 1), AT_MOST)?;
    let mut redis = stack.redis.connection()?;
    let message = format!("{{\"user\":\"{}\",\"message\":\"n\",\"body\":1}}", user(0));
    let mut times = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let begun = Instant::now();
        let _: usize = redis.publish("notify_custom", &message)?;
        let received = loop {
            if let Some(received) = clients.take().first() {
                break received.at;
            }
            if begun.elapsed() > AT_MOST {
                return Err("a message was lost".into());
            }
            clients.pump(Duration::from_millis(10))?;
        };
        times.push(received.duration_since(begun));
        sleep(Duration::from_millis(10));
    }
    Ok(times)
}

/// Connections from a few hundred addresses that say nothing.
fn crowd_at_the_door(port: u16) -> Result<Vec<Socket>, Box<dyn Error>> {
    let mut sockets = Vec::with_capacity(SILENT);
    for number in 0..SILENT {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        let last = u8::try_from(number % 200)? + 2;
        socket.bind(&SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0)).into())?;
        socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
        sockets.push(socket);
    }
    sleep(SETTLE);
    Ok(sockets)
}
