//! What the machine can do without any daemon: the bound of every figure above.

use crate::{figures::Figures, kernel::SlabTable, options::Options, proc, stack::Redis};
use redis::Commands;
use std::{
    error::Error,
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    time::{Duration, Instant},
};

/// A change as it goes over the wire.
const FRAME: &[u8] = b"\x81\x0bnotify_file";
/// Listeners on one channel, and what the figures are called.
const PUBLISHING: [(usize, &str, &str); 3] = [
    (1, "Redis with 1 listener: publishes a second", "Redis with 1 listener: processor time each"),
    (
        3,
        "Redis with 3 listeners: publishes a second",
        "Redis with 3 listeners: processor time each",
    ),
    (
        9,
        "Redis with 9 listeners: publishes a second",
        "Redis with 9 listeners: processor time each",
    ),
];
/// Messages published for that, in batches of a hundred.
const PUBLISHED: usize = 200_000;
/// Connections for the raw writes: both ends are ours here.
const PAIRS: usize = 5_000;

pub(super) fn run(options: &Options) -> Result<Figures, Box<dyn Error>> {
    let mut figures = Figures::default();
    writes(&mut figures, PAIRS.min(options.connections))?;
    pub_sub(&mut figures, options.seconds)?;
    for (listeners, rate, cpu) in PUBLISHING {
        publishing(&mut figures, listeners, rate, cpu)?;
    }
    Ok(figures)
}

/// Writes a frame to each of many sockets, and reads them empty between the rounds.
fn writes(figures: &mut Figures, count: usize) -> Result<(), Box<dyn Error>> {
    let before = SlabTable::read();
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    let mut pairs = Vec::with_capacity(count);
    for _ in 0..count {
        let near = TcpStream::connect(address)?;
        let (far, _) = listener.accept()?;
        far.set_nonblocking(true)?;
        near.set_nodelay(true)?;
        pairs.push((near, far));
    }
    let (mut spent, mut written, mut buffer) = (Duration::ZERO, 0, [0; 4096]);
    for _ in 0..20 {
        let begun = proc::cpu(std::process::id())?;
        for (near, _) in &mut pairs {
            near.write_all(FRAME)?;
        }
        spent += proc::cpu(std::process::id())?.saturating_sub(begun);
        written += count;
        for (_, far) in &mut pairs {
            match far.read(&mut buffer) {
                Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error.into()),
                _ => {}
            }
        }
    }
    figures.add("raw write, processor time each", "µs", spent.as_secs_f64() * 1e6 / written as f64);
    if let (Some(before), Some(now)) = (before, SlabTable::read()) {
        let bytes = now.each_since(&before, 2 * count);
        figures.add("kernel memory each socket, in no event queue", "bytes", bytes);
    }
    Ok(())
}

/// From PUBLISH to the subscriber, with nothing in between.
fn pub_sub(figures: &mut Figures, seconds: u64) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let server = Redis::start(folder.path())?;
    let (mut publisher, mut listener) = (server.connection()?, server.connection()?);
    let mut channel = listener.as_pubsub();
    channel.subscribe("c")?;
    let mut times = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(seconds.min(5)) {
        let sent = Instant::now();
        let _: usize = publisher.publish("c", "x")?;
        channel.get_message()?;
        times.push(sent.elapsed());
        std::thread::sleep(Duration::from_millis(1));
    }
    figures.add_times(["Redis alone p50", "Redis alone p99", "Redis alone max"], &mut times);
    Ok(())
}

/// What a publish costs Redis when so many listen, who do nothing but read.
fn publishing(
    figures: &mut Figures,
    listeners: usize,
    rate: &'static str,
    cpu: &'static str,
) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let server = Redis::start(folder.path())?;
    for _ in 0..listeners {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port))?;
        stream.write_all(b"SUBSCRIBE notify_custom\r\n")?;
        std::thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            while stream.read(&mut buffer).is_ok_and(|read| read > 0) {}
        });
    }
    while server.listeners()? < listeners {
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut publisher = server.connection()?;
    let (begun, before) = (Instant::now(), server.cpu()?);
    for batch in 0..PUBLISHED / 100 {
        let mut pipe = redis::pipe();
        for number in batch * 100..(batch + 1) * 100 {
            let body = format!("{{\"user\":\"user000001\",\"message\":\"n\",\"body\":{number}}}");
            pipe.publish("notify_custom", body).ignore();
        }
        let () = pipe.query(&mut publisher)?;
    }
    figures.add(rate, "", PUBLISHED as f64 / begun.elapsed().as_secs_f64());
    let used = server.cpu()?.saturating_sub(before);
    figures.add(cpu, "µs", used.as_secs_f64() * 1e6 / PUBLISHED as f64);
    Ok(())
}
