//! Checks that clients can reach the daemon: address, TLS, upgrade through the proxy, a ping and its answer.

use super::super::reverse_proxy::ReverseProxy;
use crate::{
    client::websocket::UpgradeRejection,
    doctor::{CheckFinding, CheckId, CheckOutcome},
    server::ListenSettings,
    services::nextcloud::{
        doctor::{
            connector::{EndpointClient, EndpointConnector, EndpointFailure},
            target::{NextcloudCheckContext, NextcloudTarget, daemon_curl, is_near},
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

/// A longer wait for a pong means that something in between buffers.
const PROMPT: Duration = Duration::from_secs(10);

const WHY: &str = "this is where clients connect";

/// How the address is known where Nextcloud advertises it.
const ADVERTISED: &str = "as the capabilities say";

/// The endpoint for later checks.
pub(in crate::services::nextcloud::doctor) struct ReachedEndpoint {
    pub(in crate::services::nextcloud::doctor) connector: EndpointConnector,
    pub(in crate::services::nextcloud::doctor) url: Url,
}

/// The address that clients are given and how it is known, else a finding.
pub(in crate::services::nextcloud::doctor) async fn address(
    target: &NextcloudTarget,
    survey: Option<&NextcloudSurvey>,
) -> Result<(Url, &'static str), CheckFinding> {
    let advertised = match survey {
        Some(survey) => survey.endpoint(target.credentials.as_ref()).await,
        None => Ok(AdvertisedEndpoint::NotShown),
    };
    match advertised {
        Ok(AdvertisedEndpoint::At(text)) => match Url::parse(&text) {
            Ok(url) if matches!(url.scheme(), "ws" | "wss") => Ok((url, ADVERTISED)),
            _ => Err(not_set(target, format!("the capabilities name no ws(s) address: {text:?}"))),
        },
        Ok(AdvertisedEndpoint::NotSet) => {
            Err(not_set(target, "the capabilities contain no address".to_owned()))
        }
        // The login check says more; the endpoint can be checked without it.
        Err(NextcloudError::Status(401)) => {
            Ok((guess(target)?.0, "guessed: Nextcloud refuses this login the capabilities"))
        }
        Ok(AdvertisedEndpoint::NotLoggedIn) => {
            Ok((guess(target)?.0, "guessed: for Nextcloud this login is an anonymous visitor"))
        }
        Ok(AdvertisedEndpoint::NotShown) | Err(_) => guess(target),
    }
}

/// The documented address, `<Nextcloud>/push/ws`.
fn guess(target: &NextcloudTarget) -> Result<(Url, &'static str), CheckFinding> {
    let nowhere = || CheckFinding::skipped(CheckId::Endpoint, "Nextcloud's address is not known");
    let mut url = target.settings().nextcloud.url.clone().ok_or_else(nowhere)?;
    let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
    url.set_scheme(scheme).map_err(|()| nowhere())?;
    let url = url.join("push/ws").map_err(|_| nowhere())?;
    let how = match target.credentials {
        Some(_) => "guessed: the capabilities can't be read",
        None => "guessed: with --user the doctor reads the capabilities",
    };
    Ok((url, how))
}

fn not_set(target: &NextcloudTarget, seen: String) -> CheckFinding {
    let base = target.settings().nextcloud.url.as_ref().map_or("https://…/", Url::as_str);
    CheckFinding::wrong(CheckId::Endpoint, seen)
        .why("clients find the daemon through the capabilities; without the address they poll")
        .advise("When the proxy forwards /push/ to the daemon, set the address in Nextcloud:")
        .run(format!("{} notify_push:setup {base}push", target.occ))
}

/// Connects as clients do.
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
        Err(failure) => {
            let finding = saved(refused(&target.listen, &url, how, &failure), target, how);
            return CheckOutcome::bad(finding).and(clear);
        }
    };
    let mut outcome = check_ping(target, connector, context, url, how).await;
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

/// A connector that verifies certificates as clients do, whatever ALLOW_SELF_SIGNED is.
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
    target: &NextcloudTarget,
    connector: EndpointConnector,
    context: &mut NextcloudCheckContext,
    url: Url,
    how: &str,
) -> CheckOutcome<ReachedEndpoint> {
    let mut client = match connector.open_websocket(context.rng.fork()).await {
        Ok(client) => client,
        Err(failure) => return CheckOutcome::bad(refused(&target.listen, &url, how, &failure)),
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
            .advise("A proxy in between closes WebSockets. Read its log."),
        ),
        Err(_) => CheckOutcome::bad(delayed(&url, "a ping is not answered at once")),
    }
}

