//! What the machine can do without any daemon: the bound of every figure above.

use crate::{figures::Figures, options::Options, proc, stack::free_port};
use redis::Commands;
use std::{
    error::Error,
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A change as it goes over the wire.
const FRAME: &[u8] = b"\x81\x0bnotify_file";
/// Connections for the raw writes: both ends are ours here.
const PAIRS: usize = 5_000;

pub(super) fn run(options: &Options) -> Result<Figures, Box<dyn Error>> {
    let mut figures = Figures::default();
    writes(&mut figures, PAIRS.min(options.connections))?;
    pub_sub(&mut figures, options.seconds)?;
    Ok(figures)
}

/// Writes a frame to each of many sockets, and reads them empty between the rounds.
fn writes(figures: &mut Figures, count: usize) -> Result<(), Box<dyn Error>> {
    let before = proc::kernel_tcp_memory();
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
    let kernel = proc::kernel_tcp_memory().saturating_sub(before) as f64;
    figures.add("kernel memory each socket", "bytes", kernel / (2 * count) as f64);
    Ok(())
}

/// From PUBLISH to the subscriber, with nothing in between.
fn pub_sub(figures: &mut Figures, seconds: u64) -> Result<(), Box<dyn Error>> {
    let port = free_port()?;
    let server = Server(
        Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .stdout(Stdio::null())
            .spawn()?,
    );
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}"))?;
    let mut publisher = connect(&client)?;
    let mut listener = connect(&client)?;
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
    drop(server);
    Ok(())
}

fn connect(client: &redis::Client) -> Result<redis::Connection, Box<dyn Error>> {
    for _ in 0..200 {
        if let Ok(connection) = client.get_connection() {
            return Ok(connection);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err("redis-server did not start".into())
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // Ended already is fine too.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
