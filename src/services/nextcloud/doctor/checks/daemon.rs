//! A daemon listens where the settings say.

use super::endpoint;
use crate::{
    client::{
        from_here,
        websocket::{Refusal, Request},
    },
    server::Bind,
    services::nextcloud::doctor::{
        door::{Door, Shut},
        outcome::{Check, Finding},
        patient::{Patient, Tools},
    },
    telemetry::error_chain::chain,
};
use std::{net::Ipv4Addr, path::PathBuf};

const WHY: &str = "without it clients ask Nextcloud every half minute, as they do without push";

/// Connects as a proxy would.
pub(in crate::services::nextcloud::doctor) async fn check(
    patient: &Patient,
    tools: &mut Tools,
) -> Finding {
    let listen = &patient.listen;
    let place = place(&listen.bind);
    let shown = match &place {
        Ok((host, port)) if host.contains(':') => format!("[{host}]:{port}"),
        Ok((host, port)) => format!("{host}:{port}"),
        Err(path) => path.display().to_string(),
    };
    let name = patient.place.server_names.first().map_or("localhost", String::as_str);
    let path = format!("{}/push/ws", patient.place.path);
    let request = Request { host: name.to_owned(), path };
    let opened = match Door::own(place, request, listen.opening()) {
        Ok(door) => door.enter(tools.rng.fork()).await,
        Err(error) => Err(Shut::Tls(error.to_string())),
    };
    match opened {
        Ok(_) => Finding::fine(Check::Daemon, format!("answers at {shown}")),
        Err(shut) => refused(&shown, &shut),
    }
}

/// An address that a program on this machine can use: not the wildcard.
fn place(bind: &Bind) -> Result<(String, u16), PathBuf> {
    match bind {
        Bind::Unix { path, .. } => Err(path.clone()),
        Bind::Tcp { address, port } => {
            // Without an address IPv4 is listened to in any case.
            let here = address.map_or(Ipv4Addr::LOCALHOST.into(), from_here);
            Ok((here.to_string(), *port))
        }
    }
}

fn refused(at: &str, shut: &Shut) -> Finding {
    if let Shut::Refused(Refusal { status: Some(503), later: true, .. }) = shut {
        let seen = format!("answers at {at} and takes no more clients");
        return endpoint::full(Finding::wrong(Check::Daemon, seen).why(WHY));
    }
    let seen = match shut {
        Shut::Unreachable(error) => format!("nothing answers at {at} ({error})"),
        Shut::Silent => format!("{at} takes the connection and says nothing"),
        Shut::Certificate(why) | Shut::Tls(why) => format!("TLS with {at} fails: {why}"),
        Shut::Refused(refusal) => {
            format!("what answers at {at} is no notify_push: {:?}", refusal.status_line)
        }
        Shut::Broken(error) => format!("{at}: {}", chain(error)),
    };
    let finding = Finding::wrong(Check::Daemon, seen).why(WHY);
    match shut {
        Shut::Refused(_) | Shut::Tls(_) => finding
            .advise("See who listens there, and give one of them another port (PORT):")
            .run("ss -ltnp"),
        _ => finding
            .advise(
                "Start it and see what it says. If it runs elsewhere, give the doctor its PORT:",
            )
            .run("sudo systemctl enable --now notify_push")
            .run("journalctl -u notify_push -n 50"),
    }
}

#[cfg(test)]
mod tests {
    use super::place;
    use crate::server::Bind;

    #[test]
    fn the_wildcard_is_asked_on_loopback() {
        let bind = |address: Option<&str>| Bind::Tcp {
            address: address.map(|address| address.parse().unwrap()),
            port: 7867,
        };
        assert_eq!(place(&bind(None)), Ok(("127.0.0.1".to_owned(), 7867)));
        assert_eq!(place(&bind(Some("::"))), Ok(("::1".to_owned(), 7867)));
        assert_eq!(place(&bind(Some("0.0.0.0"))), Ok(("127.0.0.1".to_owned(), 7867)));
        assert_eq!(place(&bind(Some("10.0.0.1"))), Ok(("10.0.0.1".to_owned(), 7867)));
    }
}
