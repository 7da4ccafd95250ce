//! Clients reach the daemon from outside: address, TLS, upgrade through the proxy, a ping and back.

use super::super::proxy::Proxy;
use crate::{
    client::websocket::Refusal,
    services::nextcloud::{
        doctor::{
            door::{Door, Shut},
            outcome::{Check, Finding, Outcome},
            patient::{Patient, Tools, is_near},
        },
        remote::{Endpoint, RemoteSettings, Survey, Trouble, client_config},
    },
    telemetry::error_chain::chain,
};
use std::time::Duration;
use tokio::time::{Instant, timeout};
use url::Url;

/// A ping that takes longer to come back is held up by somebody.
const AT_ONCE: Duration = Duration::from_secs(10);

const WHY: &str = "this is where clients connect";

/// What later checks build on.
pub(in crate::services::nextcloud::doctor) struct Reached {
    pub(in crate::services::nextcloud::doctor) door: Door,
    pub(in crate::services::nextcloud::doctor) url: Url,
}

/// Where clients are sent, with a finding where that can't be told.
pub(in crate::services::nextcloud::doctor) async fn address(
    patient: &Patient,
    survey: Option<&Survey>,
) -> Result<(Url, &'static str), Finding> {
    let told = match survey {
        Some(survey) => survey.endpoint(patient.credentials.as_ref()).await,
        None => Ok(Endpoint::NotShown),
    };
    match told {
        Ok(Endpoint::At(text)) => match Url::parse(&text) {
            Ok(url) if matches!(url.scheme(), "ws" | "wss") => Ok((url, "as the capabilities say")),
            _ => Err(not_set(patient, format!("the capabilities name no ws(s) address: {text:?}"))),
        },
        Ok(Endpoint::NotSet) => Err(not_set(patient, "clients are told no address".to_owned())),
        // The check of the log-in says more; the way there can be looked at without.
        Err(Trouble::Status(401)) => {
            Ok((guess(patient)?.0, "guessed: the capabilities are not shown to this log-in"))
        }
        Ok(Endpoint::NotShown) | Err(_) => guess(patient),
    }
}

/// `<Nextcloud>/push/ws`, where the documents say that it should be.
fn guess(patient: &Patient) -> Result<(Url, &'static str), Finding> {
    let nowhere = || Finding::skipped(Check::Endpoint, "Nextcloud's address is not known");
    let mut url = patient.settings().nextcloud.url.clone().ok_or_else(nowhere)?;
    let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
    url.set_scheme(scheme).map_err(|()| nowhere())?;
    let url = url.join("push/ws").map_err(|_| nowhere())?;
    Ok((url, "guessed: with --user the capabilities are asked"))
}

fn not_set(patient: &Patient, seen: String) -> Finding {
    let base = patient.settings().nextcloud.url.as_ref().map_or("https://…/", Url::as_str);
    Finding::wrong(Check::Endpoint, seen)
        .why("clients find the daemon through the capabilities; without them they ask as before")
        .advise("When the proxy passes /push/ on to the daemon, tell Nextcloud:")
        .run(format!("{} notify_push:setup {base}push", patient.occ))
}

/// Goes the way that clients go.
pub(in crate::services::nextcloud::doctor) async fn check(
    patient: &Patient,
    tools: &mut Tools,
    survey: Option<&Survey>,
) -> Outcome<Reached> {
    let (url, how) = match address(patient, survey).await {
        Ok(found) => found,
        Err(finding) => return Outcome::bad(finding),
    };
    let clear = is_clear(&url).then(|| in_the_clear(patient, &url));
    let (door, untrusted) = match open(patient, tools, &url).await {
        Ok(door) => (door, None),
        Err(Shut::Certificate(why)) => match anyway(patient, &url) {
            Some(door) => (door, Some(certificate(&url, &why))),
            None => return Outcome::bad(certificate(&url, &why)),
        },
        Err(shut) => return Outcome::bad(refused(&url, how, &shut)).and(clear),
    };
    let mut outcome = knock(door, tools, url, how).await;
    if untrusted.is_some() && outcome.value.is_some() {
        outcome.findings.clear();
    }
    outcome.and(untrusted).and(clear)
}

