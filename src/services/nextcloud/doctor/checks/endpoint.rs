//! Clients reach the daemon from outside: address, TLS, upgrade through the proxy, a ping and back.

use super::super::reverse_proxy::ReverseProxy;
use crate::{
    client::websocket::UpgradeRejection,
    services::nextcloud::{
        doctor::{
            connector::{EndpointConnector, EndpointFailure},
            outcome::{CheckFinding, CheckId, CheckOutcome},
            target::{NextcloudCheckContext, NextcloudTarget, is_near},
        },
        http::{
            AdvertisedEndpoint, NextcloudClientSettings, NextcloudError, NextcloudSurvey,
            client_config,
        },
    },
    telemetry::error_chain::chain,
};
use std::time::Duration;
use tokio::time::{Instant, timeout};
use url::Url;

/// A ping that takes longer to come back is held up by somebody.
const PROMPT: Duration = Duration::from_secs(10);

const WHY: &str = "this is where clients connect";

/// What later checks build on.
pub(in crate::services::nextcloud::doctor) struct ReachedEndpoint {
    pub(in crate::services::nextcloud::doctor) connector: EndpointConnector,
    pub(in crate::services::nextcloud::doctor) url: Url,
}

/// Where clients are sent, with a finding where that can't be told.
pub(in crate::services::nextcloud::doctor) async fn address(
    target: &NextcloudTarget,
    survey: Option<&NextcloudSurvey>,
) -> Result<(Url, &'static str), CheckFinding> {
    let told = match survey {
        Some(survey) => survey.endpoint(target.credentials.as_ref()).await,
        None => Ok(AdvertisedEndpoint::NotShown),
    };
    match told {
        Ok(AdvertisedEndpoint::At(text)) => match Url::parse(&text) {
            Ok(url) if matches!(url.scheme(), "ws" | "wss") => Ok((url, "as the capabilities say")),
            _ => Err(not_set(target, format!("the capabilities name no ws(s) address: {text:?}"))),
        },
        Ok(AdvertisedEndpoint::NotSet) => {
            Err(not_set(target, "clients are told no address".to_owned()))
        }
        // The check of the log-in says more; the way there can be looked at without.
        Err(NextcloudError::Status(401)) => {
            Ok((guess(target)?.0, "guessed: the capabilities are not shown to this log-in"))
        }
        Ok(AdvertisedEndpoint::NotShown) | Err(_) => guess(target),
    }
}

/// `<Nextcloud>/push/ws`, where the documents say that it should be.
fn guess(target: &NextcloudTarget) -> Result<(Url, &'static str), CheckFinding> {
    let nowhere = || CheckFinding::skipped(CheckId::Endpoint, "Nextcloud's address is not known");
    let mut url = target.settings().nextcloud.url.clone().ok_or_else(nowhere)?;
    let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
    url.set_scheme(scheme).map_err(|()| nowhere())?;
    let url = url.join("push/ws").map_err(|_| nowhere())?;
    Ok((url, "guessed: with --user the capabilities are asked"))
}

fn not_set(target: &NextcloudTarget, seen: String) -> CheckFinding {
    let base = target.settings().nextcloud.url.as_ref().map_or("https://…/", Url::as_str);
    CheckFinding::wrong(CheckId::Endpoint, seen)
        .why("clients find the daemon through the capabilities; without them they ask as before")
        .advise("When the proxy passes /push/ on to the daemon, tell Nextcloud:")
        .run(format!("{} notify_push:setup {base}push", target.occ))
}

/// Goes the way that clients go.
pub(in crate::services::nextcloud::doctor) async fn check(
    target: &NextcloudTarget,
    context: &mut NextcloudCheckContext,
    survey: Option<&NextcloudSurvey>,
) -> CheckOutcome<ReachedEndpoint> {
    let (url, how) = match address(target, survey).await {
        Ok(found) => found,
        Err(finding) => return CheckOutcome::bad(finding),
    };
    let clear = is_unencrypted(&url).then(|| unencrypted(target, &url));
    let (connector, untrusted) = match open(target, context, &url).await {
        Ok(connector) => (connector, None),
        Err(EndpointFailure::Certificate(why)) => match without_verification(target, &url) {
            Some(connector) => (connector, Some(certificate(&url, &why))),
            None => return CheckOutcome::bad(certificate(&url, &why)),
        },
        Err(failure) => return CheckOutcome::bad(refused(&url, how, &failure)).and(clear),
    };
    let mut outcome = check_ping(connector, context, url, how).await;
    if untrusted.is_some() && outcome.value.is_some() {
        outcome.findings.clear();
    }
    outcome.and(untrusted).and(clear)
}

