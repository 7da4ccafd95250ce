//! `notify_push healthcheck`: asks the admin listener, which says most, else the clients' listener.

use super::client::{AskError, Command, Place, TIME, ask, connect, places, say};
use crate::{
    client::{introduce_ourselves, to_ourselves},
    health::Report,
    server::{Bind, Opening},
};
use rustls::pki_types::ServerName;
use std::net::Ipv4Addr;
use tokio::time::timeout;

/// Asks whether the daemon can do its job, or with `live` only whether it runs; returns what there
/// is to say of it.
///
/// `listeners` are those for control and metrics; where there is none, the clients' own listener is
/// asked, which begins as `opening` says.
///
/// # Errors
/// [`AskError`]; [`AskError::NotReady`] when it says that it can't.
pub async fn healthcheck(
    listeners: &[Bind],
    clients: &Bind,
    opening: Opening,
    live: bool,
) -> Result<String, AskError> {
    let command = if live { Command::Live } else { Command::Ready };
    let answer = match ask(listeners, &command).await {
        Err(AskError::NoListener | AskError::NotLocal(_)) => {
            ask_clients_listener(clients, opening, &command).await
        }
        answer => answer,
    };
    match answer {
        Ok(body) => Ok(readable(&body)),
        Err(AskError::NotReady(body)) => Err(AskError::NotReady(readable(&body))),
        Err(error) => Err(error),
    }
}

/// A report as people read it; anything else as it is.
fn readable(body: &str) -> String {
    serde_json::from_str::<Report>(body)
        .map_or_else(|_| body.to_owned(), |report| report.to_string().trim_end().to_owned())
}

async fn ask_clients_listener(
    clients: &Bind,
    opening: Opening,
    command: &Command,
) -> Result<String, AskError> {
    let mut failed = AskError::NoListener;
    let places = match (places(std::slice::from_ref(clients)), clients) {
        // Whoever may not control from there may well ask how it is.
        (Err(AskError::NotLocal(ip)), Bind::Tcp { port, .. }) => {
            vec![Place::Tcp((ip, *port).into())]
        }
        (places, _) => places?,
    };
    for place in places {
        match timeout(TIME, ask_at(&place, opening, command)).await {
            Ok(Err(error @ (AskError::Nobody(..) | AskError::NotAllowed(..)))) => failed = error,
            Ok(answer) => return answer,
            Err(_) => return Err(AskError::TimedOut(place)),
        }
    }
    Err(failed)
}

async fn ask_at(place: &Place, opening: Opening, command: &Command) -> Result<String, AskError> {
    let mut stream = connect(place).await?;
    introduce_ourselves(&mut stream, opening)
        .await
        .map_err(|_| AskError::Strange(place.clone()))?;
    if !opening.tls {
        return say(stream, place, command).await;
    }
    let strange = || AskError::Strange(place.clone());
    let connector = to_ourselves().map_err(|_| strange())?;
    let name = ServerName::IpAddress(Ipv4Addr::LOCALHOST.into());
    let stream = Box::pin(connector.connect(name, stream)).await.map_err(|_| strange())?;
    say(stream, place, command).await
}