async fn open(patient: &Patient, tools: &mut Tools, url: &Url) -> Result<Door, Shut> {
    let door = door(patient, url, false).ok_or(Shut::Silent)?;
    door.enter(tools.rng.fork()).await.map(|_| door)
}

/// Clients are not asked whether they allow self-signed certificates: neither are we.
fn door(patient: &Patient, url: &Url, any: bool) -> Option<Door> {
    let nextcloud = &patient.settings().nextcloud;
    let mut https = url.clone();
    https.set_scheme(if url.scheme() == "wss" { "https" } else { "http" }).ok()?;
    let settings = RemoteSettings {
        allow_self_signed: any,
        ca: nextcloud.ca.clone(),
        ..RemoteSettings::new(https)
    };
    Door::at(url, client_config(&settings).ok()?)
}

fn anyway(patient: &Patient, url: &Url) -> Option<Door> {
    door(patient, url, true)
}

async fn knock(door: Door, tools: &mut Tools, url: Url, how: &str) -> Outcome<Reached> {
    let mut guest = match door.enter(tools.rng.fork()).await {
        Ok(guest) => guest,
        Err(shut) => return Outcome::bad(refused(&url, how, &shut)),
    };
    let begun = Instant::now();
    match timeout(AT_ONCE, guest.ping()).await {
        Ok(Ok(())) => {
            let millis = begun.elapsed().as_millis();
            let seen = format!("{url} ({how}): a WebSocket, and a ping is back after {millis} ms");
            let reached = Reached { door, url };
            Outcome::good(Finding::fine(Check::Endpoint, seen), reached)
        }
        Ok(Err(error)) => Outcome::bad(
            Finding::wrong(
                Check::Endpoint,
                format!("{url}: cut after the upgrade: {}", chain(&error)),
            )
            .why(WHY)
            .advise("Something in between ends WebSockets. Look into the proxy's log."),
        ),
        Err(_) => Outcome::bad(held_up(&url, "a ping does not come back at once")),
    }
}

/// Somebody in between keeps what should pass.
pub(in crate::services::nextcloud::doctor) fn held_up(url: &Url, what: &str) -> Finding {
    Finding::wrong(Check::Endpoint, format!("{url}: a WebSocket, but {what}"))
        .why("a proxy that gathers what it passes on makes every notification late")
        .advise("Turn buffering off for /push/. nginx:")
        .paste("proxy_buffering off;\nproxy_request_buffering off;")
        .advise(
            "Also look for a second proxy in between: a content delivery network, a virus scanner, \
             a firewall that inspects TLS.",
        )
}

/// Whether passwords would cross a network for all to read.
fn is_clear(url: &Url) -> bool {
    url.scheme() == "ws" && !is_near(url.host_str().unwrap_or_default())
}

fn in_the_clear(patient: &Patient, url: &Url) -> Finding {
    let mut https = url.as_str().replacen("ws://", "https://", 1);
    https.truncate(https.trim_end_matches("/ws").len());
    Finding::wrong(Check::Endpoint, format!("{url} is not encrypted"))
        .why("clients send passwords there; those on https:// pages refuse to connect at all")
        .advise("Serve Nextcloud and /push/ with TLS, then tell Nextcloud:")
        .run(format!("{} notify_push:setup {https}", patient.occ))
}

fn certificate(url: &Url, why: &str) -> Finding {
    Finding::wrong(Check::Endpoint, format!("{url}: the certificate is not trusted: {why}"))
        .why(
            "clients refuse it, too, unless they were told to trust it; ALLOW_SELF_SIGNED is for \
             the daemon's own questions to Nextcloud and changes nothing for clients",
        )
        .advise(
            "Get a certificate that everybody trusts, the intermediate certificates included. If \
             all clients trust a CA of your own, let the doctor know it:",
        )
        .paste("NEXTCLOUD_CA=/path/to/ca.pem")
}

