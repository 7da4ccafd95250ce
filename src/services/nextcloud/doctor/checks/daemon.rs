//! Checks that a daemon listens at the configured address.

use super::endpoint;
use crate::{
    client::{
        loopback_reachable,
        websocket::{UpgradeRejection, UpgradeRequest},
    },
    doctor::{CheckFinding, CheckId},
    server::BindAddress,
    services::nextcloud::doctor::{
        connector::{EndpointConnector, EndpointFailure},
        target::{NextcloudCheckContext, NextcloudTarget},
    },
    telemetry::error_chain::chain,
};
use std::{net::Ipv4Addr, path::PathBuf};

const WHY: &str = "without it clients poll Nextcloud every 30 s, as they do without push";

/// Connects to the daemon as a proxy would.
pub(in crate::services::nextcloud::doctor) async fn check(
    target: &NextcloudTarget,
    context: &mut NextcloudCheckContext,
) -> CheckFinding {
    let listen = &target.listen;
    let address = local_address(&listen.bind);
    let shown = match &address {
        Ok((host, port)) if host.contains(':') => format!("[{host}]:{port}"),
        Ok((host, port)) => format!("{host}:{port}"),
        Err(path) => path.display().to_string(),
    };
    let name = target.place.server_names.first().map_or("localhost", String::as_str);
    let path = format!("{}/push/ws", target.place.path);
    let request = UpgradeRequest { host: name.to_owned(), path };
    let opened = match EndpointConnector::own(address, request, listen.preamble()) {
        Ok(connector) => connector.open_websocket(context.rng.fork()).await,
        Err(error) => Err(EndpointFailure::Tls(error.to_string())),
    };
    match opened {
        Ok(_) => CheckFinding::fine(CheckId::Daemon, format!("answers at {shown}")),
        Err(failure) => refused(&shown, &failure),
    }
}

/// The address for a program on this machine: loopback instead of the wildcard.
fn local_address(bind: &BindAddress) -> Result<(String, u16), PathBuf> {
    match bind {
        BindAddress::Unix { path, .. } => Err(path.clone()),
        BindAddress::Tcp { address, port } => {
            // Without a configured address the daemon always listens on IPv4.
            let here = address.map_or(Ipv4Addr::LOCALHOST.into(), loopback_reachable);
            Ok((here.to_string(), *port))
        }
    }
}

fn refused(at: &str, failure: &EndpointFailure) -> CheckFinding {
    if let EndpointFailure::Refused(UpgradeRejection { status: Some(503), later: true, .. }) =
        failure
    {
        let seen = format!("answers at {at} and accepts no more clients");
        return endpoint::full(CheckFinding::wrong(CheckId::Daemon, seen).why(WHY));
    }
    let seen = match failure {
        EndpointFailure::Unreachable(error) => format!("nothing answers at {at} ({error})"),
        EndpointFailure::TimedOut => format!("{at} accepts the connection and sends nothing"),
        EndpointFailure::Certificate(why) | EndpointFailure::Tls(why) => {
            format!("TLS with {at} fails: {why}")
        }
        EndpointFailure::Refused(refusal) => {
            format!("what answers at {at} is no notify_push: {:?}", refusal.status_line)
        }
        EndpointFailure::Broken(error) => format!("{at}: {}", chain(error)),
    };
    let finding = CheckFinding::wrong(CheckId::Daemon, seen).why(WHY);
    match failure {
        EndpointFailure::Refused(_) | EndpointFailure::Tls(_) => finding
            .advise(
                "Find the program that listens there, and give one of them another port (PORT):",
            )
            .run("ss -ltnp"),
        _ => finding
            .advise("Start it and read its log. If it runs elsewhere, give the doctor its PORT:")
            .run("sudo systemctl enable --now notify_push")
            .run("journalctl -u notify_push -n 50"),
    }
}

#[cfg(test)]
mod tests {
    use super::local_address;
    use crate::server::BindAddress;

    #[test]
    fn the_wildcard_is_reached_through_loopback() {
        let bind = |address: Option<&str>| BindAddress::Tcp {
            address: address.map(|address| address.parse().unwrap()),
            port: 7867,
        };
        assert_eq!(local_address(&bind(None)), Ok(("127.0.0.1".to_owned(), 7867)));
        assert_eq!(local_address(&bind(Some("::"))), Ok(("::1".to_owned(), 7867)));
        assert_eq!(local_address(&bind(Some("0.0.0.0"))), Ok(("127.0.0.1".to_owned(), 7867)));
        assert_eq!(local_address(&bind(Some("10.0.0.1"))), Ok(("10.0.0.1".to_owned(), 7867)));
    }
}
