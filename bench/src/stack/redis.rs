//! A Redis of our own.

use crate::proc;
use std::{
    io,
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

/// A running server; it stops when dropped.
pub struct Redis {
    /// Where it listens on loopback.
    pub port: u16,
    child: Child,
}

impl Redis {
    /// Starts one without persistence.
    pub fn start(folder: &Path) -> io::Result<Self> {
        let port = super::free_port()?;
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(["--client-output-buffer-limit", "pubsub", "0", "0", "0"])
            .current_dir(folder)
            .stdout(Stdio::null())
            .spawn()?;
        let redis = Self { port, child };
        for _ in 0..200 {
            if redis.connection().is_ok() {
                return Ok(redis);
            }
            sleep(Duration::from_millis(20));
        }
        Err(io::Error::other("redis-server did not start"))
    }

    /// Processor time it has used.
    pub fn cpu(&self) -> io::Result<Duration> {
        proc::cpu(self.child.id())
    }

    /// A connection for publishing.
    pub fn connection(&self) -> redis::RedisResult<redis::Connection> {
        redis::Client::open(format!("redis://127.0.0.1:{}", self.port))?.get_connection()
    }

    /// How many clients listen to the channel that every daemon listens to.
    pub fn listeners(&self) -> redis::RedisResult<usize> {
        let mut connection = self.connection()?;
        let (_, count): (String, usize) =
            redis::cmd("PUBSUB").arg("NUMSUB").arg("notify_custom").query(&mut connection)?;
        Ok(count)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // Ended already is fine too.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