fn refused(url: &Url, how: &str, shut: &Shut) -> Finding {
    let seen = match shut {
        Shut::Unreachable(error) => format!("{url} ({how}) can't be reached: {error}"),
        Shut::Silent => format!("{url} ({how}) does not answer in time"),
        Shut::Tls(why) => format!("{url}: TLS fails: {why}"),
        Shut::Certificate(why) => return certificate(url, why),
        Shut::Refused(refusal) => return no_upgrade(url, how, refusal),
        Shut::Broken(error) => format!("{url}: {}", chain(error)),
    };
    Finding::wrong(Check::Endpoint, seen)
        .why(WHY)
        .advise("See what answers there; in a container the public name may lead elsewhere:")
        .run(format!("curl -v {}", url.as_str().replacen("ws", "http", 1)))
}

/// Why a later check gets in no more where this one did.
pub(in crate::services::nextcloud::doctor) fn shut(
    check: Check,
    reached: &Reached,
    shut: &Shut,
) -> Finding {
    Finding { check, ..refused(&reached.url, "reached a moment ago", shut) }
}

fn no_upgrade(url: &Url, how: &str, refusal: &Refusal) -> Finding {
    let proxy = Proxy::of(refusal.server.as_deref());
    let answer = format!("{url} ({how}) answers {:?}", refusal.status_line);
    let finding = |what: &str| {
        Finding::wrong(Check::Endpoint, format!("{answer}, not a WebSocket: {what}")).why(WHY)
    };
    match refusal.status {
        Some(426 | 400) => proxy.upgrading(finding("the proxy does not pass the upgrade on")),
        Some(301..=308) => finding(&format!(
            "it leads on to {}",
            refusal.location.as_deref().unwrap_or("nowhere")
        ))
        .advise("Clients don't follow. Name the right address with occ notify_push:setup, or leave /push/ out of the redirect."),
        Some(404 | 405 | 200) => proxy.passing(finding("/push/ is not passed on to the daemon")),
        Some(401 | 403) => finding("the proxy lets nobody in")
            .advise("Leave /push/ out of what the proxy asks a password for or forbids; the daemon does that."),
        Some(503) if refusal.later => full(finding("there is no room for more clients")),
        Some(502..=504) => finding("the proxy does not reach the daemon")
            .advise("See the check \"daemon\" above, and that the proxy's rule names its address and port. From the proxy's host:")
            .run("curl -v http://127.0.0.1:7867/push/test/cookie"),
        _ => finding("look into the proxy's log"),
    }
}

/// What is done about a host that takes no more clients.
pub(in crate::services::nextcloud::doctor) fn full(finding: Finding) -> Finding {
    finding
        .advise("MAX_CONNECTIONS of this host is reached. The metrics say how many there are:")
        .run("notify_push metrics")
}

#[cfg(test)]
mod tests {
    use super::{Check, Door, Reached, Shut, is_clear, no_upgrade, shut};
    use crate::{
        client::websocket::{Refusal, Request},
        server::Opening,
    };
    use std::io;
    use url::Url;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn only_what_leaves_the_machine_needs_tls() {
        assert!(is_clear(&url("ws://cloud.example.com/push/ws")));
        for fine in ["wss://cloud.example.com/push/ws", "ws://[::1]/ws", "ws://localhost:1/ws"] {
            assert!(!is_clear(&url(fine)), "{fine}");
        }
    }

    #[test]
    fn a_later_check_says_in_words_why_it_gets_in_no_more() {
        let request = Request { host: "c".into(), path: "/ws".into() };
        let door = Door::own(Ok(("c".into(), 1)), request, Opening::default()).unwrap();
        let reached = Reached { door, url: url("wss://c/push/ws") };
        let away = Shut::Unreachable(io::ErrorKind::ConnectionRefused.into());
        let finding = shut(Check::LogIn, &reached, &away);
        assert_eq!(finding.check, Check::LogIn);
        let seen = "wss://c/push/ws (reached a moment ago) can't be reached: connection refused";
        assert_eq!(finding.seen, seen);
    }

    #[test]
    fn each_refusal_has_a_cause_of_its_own() {
        let mut seen = Vec::new();
        for status in [400, 301, 404, 403, 502, 500] {
            let status_line = format!("HTTP/1.1 {status} x");
            let refusal = Refusal { status: Some(status), status_line, ..Refusal::default() };
            let finding = no_upgrade(&url("wss://c/push/ws"), "guessed", &refusal);
            seen.push(finding.seen.split_once("WebSocket: ").unwrap().1.to_owned());
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 6, "{seen:?}");
    }
}