async fn open(
    target: &NextcloudTarget,
    context: &mut NextcloudCheckContext,
    url: &Url,
) -> Result<EndpointConnector, EndpointFailure> {
    let connector = connector(target, url, false).ok_or(EndpointFailure::TimedOut)?;
    connector.open_websocket(context.rng.fork()).await.map(|_| connector)
}

/// Clients are not asked whether they allow self-signed certificates: neither are we.
fn connector(target: &NextcloudTarget, url: &Url, any: bool) -> Option<EndpointConnector> {
    let nextcloud = &target.settings().nextcloud;
    let mut https = url.clone();
    https.set_scheme(if url.scheme() == "wss" { "https" } else { "http" }).ok()?;
    let settings = NextcloudClientSettings {
        allow_self_signed: any,
        ca: nextcloud.ca.clone(),
        ..NextcloudClientSettings::new(https)
    };
    EndpointConnector::at(url, client_config(&settings).ok()?)
}

fn without_verification(target: &NextcloudTarget, url: &Url) -> Option<EndpointConnector> {
    connector(target, url, true)
}

async fn check_ping(
    connector: EndpointConnector,
    context: &mut NextcloudCheckContext,
    url: Url,
    how: &str,
) -> CheckOutcome<ReachedEndpoint> {
    let mut client = match connector.open_websocket(context.rng.fork()).await {
        Ok(client) => client,
        Err(failure) => return CheckOutcome::bad(refused(&url, how, &failure)),
    };
    let started = Instant::now();
    match timeout(PROMPT, client.ping()).await {
        Ok(Ok(())) => {
            let millis = started.elapsed().as_millis();
            let seen = format!("{url} ({how}): a WebSocket, and a ping is back after {millis} ms");
            let reached = ReachedEndpoint { connector, url };
            CheckOutcome::good(CheckFinding::fine(CheckId::Endpoint, seen), reached)
        }
        Ok(Err(error)) => CheckOutcome::bad(
            CheckFinding::wrong(
                CheckId::Endpoint,
                format!("{url}: cut after the upgrade: {}", chain(&error)),
            )
            .why(WHY)
            .advise("Something in between ends WebSockets. Look into the proxy's log."),
        ),
        Err(_) => CheckOutcome::bad(delayed(&url, "a ping does not come back at once")),
    }
}

/// Somebody in between keeps what should pass.
pub(in crate::services::nextcloud::doctor) fn delayed(url: &Url, what: &str) -> CheckFinding {
    CheckFinding::wrong(CheckId::Endpoint, format!("{url}: a WebSocket, but {what}"))
        .why("a proxy that gathers what it passes on makes every notification late")
        .advise("Turn buffering off for /push/. nginx:")
        .paste("proxy_buffering off;\nproxy_request_buffering off;")
        .advise(
            "Also look for a second proxy in between: a content delivery network, a virus scanner, \
             a firewall that inspects TLS.",
        )
}

/// Whether passwords would cross a network for all to read.
fn is_unencrypted(url: &Url) -> bool {
    url.scheme() == "ws" && !is_near(url.host_str().unwrap_or_default())
}

fn unencrypted(target: &NextcloudTarget, url: &Url) -> CheckFinding {
    let mut https = url.as_str().replacen("ws://", "https://", 1);
    https.truncate(https.trim_end_matches("/ws").len());
    CheckFinding::wrong(CheckId::Endpoint, format!("{url} is not encrypted"))
        .why("clients send passwords there; those on https:// pages refuse to connect at all")
        .advise("Serve Nextcloud and /push/ with TLS, then tell Nextcloud:")
        .run(format!("{} notify_push:setup {https}", target.occ))
}

