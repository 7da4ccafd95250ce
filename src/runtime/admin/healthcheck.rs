//! `notify_push healthcheck`: asks the admin listener, which says most, else the clients' listener.

use super::client::{
    AdminAddress, AdminClientError, AdminCommand, addresses, ask, connect, first_answer, say,
};
use crate::{
    client::{ConnectionPreamble, self_tls_connector, send_proxy_preamble},
    health::HealthReport,
    server::BindAddress,
};
use rustls::pki_types::ServerName;
use std::net::Ipv4Addr;

/// Asks whether the daemon is ready, or with `live` whether it runs, and returns the text to print.
///
/// `listeners` are those for operators. If there is none, the clients' listener is asked, whose
/// connections begin with `opening`.
///
/// # Errors
/// [`AdminClientError`]; [`AdminClientError::NotReady`] when the daemon reports that.
pub async fn healthcheck(
    listeners: &[BindAddress],
    clients: &BindAddress,
    opening: ConnectionPreamble,
    live: bool,
) -> Result<String, AdminClientError> {
    let command = if live { AdminCommand::Live } else { AdminCommand::Ready };
    let answer = match ask(listeners, &command).await {
        Err(AdminClientError::NoListener | AdminClientError::NotLocal(_)) => {
            ask_clients_listener(clients, opening, &command).await
        }
        answer => answer,
    };
    match answer {
        Ok(body) => Ok(format_report(&body)),
        Err(AdminClientError::NotReady(body)) => {
            Err(AdminClientError::NotReady(format_report(&body)))
        }
        Err(error) => Err(error),
    }
}

/// Formats a report for people; other answers are returned unchanged.
fn format_report(body: &str) -> String {
    serde_json::from_str::<HealthReport>(body)
        .map_or_else(|_| body.to_owned(), |report| report.to_string().trim_end().to_owned())
}

async fn ask_clients_listener(
    clients: &BindAddress,
    opening: ConnectionPreamble,
    command: &AdminCommand,
) -> Result<String, AdminClientError> {
    let addresses = match (addresses(std::slice::from_ref(clients)), clients) {
        // A peer that may not control the daemon may still ask for its health.
        (Err(AdminClientError::NotLocal(ip)), BindAddress::Tcp { port, .. }) => {
            vec![AdminAddress::Tcp((ip, *port).into())]
        }
        (addresses, _) => addresses?,
    };
    first_answer(addresses, async |place| ask_at(place, opening, command).await).await
}

async fn ask_at(
    place: &AdminAddress,
    opening: ConnectionPreamble,
    command: &AdminCommand,
) -> Result<String, AdminClientError> {
    let mut stream = connect(place).await?;
    send_proxy_preamble(&mut stream, opening)
        .await
        .map_err(|_| AdminClientError::NotADaemon(place.clone()))?;
    if !opening.tls {
        return say(stream, place, command).await;
    }
    let not_a_daemon = || AdminClientError::NotADaemon(place.clone());
    let connector = self_tls_connector().map_err(|_| not_a_daemon())?;
    let name = ServerName::IpAddress(Ipv4Addr::LOCALHOST.into());
    let stream = Box::pin(connector.connect(name, stream)).await.map_err(|_| not_a_daemon())?;
    say(stream, place, command).await
}
