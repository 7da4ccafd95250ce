//! A real Redis Sentinel that watches a master and its replica.

use super::{
    Folder, Server, folder, free_port,
    redis::{Redis, patiently},
    until,
};

/// The name Sentinel knows the master by.
pub(crate) const MASTER: &str = "mymaster";

/// A master, its replica, and one sentinel who alone decides.
pub(crate) struct RedisSentinel {
    /// The first master.
    pub(crate) master: Redis,
    /// The server that becomes master when the first one goes away.
    pub(crate) replica: Redis,
    sentinel: Server,
    port: u16,
    _folder: Folder,
}

impl RedisSentinel {
    /// Starts all three and waits until the sentinel knows the replica.
    pub(crate) async fn start() -> Self {
        let master = Redis::start().await;
        let port = master.port().to_string();
        let replica = Redis::start_with(&["--replicaof", "127.0.0.1", &port]).await;
        until("the replica follows", async || {
            let info: String = replica.query(redis::cmd("INFO").arg("replication")).await;
            info.contains("master_link_status:up").then_some(())
        })
        .await;
        let (folder, port) = (folder("sentinel"), free_port());
        let sentinel = sentinel(&folder, port, master.port());
        let all = Self { master, replica, sentinel, port, _folder: folder };
        all.knows_the_replica().await;
        all
    }

    /// The sentinel's port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// `redis+sentinel://127.0.0.1:port/mymaster`.
    pub(crate) fn url(&self) -> String {
        format!("redis+sentinel://127.0.0.1:{}/{MASTER}", self.port)
    }

    /// Kills the master and waits until the sentinel has made the replica master.
    pub(crate) async fn fail_over(&mut self) {
        self.master.kill();
        until("the replica becomes master", async || {
            // The sentinel first: promoting kills the replica's connections, ours among them.
            let (_, port): (String, u16) =
                self.ask(redis::cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(MASTER)).await?;
            if port != self.replica.port() {
                return None;
            }
            let info: String = self.replica.query(redis::cmd("INFO").arg("replication")).await;
            info.contains("role:master").then_some(())
        })
        .await;
    }

    async fn knows_the_replica(&self) {
        until("the sentinel knows the replica", async || {
            let replicas: Vec<redis::Value> =
                self.ask(redis::cmd("SENTINEL").arg("REPLICAS").arg(MASTER)).await?;
            (!replicas.is_empty()).then_some(())
        })
        .await;
    }

    /// `None` while the sentinel does not answer.
    async fn ask<T: redis::FromRedisValue>(&self, command: &redis::Cmd) -> Option<T> {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port)).ok()?;
        let mut connection = patiently(&client).await.ok()?;
        command.query_async(&mut connection).await.ok()
    }
}

impl Drop for RedisSentinel {
    /// Before its servers, which it would otherwise fail over.
    fn drop(&mut self) {
        self.sentinel.kill();
    }
}

fn sentinel(folder: &Folder, port: u16, master: u16) -> Server {
    let file = folder.path().join("sentinel.conf");
    let lines = [
        format!("port {port}\nbind 127.0.0.1\nprotected-mode no"),
        format!("sentinel monitor {MASTER} 127.0.0.1 {master} 1"),
        format!("sentinel down-after-milliseconds {MASTER} 300"),
        format!("sentinel failover-timeout {MASTER} 3000\n"),
    ];
    std::fs::write(&file, lines.join("\n")).expect("a file in a folder of our own");
    Server::start("redis-server", &folder.path().join("log"), move |command| {
        command.arg(&file).arg("--sentinel");
    })
}
