//! The daemon under test.

use crate::{
    options::Binary,
    proc::{self, Reading},
    stack::{Stack, free_port},
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

/// A running daemon; it is ended when dropped.
pub struct Daemon {
    /// Where clients connect.
    pub port: u16,
    /// How long it took from its start until it listened to clients and to Redis.
    pub started_in: Duration,
    metrics: u16,
    child: Child,
}

impl Daemon {
    /// Starts it on the stack, with more environment variables.
    pub fn start(
        binary: &Binary,
        stack: &Stack,
        more: &[(&str, &str)],
    ) -> Result<Self, Box<dyn Error>> {
        Self::start_at(binary, stack, more, free_port()?)
    }

    /// The same, on this port.
    pub fn start_at(
        binary: &Binary,
        stack: &Stack,
        more: &[(&str, &str)],
        port: u16,
    ) -> Result<Self, Box<dyn Error>> {
        let (metrics, config) = (free_port()?, stack.config()?);
        let notify = config.with_file_name(format!("notify-{port}"));
        let manager = UnixDatagram::bind(&notify).or_else(|_| {
            std::fs::remove_file(&notify).and_then(|()| UnixDatagram::bind(&notify))
        })?;
        manager.set_read_timeout(Some(Duration::from_secs(10)))?;
        let begun = Instant::now();
        let log = File::create(config.with_file_name(format!("log-{port}")))?;
        let mut command = Command::new(&binary.path);
        command
            .arg(&config)
            .env("PORT", port.to_string())
            .env("BIND", "127.0.0.1")
            .env("METRICS_PORT", metrics.to_string())
            .env("LOG", "warn")
            .env("NOTIFY_SOCKET", &notify)
            .envs(more.iter().copied())
            .stdout(Stdio::null())
            .stderr(log);
        if binary.ours {
            // All clients come from loopback here; elsewhere they come from everywhere.
            command
                .env("MAX_UNAUTHENTICATED", "20000")
                .env("MAX_UNAUTHENTICATED_PER_ADDRESS", "20000");
        }
        let child = command.spawn()?;
        let mut daemon = Self { port, started_in: Duration::ZERO, metrics, child };
        if binary.ours {
            manager.recv(&mut [0; 64])?;
            daemon.started_in = begun.elapsed();
        }
        daemon.wait_for(stack)?;
        if !binary.ours {
            daemon.started_in = begun.elapsed();
        }
        Ok(daemon)
    }

    /// Until clients can connect and events are heard.
    fn wait_for(&mut self, stack: &Stack) -> Result<(), Box<dyn Error>> {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            let listens = TcpStream::connect(("127.0.0.1", self.port)).is_ok();
            if listens && stack.redis.listeners()? == 1 {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("the daemon ended with {status}").into());
            }
            sleep(Duration::from_millis(1));
        }
        Err("the daemon doesn't listen".into())
    }

    /// Its memory and processor time now.
    pub fn read(&self) -> std::io::Result<Reading> {
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
