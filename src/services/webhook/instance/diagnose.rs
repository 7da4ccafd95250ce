//! The doctor's checks of a webhook service: settings, Redis and its scripts, and whether the
//! daemon answers.

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

/// Storage of registrations and messages.
const REGISTRATIONS: CheckId = CheckId::Own("registrations");
/// Whether private URLs are complete.
const URLS: CheckId = CheckId::Own("private URLs");

/// Whether Redis runs our scripts.
const SCRIPTS: CheckId = CheckId::Own("scripts");
/// Time limit for an answer.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest answer that is read, in bytes.
const MAX_LIFETIME: u64 = 4096;

/// Runs all checks and records each finding.
pub(super) async fn diagnose(
    settings: &WebhookSettings,
    mut context: DiagnosisContext,
    run: &mut CheckRun<'_>,
) {
    run.record(match &settings.redis {
        None => CheckFinding::hint(REGISTRATIONS, "registrations and messages are in memory")
            .why("a restart loses them, and a second replica doesn't share them")
            .advise("Set REDIS_URL, unless this is intended"),
        Some(redis) => shared(redis).await,
    });
    if let Some(redis) = settings.redis.as_ref().filter(|_| !run.failed(REGISTRATIONS)) {
        run.record(scripts(redis, &mut context.rng).await);
    }
    run.record(match &settings.public_url {
        Some(url) => CheckFinding::fine(URLS, format!("prefix {url}")),
        None => CheckFinding::hint(URLS, "clients receive paths only")
            .why("they have to add scheme and host themselves")
            .advise("Set PUBLIC_URL to the URL at which others reach this daemon"),
    });
    run.record(daemon(&context.listen, &context.place.path).await);
}

async fn shared(redis: &RedisSettings) -> CheckFinding {
    match ServerInspection::run(redis.clone(), RedisTimeouts::default(), fastrand::Rng::new()).await
    {
        Ok(ServerInspection { at, version, .. }) => {
            let version = version.map(|version| format!(" {version}")).unwrap_or_default();
            CheckFinding::fine(REGISTRATIONS, format!("Redis{version} at {at} accepts us"))
        }
        Err(fault) => CheckFinding::wrong(REGISTRATIONS, fault.to_string())
            .why("no client can register, connect or receive messages without it")
            .advise(
                "Correct REDIS_URL, or check that Redis runs and is reachable from this machine",
            ),
    }
}

/// Writes a key that expires after a second, with the same script mechanism as the store.
async fn scripts(redis: &RedisSettings, rng: &mut fastrand::Rng) -> CheckFinding {
    let keys = RedisClient::new(redis.clone(), RedisTimeouts::default(), rng.fork());
    let channel = channels(redis.database).first().copied().unwrap_or_default();
    let record = Arc::new(DependencyRecord::default());
    let store = RedisStore::new(keys.clone(), keys, StoreLimits::default(), channel, record);
    let name = format!("the doctor {:x}", rng.u64(..));
    match store.insert_once(&name, 1).await {
        Ok(_) => CheckFinding::fine(SCRIPTS, "Redis runs our scripts, and they can write"),
        Err(error) => CheckFinding::wrong(SCRIPTS, error.to_string())
            .why("Registrations and pushes are answered 503.")
            .advise("Grant the user the rights in docs/webhook.md; check maxmemory, and that this isn't a read-only replica"),
    }
}

/// Whether a webhook daemon answers at the shared listener.
async fn daemon(listen: &ListenSettings, path: &str) -> CheckFinding {
    let BindAddress::Tcp { address, port } = &listen.bind else {
        return CheckFinding::skipped(CheckId::Daemon, "it listens on a unix socket");
    };
    if listen.tls.is_some() {
        return CheckFinding::skipped(
            CheckId::Daemon,
            "it speaks TLS: request /api/status/ping from outside",
        );
    }
    let bound = address.filter(|address| !address.is_unspecified());
    let place = (bound.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)), *port);
    let path = format!("{path}/api/status/ping");
    match timeout(PROBE_TIMEOUT, ask(place, &path)).await {
        Ok(Ok(answer)) if is_ours(&answer) => {
            CheckFinding::fine(CheckId::Daemon, format!("port {port} answers {path}"))
        }
        Ok(Ok(_)) => {
            CheckFinding::wrong(CheckId::Daemon, format!("port {port} has no answer to {path}"))
                .why("Another program uses this port, or the daemon runs with other settings.")
                .advise("Stop it, or set another PORT")
        }
        Ok(Err(_)) | Err(_) => {
            CheckFinding::hint(CheckId::Daemon, format!("nothing answers at port {port}"))
                .why("The daemon isn't running, or not with these settings.")
                .advise("Start it with the same settings and read its log")
        }
    }
}

async fn ask(place: (IpAddr, u16), path: &str) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(place).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(MAX_LIFETIME).read_to_end(&mut answer).await?;
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
