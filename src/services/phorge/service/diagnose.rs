//! What has to work for one server, looked at for the doctor: whether its listeners answer as Phorge's
//! status page wants, and whether peers take what they are told.

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

/// How long an answer may take: what Phorge waits.
const TIMEOUT: Duration = Duration::from_secs(2);

const CLIENTS: CheckId = CheckId::Own("browsers");
const ADMIN: CheckId = CheckId::Own("publishing");
const PEER: CheckId = CheckId::Own("peers");

/// Looks at everything, and tells what it finds as soon as it does.
pub(super) async fn diagnose(
    settings: &PhorgeSettings,
    visit: DiagnosisContext,
    run: &mut CheckRun<'_>,
) {
    let own_client = match peers::loopback_client() {
        Ok(client) => client,
        Err(error) => {
            return run.told(CheckFinding::wrong(ADMIN, format!("no connection at all: {error}")));
        }
    };
    for listen in &settings.clients {
        run.told(client_server(&own_client, url(listen, "/"), None).await);
    }
    if settings.clients.is_empty() {
        run.told(shared_listener(&own_client, &visit).await);
    }
    for listen in &settings.admins {
        run.told(admin_server(&own_client, url(listen, "/status/")).await);
        run.record_all(exposed(listen).into_iter().collect());
    }
    let dial = peers::http(&settings.peers, settings.peers_ca.as_deref());
    for peer in &settings.peers {
        run.told(match &dial {
            Ok(dial) => peer_server(dial, peer).await,
            Err(error) => CheckFinding::wrong(PEER, error.to_string()).advise("Mend PEERS_CA"),
        });
    }
}

/// Where other hosts may be as well: which of them is asked, its name says.
async fn shared_listener(http: &Client, visit: &DiagnosisContext) -> CheckFinding {
    if visit.listen.proxy_protocol {
        return CheckFinding::skipped(CLIENTS, "it is behind a proxy that says who connects");
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
    let why = "Browsers that are connected there hear nothing of what is published here.";
    match status(http, &url).await {
        Ok(Some(_)) => CheckFinding::fine(PEER, format!("{} answers", place(peer))),
        Ok(None) => CheckFinding::wrong(PEER, format!("{} is no admin server", place(peer)))
            .why(why)
            .advise("Give the address of the peer's admin server (usually port 22281) in cluster"),
        Err(error) => CheckFinding::wrong(PEER, format!("{} can't be reached", place(peer)))
            .detail(peers::cause(&error))
            .why(why)
            .advise(
                "See that it runs, and that its admin server listens where this one reaches it",
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
        .why("The notification server isn't running, or not with these settings.")
        .advise("Start it with the same --config and see its log")
}

/// Whoever reaches it may publish.
fn exposed(listen: &ListenSettings) -> Option<CheckFinding> {
    let BindAddress::Tcp { address, .. } = &listen.bind else { return None };
    if address.is_some_and(|address| !address.is_unspecified()) {
        return None;
    }
    let seen = "the admin server listens on all addresses";
    let why = "Nobody has to say who it is there: whoever reaches the port can tell all browsers.";
    let advice =
        "Let it listen at an address that only Phorge and peers reach, or see that a firewall does";
    Some(CheckFinding::hint(ADMIN, seen).why(why).advise(advice))
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