/// The finding about a proxy that buffers.
pub(in crate::services::nextcloud::doctor) fn delayed(url: &Url, what: &str) -> CheckFinding {
    CheckFinding::wrong(CheckId::Endpoint, format!("{url}: a WebSocket, but {what}"))
        .why("a proxy that buffers delays every notification")
        .advise("Turn buffering off for /push/. nginx:")
        .paste("proxy_buffering off;\nproxy_request_buffering off;")
        .advise(
            "Also look for a second proxy in between: a content delivery network, a virus scanner, \
             a firewall that inspects TLS.",
        )
}

/// Whether passwords would cross a network unencrypted.
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
            "clients refuse it, too, unless they are configured to trust it; ALLOW_SELF_SIGNED is \
             for the daemon's own requests to Nextcloud and changes nothing for clients",
        )
        .advise(
            "Get a certificate that all clients trust, with its intermediate certificates. If all \
             clients trust your own CA, give it to the doctor:",
        )
        .paste("NEXTCLOUD_CA=/path/to/ca.pem")
}

/// Adds how to replace an advertised address that is out of date: Nextcloud keeps what was set up once.
fn saved(finding: CheckFinding, target: &NextcloudTarget, how: &str) -> CheckFinding {
    if how != ADVERTISED {
        return finding;
    }
    let base = target.settings().nextcloud.url.as_ref().map_or("https://…/", Url::as_str);
    finding
        .advise("Nextcloud has saved this address. If the right one is another, save that:")
        .run(format!("{} notify_push:setup {base}push", target.occ))
}

fn refused(
    listen: &ListenSettings,
    url: &Url,
    how: &str,
    failure: &EndpointFailure,
) -> CheckFinding {
    let seen = match failure {
        EndpointFailure::Unreachable(error) => format!("{url} ({how}) can't be reached: {error}"),
        EndpointFailure::TimedOut => format!("{url} ({how}) does not answer in time"),
        EndpointFailure::Tls(why) => format!("{url}: TLS fails: {why}"),
        EndpointFailure::Certificate(why) => return certificate(url, why),
        EndpointFailure::Refused(rejection) => return no_upgrade(listen, url, how, rejection),
        EndpointFailure::Broken(error) => format!("{url}: {}", chain(error)),
    };
    CheckFinding::wrong(CheckId::Endpoint, seen)
        .why(WHY)
        .advise("Check what answers there; in a container the public name may lead elsewhere:")
        .run(format!("curl -v {}", url.as_str().replacen("ws", "http", 1)))
}

/// Connects again for a later check; the error is that check's finding.
pub(in crate::services::nextcloud::doctor) async fn reopen(
    check: CheckId,
    listen: &ListenSettings,
    reached: &ReachedEndpoint,
    context: &mut NextcloudCheckContext,
) -> Result<EndpointClient, CheckFinding> {
    let opened = reached.connector.open_websocket(context.rng.fork()).await;
    opened.map_err(|error| failure(check, listen, reached, &error))
}

/// The finding of a later check that fails to connect where this one succeeded.
pub(in crate::services::nextcloud::doctor) fn failure(
    check: CheckId,
    listen: &ListenSettings,
    reached: &ReachedEndpoint,
    failure: &EndpointFailure,
) -> CheckFinding {
    CheckFinding { check, ..refused(listen, &reached.url, "reached a moment ago", failure) }
}

