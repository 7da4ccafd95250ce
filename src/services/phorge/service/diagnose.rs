//! The doctor's checks of one server: whether its listeners answer as Phorge's status page expects, and
//! whether its peers answer.

use crate::{
    doctor::{
        CheckRun, DiagnosisContext,
        finding::{CheckFinding, CheckId},
    },
    server::{BindAddress, ListenSettings},
    services::phorge::{config::PhorgeSettings, peers},
};
use http::header::HOST;
use reqwest::Client;
use serde_json::Value;
use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};
use url::Url;

/// How long an answer may take: as long as Phorge waits.
const TIMEOUT: Duration = Duration::from_secs(2);

const CLIENTS: CheckId = CheckId::Own("browsers");
const ADMIN: CheckId = CheckId::Own("publishing");
const PEER: CheckId = CheckId::Own("peers");

/// Runs all checks and records their findings.
pub(super) async fn diagnose(
    settings: &PhorgeSettings,
    visit: DiagnosisContext,
    run: &mut CheckRun<'_>,
) {
    let own_client = match peers::loopback_client() {
        Ok(client) => client,
        Err(error) => {
            return run.record(CheckFinding::wrong(
                ADMIN,
                format!("cannot connect to anything: {error}"),
            ));
        }
    };
    for listen in &settings.clients {
        run.record(client_server(&own_client, url(listen, "/"), None).await);
    }
    if settings.clients.is_empty() {
        run.record(shared_listener(&own_client, &visit).await);
    }
    for listen in &settings.admins {
        run.record(admin_server(&own_client, url(listen, "/status/")).await);
        run.record_all(exposed(listen).into_iter().collect());
    }
    let dial = peers::http(&settings.peers, settings.peers_ca.as_deref());
    for peer in &settings.peers {
        run.record(match &dial {
            Ok(dial) => peer_server(dial, peer).await,
            Err(error) => CheckFinding::wrong(PEER, error.to_string()).advise("Fix PEERS_CA"),
        });
    }
}

/// Checks the listener that services share; the server name selects this one.
async fn shared_listener(http: &Client, visit: &DiagnosisContext) -> CheckFinding {
    if visit.listen.proxy_protocol {
        return CheckFinding::skipped(CLIENTS, "the listener expects a PROXY protocol header");
    }
    let name = visit.place.server_names.first().map(String::as_str);
    let path = format!("{}/ws/", visit.place.path);
    client_server(http, url(&visit.listen, &path), name).await
}

async fn client_server(http: &Client, url: Option<Url>, name: Option<&str>) -> CheckFinding {
    let Some(url) = url else { return skip_unix_socket(CLIENTS) };
    let mut request = http.get(url.clone()).timeout(TIMEOUT);
    if let Some(name) = name {
        request = request.header(HOST, name);
    }
    match request.send().await {
        Ok(answer) if answer.status() == 501 => {
            CheckFinding::fine(CLIENTS, format!("{} answers 501, as Phorge wants", place(&url)))
        }
        Ok(answer) => CheckFinding::wrong(
            CLIENTS,
            format!("{} answers {}, not 501", place(&url), answer.status()),
        )
        .why("Something else has this port: browsers find no notification server there.")
        .advise("Stop it, or give the client server another port"),
        Err(_) => unreachable(CLIENTS, &url),
    }
}

async fn admin_server(http: &Client, url: Option<Url>) -> CheckFinding {
    let Some(url) = url else { return skip_unix_socket(ADMIN) };
    match status(http, &url).await {
        Ok(Some(status)) => {
            let (active, version) = (&status["clients.active"], &status["version"]);
            let seen = format!("{} answers (version {version}, {active} clients)", place(&url));
            CheckFinding::fine(ADMIN, seen)
        }
        Ok(None) => CheckFinding::wrong(ADMIN, format!("{} is no admin server", place(&url)))
            .why("Phorge can publish nothing there.")
            .advise("Stop what has this port, or give the admin server another"),
        Err(_) => unreachable(ADMIN, &url),
    }
}

async fn peer_server(http: &Client, peer: &Url) -> CheckFinding {
    let mut url = peer.clone();
    url.set_path("/status/");
    let why = "Browsers that are connected there receive nothing that is published here.";
    match status(http, &url).await {
        Ok(Some(_)) => CheckFinding::fine(PEER, format!("{} answers", place(peer))),
        Ok(None) => CheckFinding::wrong(PEER, format!("{} is no admin server", place(peer)))
            .why(why)
            .advise("Give the address of the peer's admin server (usually port 22281) in cluster"),
        Err(error) => CheckFinding::wrong(PEER, format!("{} can't be reached", place(peer)))
            .detail(peers::cause(&error))
            .why(why)
            .advise(
                "Check that it runs, and that its admin server listens where this host reaches it",
            ),
    }
}

async fn status(http: &Client, url: &Url) -> Result<Option<Value>, reqwest::Error> {
    let answer = http.get(url.clone()).timeout(TIMEOUT).send().await?;
    if answer.status() != 200 {
        return Ok(None);
    }
    let body = answer.bytes().await?;
    let status: Option<Value> = serde_json::from_slice(&body).ok();
    Ok(status.filter(|status| status["version"].is_u64()))
}

fn skip_unix_socket(check: CheckId) -> CheckFinding {
    CheckFinding::skipped(check, "it is a unix socket")
}

fn unreachable(check: CheckId, url: &Url) -> CheckFinding {
    CheckFinding::wrong(check, format!("nothing answers at {}", place(url)))
        .why("The notification server isn't running, or runs with other settings.")
        .advise("Start it with the same --config and read its log")
}

/// A hint where every host that reaches the admin server may publish.
fn exposed(listen: &ListenSettings) -> Option<CheckFinding> {
    let BindAddress::Tcp { address, .. } = &listen.bind else { return None };
    if address.is_some_and(|address| !address.is_unspecified()) {
        return None;
    }
    let observed = "the admin server listens on all addresses";
    let why = "The admin server has no authentication: any host that reaches the port can publish.";
    let advice = "Let it listen on an address that only Phorge and peers reach, or protect it with a firewall";
    Some(CheckFinding::hint(ADMIN, observed).why(why).advise(advice))
}

fn url(listen: &ListenSettings, path: &str) -> Option<Url> {
    let BindAddress::Tcp { address, port } = &listen.bind else { return None };
    let here = address.filter(|address| !address.is_unspecified());
    let host = match here.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)) {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    };
    let scheme = if listen.tls.is_some() { "https" } else { "http" };
    Url::parse(&format!("{scheme}://{host}:{port}{path}")).ok()
}

fn place(url: &Url) -> String {
    url.origin().ascii_serialization()
}
