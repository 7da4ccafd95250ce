//! Checks that Redis answers and accepts the login.

use super::clock::{ClockReading, since_1970};
use crate::{
    client::redis::{
        RedisAddress, RedisClientError, RedisSettings, RedisTimeouts, ServerInspection,
    },
    config::{SettingSource, setting::REDIS_URL},
    doctor::{CheckFinding, CheckId, CheckOutcome},
    services::nextcloud::doctor::target::{
        NextcloudCheckContext, NextcloudTarget, is_near, quoted,
    },
};

const WHY: &str = "Nextcloud publishes every change in Redis; without it no client is notified";

/// The result for later checks.
pub(in crate::services::nextcloud::doctor) struct ReachedRedis {
    /// Its clock compared with this host's.
    pub(in crate::services::nextcloud::doctor) clock: Option<ClockReading>,
}

/// Connects and reads the server's version and clock.
pub(in crate::services::nextcloud::doctor) async fn check(
    target: &NextcloudTarget,
    context: &mut NextcloudCheckContext,
) -> CheckOutcome<ReachedRedis> {
    let settings = &target.settings().redis;
    match ServerInspection::run(settings.clone(), RedisTimeouts::default(), context.rng.fork())
        .await
    {
        Ok(inspection) => {
            let clock = inspection
                .time
                .map(|theirs| ClockReading::new("Redis", theirs, since_1970(context)));
            let open = is_open(settings, &inspection.at).then(|| open(&inspection.at));
            CheckOutcome::good(
                CheckFinding::fine(CheckId::Redis, description(&inspection)),
                ReachedRedis { clock },
            )
            .and(open)
        }
        Err(fault) => CheckOutcome::bad(refused(target, &fault)),
    }
}

fn description(ServerInspection { at, user, version, .. }: &ServerInspection) -> String {
    let version = version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
    let user = user.as_ref().map(|user| format!(" as user {user}")).unwrap_or_default();
    format!("Redis{version} at {at} accepts the login{user}")
}

fn refused(target: &NextcloudTarget, fault: &RedisClientError) -> CheckFinding {
    let finding = CheckFinding::wrong(CheckId::Redis, fault.to_string()).why(WHY);
    match fault {
        RedisClientError::Connect { at: RedisAddress::Unix(path), .. } => {
            let path = quoted(&path.display().to_string());
            finding
                .advise("Check that Redis runs and that this user may use its socket:")
                .run(format!("systemctl status redis-server; ls -l {path}; id"))
        }
        RedisClientError::Connect { at: RedisAddress::Tcp(host, port), .. } => finding
            .advise("Check that Redis runs, and that this host can reach it:")
            .run(format!("systemctl status redis-server; redis-cli -h {host} -p {port} ping")),
        RedisClientError::Login { .. } | RedisClientError::PasswordNeeded { .. }
            if !is_from_file(target) =>
        {
            let source = target.source(REDIS_URL.name).map(ToString::to_string).unwrap_or_default();
            finding.advise(format!("Correct user and password where they are set: {source}"))
        }
        RedisClientError::Login { .. } | RedisClientError::PasswordNeeded { .. } => finding
            .advise("Correct user and password in config.php (redis, or notify_push_redis):")
            .paste(
                "'redis' =>\narray (\n  'host' => '…',\n  'user' => '…',\n  'password' => '…',\n),",
            ),
        RedisClientError::Forbidden { .. } => {
            finding.advise("As a Redis administrator:").run(super::events::grant(target.settings()))
        }
        _ => finding
            .advise(format!("The settings in use are listed under settings, {}.", REDIS_URL.name)),
    }
}

/// Whether Redis is configured in config.php.
fn is_from_file(target: &NextcloudTarget) -> bool {
    matches!(target.source(REDIS_URL.name), None | Some(SettingSource::File { .. }))
}

/// Whether any host that reaches the server has full access.
fn is_open(settings: &RedisSettings, at: &RedisAddress) -> bool {
    let RedisAddress::Tcp(host, _) = at else { return false };
    settings.password.is_none()
        && settings.tls.as_ref().is_none_or(|tls| tls.client.is_none())
        && !is_near(host)
}

fn open(at: &RedisAddress) -> CheckFinding {
    CheckFinding::hint(CheckId::Redis, format!("{at} requires no password"))
        .why(
            "any host that reaches it can publish a ticket and log in as any user \
             (docs/redis-acl.md). In a private container network this may be intended",
        )
        .advise("Give Redis a password, and config.php the same:")
        .run("redis-cli CONFIG SET requirepass '…'; redis-cli CONFIG REWRITE")
}
