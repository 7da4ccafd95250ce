//! Who tries wrong passwords without end, each time from another address.

use crate::clients::wire;
use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// Attempts at once.
const AT_ONCE: u64 = 64;
/// An attempt that isn't answered by then is given up.
const PATIENCE: Duration = Duration::from_secs(20);

/// They stop when dropped.
pub struct PasswordGuessers {
    shared: Arc<GuesserCounters>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct GuesserCounters {
    stop: AtomicBool,
    begun: AtomicU64,
    wrong: AtomicU64,
    later: AtomicU64,
}

impl PasswordGuessers {
    /// Lets them loose on this port.
    pub fn start(port: u16) -> Self {
        let shared = Arc::<GuesserCounters>::default();
        let guesser = |_| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                while !shared.stop.load(Relaxed) {
                    shared.guess(port);
                }
            })
        };
        Self { threads: (0..AT_ONCE).map(guesser).collect(), shared }
    }

    /// Attempts that were looked at so far, and those that were put off.
    pub fn answers(&self) -> (u64, u64) {
        (self.shared.wrong.load(Relaxed), self.shared.later.load(Relaxed))
    }
}

impl Drop for PasswordGuessers {
    fn drop(&mut self) {
        self.shared.stop.store(true, Relaxed);
        for thread in self.threads.drain(..) {
            // A guesser that panicked guesses no more either.
            let _ = thread.join();
        }
    }
}

impl GuesserCounters {
    fn guess(&self, port: u16) {
        let number = self.begun.fetch_add(1, Relaxed);
        match attempt(port, number) {
            Ok(said) if said.contains("Invalid") => self.wrong.fetch_add(1, Relaxed),
            _ => self.later.fetch_add(1, Relaxed),
        };
    }
}

/// The answer to an unknown user with a wrong password, from a network of its own: nothing
/// slows it down but the hash that it costs.
fn attempt(port: u16, number: u64) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let [.., a, b, c] = number.to_be_bytes();
    let from = format!("\r\nX-Forwarded-For: 100.{a}.{b}.{c}\r\n\r\n");
    let head = wire::UPGRADE.strip_suffix(b"\r\n\r\n").unwrap_or(wire::UPGRADE);
    let mut request = [head, from.as_bytes()].concat();
    request.extend(wire::masked(0x81, format!("nobody{number}").as_bytes()));
    request.extend(wire::masked(0x81, b"wrong"));
    stream.write_all(&request)?;
    let mut said = Vec::new();
    stream.read_to_end(&mut said)?;
    Ok(String::from_utf8_lossy(&said).into_owned())
}
