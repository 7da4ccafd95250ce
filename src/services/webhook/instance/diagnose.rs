//! What has to work for webhook push, looked at for the doctor: what the settings leave open, Redis and
//! what we run there, and whether a daemon answers where this one listens.

use crate::{
    client::redis::{RedisClient, RedisSettings, RedisTimeouts, ServerInspection},
    doctor::{
        CheckRun, DiagnosisContext,
        finding::{CheckFinding, CheckId},
    },
    health::DependencyRecord,
    server::{BindAddress, ListenSettings},
    services::webhook::{
        feed::channels,
        settings::WebhookSettings,
        store::{RedisStore, RegistrationStore, StoreLimits},
    },
};
use std::{
    io,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Where registrations and messages are.
const BOOK: CheckId = CheckId::Own("registrations");
/// Whether clients are told whole URLs.
const URLS: CheckId = CheckId::Own("private URLs");

/// Whether what is kept can be written.
const SCRIPTS: CheckId = CheckId::Own("scripts");
/// How long an answer may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// The longest answer that is read.
const LONGEST: u64 = 4096;

/// Looks at everything, and tells what it finds as soon as it does.
pub(super) async fn diagnose(
    settings: &WebhookSettings,
    mut visit: DiagnosisContext,
    round: &mut CheckRun<'_>,
) {
    round.record(match &settings.redis {
        None => CheckFinding::hint(BOOK, "registrations and messages are in memory")
            .why("they are gone after a restart, and a second replica would know nothing of them")
            .advise("Set REDIS_URL, unless this is meant"),
        Some(redis) => shared(redis).await,
    });
    if let Some(redis) = settings.redis.as_ref().filter(|_| !round.failed(BOOK)) {
        round.record(scripts(redis, &mut visit.rng).await);
    }
    round.record(match &settings.public_url {
        Some(url) => CheckFinding::fine(URLS, format!("they begin with {url}")),
        None => CheckFinding::hint(URLS, "clients are told paths")
            .why("they have to put scheme and host before them")
            .advise("Set PUBLIC_URL to where others reach this daemon"),
    });
    round.record(daemon(&visit.listen, &visit.place.path).await);
}

async fn shared(redis: &RedisSettings) -> CheckFinding {
    match ServerInspection::run(redis.clone(), RedisTimeouts::default(), fastrand::Rng::new()).await
    {
        Ok(ServerInspection { at, version, .. }) => {
            let version = version.map(|version| format!(" {version}")).unwrap_or_default();
            CheckFinding::fine(BOOK, format!("Redis{version} at {at} lets us in"))
        }
        Err(fault) => CheckFinding::wrong(BOOK, fault.to_string())
            .why("nobody can be registered, let in or told without it")
            .advise("Mend REDIS_URL, or see that Redis runs and that this host reaches it"),
    }
}

/// Writes a key that is gone after a second, the way everything is written there.
async fn scripts(redis: &RedisSettings, rng: &mut fastrand::Rng) -> CheckFinding {
    let keys = RedisClient::new(redis.clone(), RedisTimeouts::default(), rng.fork());
    let channel = channels(redis.database).first().copied().unwrap_or_default();
    let record = Arc::new(DependencyRecord::default());
    let store = RedisStore::new(keys, StoreLimits::default(), channel, record);
    let name = format!("the doctor {:x}", rng.u64(..));
    match store.insert_once(&name, 1).await {
        Ok(_) => CheckFinding::fine(SCRIPTS, "Redis runs our scripts and lets them write"),
        Err(error) => CheckFinding::wrong(SCRIPTS, error.to_string())
            .why("Registrations and pushes are answered 503.")
            .advise("Give the user the rights in docs/webhook.md; see maxmemory, and that it is no read-only replica"),
    }
}

/// Whether a daemon of this kind answers at the shared listener.
async fn daemon(listen: &ListenSettings, path: &str) -> CheckFinding {
    let BindAddress::Tcp { address, port } = &listen.bind else {
        return CheckFinding::skipped(CheckId::Daemon, "it listens at a unix socket");
    };
    if listen.tls.is_some() {
        return CheckFinding::skipped(
            CheckId::Daemon,
            "it speaks TLS: ask /api/status/ping from outside",
        );
    }
    let here = address.filter(|address| !address.is_unspecified());
    let place = (here.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)), *port);
    let path = format!("{path}/api/status/ping");
    match timeout(PROBE_TIMEOUT, ask(place, &path)).await {
        Ok(Ok(answer)) if is_ours(&answer) => {
            CheckFinding::fine(CheckId::Daemon, format!("port {port} answers {path}"))
        }
        Ok(Ok(_)) => {
            CheckFinding::wrong(CheckId::Daemon, format!("port {port} has no answer to {path}"))
                .why("Something else has this port, or the daemon runs with other settings.")
                .advise("Stop it, or set another PORT")
        }
        Ok(Err(_)) | Err(_) => {
            CheckFinding::hint(CheckId::Daemon, format!("nothing answers at port {port}"))
                .why("The daemon isn't running, or not with these settings.")
                .advise("Start it with the same settings and see its log")
        }
    }
}

async fn ask(place: (IpAddr, u16), path: &str) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(place).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer).await?;
    Ok(answer)
}

fn is_ours(answer: &[u8]) -> bool {
    answer.starts_with(b"HTTP/1.1 200 ") && answer.ends_with(b"\r\n\r\npong")
}

#[cfg(test)]
mod tests {
    use super::is_ours;

    #[test]
    fn only_a_pong_is_ours() {
        assert!(is_ours(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\npong"));
        assert!(!is_ours(b"HTTP/1.1 404 Not Found\r\n\r\npong"));
        assert!(!is_ours(b"HTTP/1.1 200 OK\r\n\r\nping"));
    }
}