fn certificate(url: &Url, why: &str) -> CheckFinding {
    CheckFinding::wrong(CheckId::Endpoint, format!("{url}: the certificate is not trusted: {why}"))
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

fn refused(url: &Url, how: &str, failure: &EndpointFailure) -> CheckFinding {
    let seen = match failure {
        EndpointFailure::Unreachable(error) => format!("{url} ({how}) can't be reached: {error}"),
        EndpointFailure::TimedOut => format!("{url} ({how}) does not answer in time"),
        EndpointFailure::Tls(why) => format!("{url}: TLS fails: {why}"),
        EndpointFailure::Certificate(why) => return certificate(url, why),
        EndpointFailure::Refused(refusal) => return no_upgrade(url, how, refusal),
        EndpointFailure::Broken(error) => format!("{url}: {}", chain(error)),
    };
    CheckFinding::wrong(CheckId::Endpoint, seen)
        .why(WHY)
        .advise("See what answers there; in a container the public name may lead elsewhere:")
        .run(format!("curl -v {}", url.as_str().replacen("ws", "http", 1)))
}

/// Why a later check gets in no more where this one did.
pub(in crate::services::nextcloud::doctor) fn failure(
    check: CheckId,
    reached: &ReachedEndpoint,
    failure: &EndpointFailure,
) -> CheckFinding {
    CheckFinding { check, ..refused(&reached.url, "reached a moment ago", failure) }
}

fn no_upgrade(url: &Url, how: &str, refusal: &UpgradeRejection) -> CheckFinding {
    let proxy = ReverseProxy::of(refusal.server.as_deref());
    let answer = format!("{url} ({how}) answers {:?}", refusal.status_line);
    let finding = |what: &str| {
        CheckFinding::wrong(CheckId::Endpoint, format!("{answer}, not a WebSocket: {what}"))
            .why(WHY)
    };
    match refusal.status {
        Some(426 | 400) => proxy.advise_upgrade(finding("the proxy does not pass the upgrade on")),
        Some(301..=308) => finding(&format!(
            "it leads on to {}",
            refusal.location.as_deref().unwrap_or("nowhere")
        ))
        .advise("Clients don't follow. Name the right address with occ notify_push:setup, or leave /push/ out of the redirect."),
        Some(404 | 405 | 200) => proxy.advise_location(finding("/push/ is not passed on to the daemon")),
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
pub(in crate::services::nextcloud::doctor) fn full(finding: CheckFinding) -> CheckFinding {
    finding
        .advise("MAX_CONNECTIONS of this host is reached. The metrics say how many there are:")
        .run("notify_push metrics")
}

#[cfg(test)]
mod tests {
    use super::{
        CheckId, EndpointConnector, EndpointFailure, ReachedEndpoint, failure, is_unencrypted,
        no_upgrade,
    };
    use crate::client::{
        ConnectionPreamble,
        websocket::{UpgradeRejection, UpgradeRequest},
    };
    use std::io;
    use url::Url;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn only_what_leaves_the_machine_needs_tls() {
        assert!(is_unencrypted(&url("ws://cloud.example.com/push/ws")));
        for fine in ["wss://cloud.example.com/push/ws", "ws://[::1]/ws", "ws://localhost:1/ws"] {
            assert!(!is_unencrypted(&url(fine)), "{fine}");
        }
    }

    #[test]
    fn a_later_check_says_in_words_why_it_gets_in_no_more() {
        let request = UpgradeRequest { host: "c".into(), path: "/ws".into() };
        let connector =
            EndpointConnector::own(Ok(("c".into(), 1)), request, ConnectionPreamble::default())
                .unwrap();
        let reached = ReachedEndpoint { connector, url: url("wss://c/push/ws") };
        let away = EndpointFailure::Unreachable(io::ErrorKind::ConnectionRefused.into());
        let finding = failure(CheckId::Login, &reached, &away);
        assert_eq!(finding.check, CheckId::Login);
        let seen = "wss://c/push/ws (reached a moment ago) can't be reached: connection refused";
        assert_eq!(finding.seen, seen);
    }

    #[test]
    fn each_refusal_has_a_cause_of_its_own() {
        let mut seen = Vec::new();
        for status in [400, 301, 404, 403, 502, 500] {
            let status_line = format!("HTTP/1.1 {status} x");
            let refusal = UpgradeRejection {
                status: Some(status),
                status_line,
                ..UpgradeRejection::default()
            };
            let finding = no_upgrade(&url("wss://c/push/ws"), "guessed", &refusal);
            seen.push(finding.seen.split_once("WebSocket: ").unwrap().1.to_owned());
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 6, "{seen:?}");
    }
}
