//! Checks that proxies keep a silent connection open.

use crate::{
    client::websocket::WebSocketClientError,
    doctor::{CheckFinding, CheckId},
    services::nextcloud::doctor::connector::EndpointClient,
};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// The daemon pings a silent client within this time; a connection that lasts longer stays open.
const PING: Duration = Duration::from_secs(35);

/// Holds a silent connection for the given time.
pub(in crate::services::nextcloud::doctor) async fn check(
    mut client: EndpointClient,
    idle_time: Duration,
) -> CheckFinding {
    let started = Instant::now();
    let until = started + idle_time;
    loop {
        match timeout_at(until, client.next()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return cut(started.elapsed(), client.pings(), &error),
            Err(_) => return held(idle_time, client.pings()),
        }
    }
}

fn held(idle_time: Duration, pings: u32) -> CheckFinding {
    let seconds = idle_time.as_secs();
    let seen = format!("a silent connection lasts for {seconds} s");
    if idle_time < PING {
        let more = "the daemon pings every 30 s: --idle-time 70s shows whether the proxies wait \
                    that long";
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
            "clients detect a dead connection by missing pings, and would get messages late as well",
        )
        .advise("Look for a proxy that answers pings itself or buffers frames.")
}

fn cut(after: Duration, pings: u32, error: &WebSocketClientError) -> CheckFinding {
    let seen = format!("a silent connection was cut after {} s ({error})", after.as_secs());
    CheckFinding::wrong(CheckId::Idle, seen)
        .why(
            "disconnected clients reconnect, each time with a login; some poll for two minutes",
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
        .advise("A cloud load balancer has its own idle timeout; set it to 60 s or more.")
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
