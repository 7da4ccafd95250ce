//! A silent connection stays: what the proxies' time-outs do.

use crate::{
    client::websocket::WebSocketClientError,
    services::nextcloud::doctor::{
        connector::EndpointClient,
        outcome::{CheckFinding, CheckId},
    },
};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// The daemon asks a silent client within this time whether it is there; after that every connection
/// that has come through so far will.
const PING: Duration = Duration::from_secs(35);

/// Holds a connection that says nothing.
pub(in crate::services::nextcloud::doctor) async fn check(
    mut client: EndpointClient,
    patience: Duration,
) -> CheckFinding {
    let started = Instant::now();
    let until = started + patience;
    loop {
        match timeout_at(until, client.next()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return cut(started.elapsed(), client.pings(), &error),
            Err(_) => return held(patience, client.pings()),
        }
    }
}

fn held(patience: Duration, pings: u32) -> CheckFinding {
    let seconds = patience.as_secs();
    let seen = format!("a silent connection lasts for {seconds} s");
    if patience < PING {
        let more = "the daemon breaks the silence every 30 s: --patience 70s shows whether the \
                    proxies wait that long";
        return CheckFinding::fine(CheckId::Idle, seen).detail(more);
    }
    if pings > 0 {
        let s = if pings == 1 { "" } else { "s" };
        return CheckFinding::fine(
            CheckId::Idle,
            format!("{seen}, with {pings} ping{s} of the daemon"),
        );
    }
    CheckFinding::wrong(CheckId::Idle, format!("{seen}, but no ping of the daemon arrives"))
        .why(
            "clients notice a dead connection by missing pings, and would receive messages as late",
        )
        .advise("Look for something in between that answers pings itself or holds frames back.")
}

fn cut(after: Duration, pings: u32, error: &WebSocketClientError) -> CheckFinding {
    let seen = format!("a silent connection was cut after {} s ({error})", after.as_secs());
    CheckFinding::wrong(CheckId::Idle, seen)
        .why(
            "clients that are cut come back, each time with a log-in; some fall back to asking for \
             two minutes",
        )
        .advise(format!(
            "The daemon had pinged {pings} times, and does so every 30 s. Let the proxy wait longer. \
             nginx:"
        ))
        .paste("proxy_read_timeout 10m;\nproxy_send_timeout 1m;")
        .advise("Apache:")
        .paste("ProxyTimeout 600")
        .advise("HAProxy:")
        .paste("timeout tunnel 1h")
        .advise("A load balancer in a cloud has an idle time-out of its own: 60 s or more.")
}

#[cfg(test)]
mod tests {
    use super::{Duration, PING, held};
    use crate::doctor::finding::FindingState;

    #[test]
    fn a_long_silence_without_a_ping_is_wrong() {
        assert_eq!(held(Duration::from_secs(5), 0).state, FindingState::Fine);
        assert_eq!(held(PING, 1).state, FindingState::Fine);
        assert_eq!(held(PING, 0).state, FindingState::Wrong);
    }
}
