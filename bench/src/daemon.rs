//! The daemon under test.

use crate::{
    options::Binary,
    proc::{self, ProcessUsage},
    stack::{ServerStack, free_port},
};
use std::{
    error::Error,
    fs::File,
    net::TcpStream,
    os::unix::net::UnixDatagram,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// A daemon that doesn't listen by then doesn't start at all.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running daemon; it is ended when dropped.
pub struct Daemon {
    /// Where clients connect.
    pub port: u16,
    /// How long it took from its start until it said that it is ready, or until it listened to
    /// clients and to Redis where it says nothing.
    pub started_in: Duration,
    metrics: u16,
    manager: UnixDatagram,
    child: Child,
}

impl Daemon {
    /// Starts it on the stack, with more environment variables.
    pub fn start(
        binary: &Binary,
        stack: &ServerStack,
        more: &[(&str, &str)],
    ) -> Result<Self, Box<dyn Error>> {
        Self::start_at(binary, stack, more, free_port()?)
    }

    /// The same, on this port.
    pub fn start_at(
        binary: &Binary,
        stack: &ServerStack,
        more: &[(&str, &str)],
        port: u16,
    ) -> Result<Self, Box<dyn Error>> {
        let (metrics, config) = (free_port()?, stack.config()?);
        let notify = config.with_file_name(format!("notify-{port}"));
        // A daemon before this one may have left it.
        let _ = std::fs::remove_file(&notify);
        let manager = UnixDatagram::bind(&notify)?;
        manager.set_nonblocking(true)?;
        let listeners = stack.redis.listeners()?;
        let begun = Instant::now();
        let log = File::create(config.with_file_name(format!("log-{port}")))?;
        let child = Command::new(&binary.path)
            .arg(&config)
            .env("PORT", port.to_string())
            .env("BIND", "127.0.0.1")
            .env("METRICS_PORT", metrics.to_string())
            .env("LOG", "warn")
            .env("NOTIFY_SOCKET", &notify)
            // All clients come from loopback here; elsewhere they come from everywhere.
            .env("MAX_UNAUTHENTICATED", "20000")
            .env("MAX_UNAUTHENTICATED_PER_ADDRESS", "20000")
            .envs(more.iter().copied())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        let mut daemon = Self { port, started_in: Duration::ZERO, metrics, manager, child };
        daemon.started_in = daemon.wait_for(stack, listeners + 1, begun)?;
        Ok(daemon)
    }

    /// Until clients can connect and events are received. Returns when it was ready.
    fn wait_for(
        &mut self,
        stack: &ServerStack,
        listeners: usize,
        begun: Instant,
    ) -> Result<Duration, Box<dyn Error>> {
        let mut ready = None;
        while begun.elapsed() < PATIENCE {
            if ready.is_none() && self.manager.recv(&mut [0; 64]).is_ok() {
                ready = Some(begun.elapsed());
            }
            let listens = TcpStream::connect(("127.0.0.1", self.port)).is_ok();
            if listens && stack.redis.listeners()? == listeners {
                return Ok(ready.unwrap_or(begun.elapsed()));
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("the daemon ended with {status}").into());
            }
            sleep(Duration::from_micros(200));
        }
        Err("the daemon doesn't listen".into())
    }

    /// Its memory and processor time now.
    pub fn read(&self) -> std::io::Result<ProcessUsage> {
        proc::read(self.child.id())
    }

    /// One of its metrics, by the original's name.
    pub fn metric(&self, name: &str) -> Result<f64, Box<dyn Error>> {
        use std::io::{Read, Write};
        let mut stream = TcpStream::connect(("127.0.0.1", self.metrics))?;
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut page = String::new();
        stream.read_to_string(&mut page)?;
        let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(value.ok_or("no such metric")?.trim().parse()?)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Ended already is fine too.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
