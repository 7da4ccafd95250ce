//! What Nextcloud's app does in the self-test's routes: it shares Redis with the daemon, checks the token
//! in some of them, and trusts the forwarded headers of trusted proxies.
//!
//! The answers are those that a real Nextcloud 32 with app 1.4 gave (`specs/nextcloud.md`, section 11):
//! `test/version` checks no token, `test/remote` and `test/cookie` answer a wrong one with 403; without a
//! `redis` section in config.php the app answers every request with 500.

use super::nextcloud::{Answer, ReceivedRequest};
use ipnet::IpNet;
use redis::{AsyncCommands, aio::MultiplexedConnection};
use std::net::IpAddr;

/// The side of the stand-in that knows Redis.
#[derive(Clone)]
pub(crate) struct Php {
    /// Nextcloud's own Redis.
    pub(crate) redis: String,
    /// `trusted_proxies`.
    pub(crate) trusted: Vec<IpNet>,
    /// The app's version.
    pub(crate) version: &'static str,
}

impl Php {
    /// Only `test/remote` and `test/version` are answered.
    pub(super) async fn answer(&self, asked: &ReceivedRequest, peer: IpAddr) -> Option<Answer> {
        let what = asked.path.strip_prefix("/index.php/apps/notify_push/test/")?;
        if !["remote", "version"].contains(&what) {
            return None;
        }
        let mut redis = self.connect().await;
        if what == "version" {
            redis.set::<_, _, ()>("notify_push_app_version", self.version).await.unwrap();
            return Some(Answer::new(200, ""));
        }
        let token: Option<String> = redis.get("test-token").await.unwrap();
        if token.is_none() || token != asked.token {
            return Some(Answer::new(403, ""));
        }
        let client = self.client(peer, asked.forwarded.as_deref().unwrap_or_default());
        Some(Answer::new(200, client.to_string()))
    }

    /// The nearest hop that isn't trusted, as Nextcloud's `getRemoteAddress` finds it.
    fn client(&self, peer: IpAddr, forwarded: &str) -> IpAddr {
        let trusts = |ip: &IpAddr| self.trusted.iter().any(|net| net.contains(ip));
        if !trusts(&peer) {
            return peer;
        }
        let mut hops = forwarded.rsplit(',').filter_map(|hop| hop.trim().parse().ok());
        hops.find(|hop| !trusts(hop)).unwrap_or(peer)
    }

    async fn connect(&self) -> MultiplexedConnection {
        let client = redis::Client::open(self.redis.as_str()).unwrap();
        client.get_multiplexed_async_connection().await.unwrap()
    }
}
