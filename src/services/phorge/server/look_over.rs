//! What has to work for one server, looked at for the doctor: whether its listeners answer as Phorge's
//! status page wants, and whether peers take what they are told.

use crate::{
    doctor::{
        Round, Visit,
        finding::{Check, Finding},
    },
    server::{Bind, ListenSettings},
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
const PATIENCE: Duration = Duration::from_secs(2);

const CLIENTS: Check = Check::Own("browsers");
const ADMIN: Check = Check::Own("publishing");
const PEER: Check = Check::Own("peers");

/// Looks at everything, and tells what it finds as soon as it does.
pub(super) async fn look_over(settings: &PhorgeSettings, visit: Visit, round: &mut Round<'_>) {
    let ourselves = match peers::to_ourselves() {
        Ok(client) => client,
        Err(error) => {
            return round.told(Finding::wrong(ADMIN, format!("no connection at all: {error}")));
        }
    };
    for listen in &settings.clients {
        round.told(client_server(&ourselves, url(listen, "/"), None).await);
    }
    if settings.clients.is_empty() {
        round.told(shared_listener(&ourselves, &visit).await);
    }
    for listen in &settings.admins {
        round.told(admin_server(&ourselves, url(listen, "/status/")).await);
        round.all_told(exposed(listen).into_iter().collect());
    }
    let dial = peers::http(&settings.peers, settings.peers_ca.as_deref());
    for peer in &settings.peers {
        round.told(match &dial {
            Ok(dial) => peer_server(dial, peer).await,
            Err(error) => Finding::wrong(PEER, error.to_string()).advise("Mend PEERS_CA"),
        });
    }
}

/// Where other hosts may be as well: which of them is asked, its name says.
async fn shared_listener(http: &Client, visit: &Visit) -> Finding {
    if visit.listen.proxy_protocol {
        return Finding::skipped(CLIENTS, "it is behind a proxy that says who connects");
    }
    let name = visit.place.server_names.first().map(String::as_str);
    let path = format!("{}/ws/", visit.place.path);
    client_server(http, url(&visit.listen, &path), name).await
}

async fn client_server(http: &Client, url: Option<Url>, name: Option<&str>) -> Finding {
    let Some(url) = url else { return unseen(CLIENTS) };
    let mut request = http.get(url.clone()).timeout(PATIENCE);
    if let Some(name) = name {
        request = request.header(HOST, name);
    }
    match request.send().await {
        Ok(answer) if answer.status() == 501 => {
            Finding::fine(CLIENTS, format!("{} answers 501, as Phorge wants", place(&url)))
        }
        Ok(answer) => {
            Finding::wrong(CLIENTS, format!("{} answers {}, not 501", place(&url), answer.status()))
                .why("Something else has this port: browsers find no notification server there.")
                .advise("Stop it, or give the client server another port")
        }
        Err(_) => away(CLIENTS, &url),
    }
}

async fn admin_server(http: &Client, url: Option<Url>) -> Finding {
    let Some(url) = url else { return unseen(ADMIN) };
    match status(http, &url).await {
        Ok(Some(status)) => {
            let (active, version) = (&status["clients.active"], &status["version"]);
            let seen = format!("{} answers (version {version}, {active} clients)", place(&url));
            Finding::fine(ADMIN, seen)
        }
        Ok(None) => Finding::wrong(ADMIN, format!("{} is no admin server", place(&url)))
            .why("Phorge can publish nothing there.")
            .advise("Stop what has this port, or give the admin server another"),
        Err(_) => away(ADMIN, &url),
    }
}

async fn peer_server(http: &Client, peer: &Url) -> Finding {
    let mut url = peer.clone();
    url.set_path("/status/");
    let why = "Browsers that are connected there hear nothing of what is published here.";
    match status(http, &url).await {
        Ok(Some(_)) => Finding::fine(PEER, format!("{} answers", place(peer))),
        Ok(None) => Finding::wrong(PEER, format!("{} is no admin server", place(peer)))
            .why(why)
            .advise("Give the address of the peer's admin server (usually port 22281) in cluster"),
        Err(error) => Finding::wrong(PEER, format!("{} can't be reached", place(peer)))
            .detail(peers::cause(&error))
            .why(why)
            .advise(
                "See that it runs, and that its admin server listens where this one reaches it",
            ),
    }
}

async fn status(http: &Client, url: &Url) -> Result<Option<Value>, reqwest::Error> {
    let answer = http.get(url.clone()).timeout(PATIENCE).send().await?;
    if answer.status() != 200 {
        return Ok(None);
    }
    let body = answer.bytes().await?;
    let status: Option<Value> = serde_json::from_slice(&body).ok();
    Ok(status.filter(|status| status["version"].is_u64()))
}

fn unseen(check: Check) -> Finding {
    Finding::skipped(check, "it is a unix socket")
}

fn away(check: Check, url: &Url) -> Finding {
    Finding::wrong(check, format!("nothing answers at {}", place(url)))
        .why("The notification server isn't running, or not with these settings.")
        .advise("Start it with the same --config and see its log")
}

/// Whoever reaches it may publish.
fn exposed(listen: &ListenSettings) -> Option<Finding> {
    let Bind::Tcp { address, .. } = &listen.bind else { return None };
    if address.is_some_and(|address| !address.is_unspecified()) {
        return None;
    }
    let seen = "the admin server listens on all addresses";
    let why = "Nobody has to say who it is there: whoever reaches the port can tell all browsers.";
    let advice =
        "Let it listen at an address that only Phorge and peers reach, or see that a firewall does";
    Some(Finding::hint(ADMIN, seen).why(why).advise(advice))
}

fn url(listen: &ListenSettings, path: &str) -> Option<Url> {
    let Bind::Tcp { address, port } = &listen.bind else { return None };
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
