//! Redis answers and lets us in.

use super::clock::{ClockReading, since_1970};
use crate::{
    client::redis::{
        RedisAddress, RedisClientError, RedisSettings, RedisTimeouts, ServerInspection,
    },
    services::nextcloud::doctor::{
        outcome::{CheckFinding, CheckId, CheckOutcome},
        target::{NextcloudCheckContext, NextcloudTarget, is_near, quoted},
    },
};

const WHY: &str = "Nextcloud tells of every change through Redis; without it nobody hears anything";

/// What later checks build on.
pub(in crate::services::nextcloud::doctor) struct ReachedRedis {
    /// How its clock compares with ours.
    pub(in crate::services::nextcloud::doctor) clock: Option<ClockReading>,
}

/// Connects and asks.
pub(in crate::services::nextcloud::doctor) async fn check(
    target: &NextcloudTarget,
    context: &mut NextcloudCheckContext,
) -> CheckOutcome<ReachedRedis> {
    let settings = &target.settings().redis;
    match ServerInspection::take(settings.clone(), RedisTimeouts::default(), context.rng.fork())
        .await
    {
        Ok(look) => {
            let clock =
                look.time.map(|theirs| ClockReading::new("Redis", theirs, since_1970(context)));
            let open = is_open(settings, &look.at).then(|| open(&look.at));
            CheckOutcome::good(
                CheckFinding::fine(CheckId::Redis, seen(&look)),
                ReachedRedis { clock },
            )
            .and(open)
        }
        Err(fault) => CheckOutcome::bad(refused(target, &fault)),
    }
}

fn seen(ServerInspection { at, user, version, .. }: &ServerInspection) -> String {
    let version = version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
    let user = user.as_ref().map(|user| format!(" as user {user}")).unwrap_or_default();
    format!("Redis{version} at {at} lets us in{user}")
}

fn refused(target: &NextcloudTarget, fault: &RedisClientError) -> CheckFinding {
    let finding = CheckFinding::wrong(CheckId::Redis, fault.to_string()).why(WHY);
    match fault {
        RedisClientError::Connect { at: RedisAddress::Unix(path), .. } => {
            let path = quoted(&path.display().to_string());
            finding
                .advise("See that Redis runs and that this user may use its socket:")
                .run(format!("systemctl status redis-server; ls -l {path}; id"))
        }
        RedisClientError::Connect { at: RedisAddress::Tcp(host, port), .. } => finding
            .advise("See that Redis runs, and that this host may reach it:")
            .run(format!("systemctl status redis-server; redis-cli -h {host} -p {port} ping")),
        RedisClientError::Login { .. } => finding
            .advise("Correct user and password in config.php (redis, or notify_push_redis):")
            .paste(
                "'redis' =>\narray (\n  'host' => '…',\n  'user' => '…',\n  'password' => '…',\n),",
            ),
        RedisClientError::Forbidden { .. } => {
            finding.advise("As a Redis administrator:").run(super::events::grant(target.settings()))
        }
        _ => finding.advise("The settings that hold are listed under settings, redis-url."),
    }
}

/// Whether anybody who reaches the server may do everything there.
fn is_open(settings: &RedisSettings, at: &RedisAddress) -> bool {
    let RedisAddress::Tcp(host, _) = at else { return false };
    settings.password.is_none()
        && settings.tls.as_ref().is_none_or(|tls| tls.client.is_none())
        && !is_near(host)
}

fn open(at: &RedisAddress) -> CheckFinding {
    CheckFinding::hint(CheckId::Redis, format!("{at} asks for no password"))
        .why(
            "whoever reaches it may publish a ticket and log in as anybody (docs/redis-acl.md). In \
             a network of containers that nobody else is in this may be intended",
        )
        .advise("Give Redis a password, and config.php the same:")
        .run("redis-cli CONFIG SET requirepass '…'; redis-cli CONFIG REWRITE")
}
