//! A daemon with a user and its metrics, for tests that look at what it holds.

use super::{client::Client, daemon::Daemon, free_port, http, installation::Installation, until};

/// An app password of alice's.
pub(crate) const APP_PASSWORD: &str =
    "0123456789abcdefghijABCDEFGHIJ0123456789abcdefghijABCDEFGHIJ0123456789ab";
/// The gauge of connections that have not logged in.
pub(crate) const UNAUTHENTICATED: &str = "notify_push_unauthenticated_connections";

/// A daemon that knows alice, and its metrics.
pub(crate) struct AliceFixture {
    pub(crate) installation: Installation,
    pub(crate) daemon: Daemon,
    /// Where its metrics are.
    pub(crate) metrics: String,
}

impl AliceFixture {
    /// With more in its environment.
    pub(crate) async fn start(environment: &[(&str, &str)]) -> Self {
        let installation = Installation::start().await;
        installation.user("alice", "unused").await;
        installation.app_password("alice", APP_PASSWORD).await;
        let port = free_port().to_string();
        let more = [("METRICS_PORT", port.as_str()), ("LOG", "notify_push=info")];
        let environment: Vec<_> = more.iter().chain(environment).copied().collect();
        let daemon = installation.daemon(&environment).await;
        Self { installation, daemon, metrics: format!("127.0.0.1:{port}") }
    }

    /// One more client of alice's.
    pub(crate) async fn alice(&self) -> Client {
        Client::log_in(&self.daemon.url(), "alice", APP_PASSWORD).await
    }

    /// Waits until a client of alice's hears what is sent to her now.
    pub(crate) async fn hears(&self, client: &mut Client) {
        self.installation.custom("alice", "still_here").await;
        client.texts_before("still_here").await;
    }

    /// One of the daemon's metrics, by its name and labels.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let page = http::get(&self.metrics, "/metrics", &[]).await.body;
        let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name}: {page}"))
    }

    /// How many sockets the daemon holds.
    pub(crate) fn sockets(&self) -> usize {
        let descriptors = std::fs::read_dir(format!("/proc/{}/fd", self.daemon.id())).unwrap();
        let targets = descriptors.flatten().filter_map(|fd| std::fs::read_link(fd.path()).ok());
        targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
    }

    /// Bytes of memory that the daemon holds for itself: not its code, which comes and goes with what is
    /// run.
    pub(crate) fn memory(&self) -> u64 {
        let path = format!("/proc/{}/smaps_rollup", self.daemon.id());
        let rollup = std::fs::read_to_string(path).expect("a running daemon");
        let line = rollup.lines().find_map(|line| line.strip_prefix("Anonymous:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kib.expect("a number of KiB") << 10
    }

    /// Bytes in the kernel's buffers that the daemon's clients have not read, in any process.
    pub(crate) fn send_queues(&self) -> usize {
        let local =
            format!("{:08X}:{:04X}", u32::from_ne_bytes([127, 0, 0, 1]), self.daemon.port());
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let ours = table
            .lines()
            .map(str::split_whitespace)
            .filter_map(|mut columns| (columns.nth(1)? == local).then(|| columns.nth(2)).flatten());
        ours.map(|queues| usize::from_str_radix(&queues[..8], 16).unwrap()).sum()
    }

    /// Waits until nobody is connected and nothing is left of those who were.
    pub(crate) async fn is_empty_again(&self, sockets: usize) {
        for gauge in ["active_connection_count", "active_user_count", UNAUTHENTICATED] {
            until(gauge, async || (self.metric(gauge).await == 0).then_some(())).await;
        }
        until("the sockets are closed", async || (self.sockets() <= sockets).then_some(())).await;
    }
}
