//! A daemon listens where the settings say.

use crate::{
    doctor::{
        door::{Door, Shut, chain},
        finding::{Check, Finding},
        patient::{Patient, Tools},
    },
    front::{Bind, Request},
    trust::{self, Trust},
};
use std::{net::IpAddr, path::PathBuf};

const WHY: &str = "without it clients ask Nextcloud every half minute, as they do without push";

/// Connects as a proxy would.
pub(in crate::doctor) async fn check(patient: &Patient, tools: &mut Tools) -> Finding {
    let listen = &patient.listen;
    let place = place(&listen.bind);
    let shown = match &place {
        Ok((host, port)) if host.contains(':') => format!("[{host}]:{port}"),
        Ok((host, port)) => format!("{host}:{port}"),
        Err(path) => path.display().to_string(),
    };
    let tls = listen.tls.as_ref().and_then(|_| any_certificate());
    let name = patient.place.server_names.first().map_or("localhost", String::as_str);
    let path = format!("{}/push/ws", patient.place.path);
    let request = Request { host: name.to_owned(), path };
    match Door::own(place, request, tls, listen.proxy_protocol).enter(tools.rng.fork()).await {
        Ok(_) => Finding::fine(Check::Daemon, format!("answers at {shown}")),
        Err(shut) => refused(&shown, &shut),
    }
}

/// An address that a program on this machine can use: not the wildcard.
fn place(bind: &Bind) -> Result<(String, u16), PathBuf> {
    match bind {
        Bind::Unix { path, .. } => Err(path.clone()),
        Bind::Tcp { address, port } => {
            let address = address.filter(|address| !address.is_unspecified());
            let host = address.map_or("127.0.0.1".to_owned(), |ip: IpAddr| ip.to_string());
            Ok((host, *port))
        }
    }
}

/// We know whom we connect to.
fn any_certificate() -> Option<rustls::ClientConfig> {
    Some(Trust::new(trust::Check::Nothing).client().ok()?.with_no_client_auth())
}

fn refused(at: &str, shut: &Shut) -> Finding {
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
    use crate::front::Bind;

    #[test]
    fn the_wildcard_is_asked_on_loopback() {
        let bind = |address: Option<&str>| Bind::Tcp {
            address: address.map(|address| address.parse().unwrap()),
            port: 7867,
        };
        assert_eq!(place(&bind(None)), Ok(("127.0.0.1".to_owned(), 7867)));
        assert_eq!(place(&bind(Some("::"))), Ok(("127.0.0.1".to_owned(), 7867)));
        assert_eq!(place(&bind(Some("10.0.0.1"))), Ok(("10.0.0.1".to_owned(), 7867)));
    }
}