fn no_upgrade(
    listen: &ListenSettings,
    url: &Url,
    how: &str,
    refusal: &UpgradeRejection,
) -> CheckFinding {
    let proxy = ReverseProxy::of(refusal.server.as_deref());
    let answer = format!("{url} ({how}) answers {:?}", refusal.status_line);
    let finding = |what: &str| {
        CheckFinding::wrong(CheckId::Endpoint, format!("{answer}, not a WebSocket: {what}"))
            .why(WHY)
    };
    match refusal.status {
        Some(426 | 400) => proxy.advise_upgrade(finding("the proxy does not forward the upgrade")),
        Some(301..=308) => finding(&format!(
            "it redirects to {}",
            refusal.location.as_deref().unwrap_or("nowhere")
        ))
        .advise("Clients don't follow redirects. Set the right address with occ notify_push:setup, or exclude /push/ from the redirect."),
        Some(404 | 405 | 200) => proxy.advise_location(finding("/push/ is not forwarded to the daemon"), listen),
        Some(401 | 403) => finding("the proxy refuses access")
            .advise("Exclude /push/ from the proxy's access rules; the daemon authenticates clients itself."),
        Some(503) if refusal.later => full(finding("the daemon accepts no more clients")),
        Some(502..=504) => finding("the proxy does not reach the daemon")
            .advise("See the check \"daemon\" above, and that the proxy's rule names its address and port. From the proxy's host:")
            .run(daemon_curl(listen, "/push/test/cookie")),
        _ => finding("read the proxy's log"),
    }
}

/// The remedy for a service that accepts no more clients.
pub(in crate::services::nextcloud::doctor) fn full(finding: CheckFinding) -> CheckFinding {
    finding
        .advise(
            "MAX_CONNECTIONS of this service is reached. The metrics show the number of clients:",
        )
        .run("notify_push metrics")
}

#[cfg(test)]
mod tests {
    use super::{
        CheckId, EndpointConnector, EndpointFailure, ReachedEndpoint, failure, is_unencrypted,
        no_upgrade,
    };
    use crate::{
        client::{
            ConnectionPreamble,
            websocket::{UpgradeRejection, UpgradeRequest},
        },
        server::{BindAddress, ListenSettings},
    };
    use std::io;
    use url::Url;

    fn listen() -> ListenSettings {
        let bind = BindAddress::Tcp { address: None, port: 7867 };
        ListenSettings { bind, tls: None, proxy_protocol: false }
    }

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn remote_addresses_need_tls() {
        assert!(is_unencrypted(&url("ws://cloud.example.com/push/ws")));
        for fine in ["wss://cloud.example.com/push/ws", "ws://[::1]/ws", "ws://localhost:1/ws"] {
            assert!(!is_unencrypted(&url(fine)), "{fine}");
        }
    }

    #[test]
    fn a_later_failure_has_a_readable_cause() {
        let request = UpgradeRequest { host: "c".into(), path: "/ws".into() };
        let connector =
            EndpointConnector::own(Ok(("c".into(), 1)), request, ConnectionPreamble::default())
                .unwrap();
        let reached = ReachedEndpoint { connector, url: url("wss://c/push/ws") };
        let away = EndpointFailure::Unreachable(io::ErrorKind::ConnectionRefused.into());
        let finding = failure(CheckId::Login, &listen(), &reached, &away);
        assert_eq!(finding.check, CheckId::Login);
        let seen = "wss://c/push/ws (reached a moment ago) can't be reached: connection refused";
        assert_eq!(finding.observed, seen);
    }

    #[test]
    fn each_status_has_its_own_cause() {
        let mut seen = Vec::new();
        for status in [400, 301, 404, 403, 502, 500] {
            let status_line = format!("HTTP/1.1 {status} x");
            let refusal = UpgradeRejection {
                status: Some(status),
                status_line,
                ..UpgradeRejection::default()
            };
            let finding = no_upgrade(&listen(), &url("wss://c/push/ws"), "guessed", &refusal);
            seen.push(finding.observed.split_once("WebSocket: ").unwrap().1.to_owned());
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 6, "{seen:?}");
    }
}
