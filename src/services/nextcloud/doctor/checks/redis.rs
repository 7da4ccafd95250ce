//! Redis answers and lets us in.

use super::clock::{Reading, since_1970};
use crate::{
    client::redis::{Address, Fault, Look, Pace, RedisSettings},
    services::nextcloud::doctor::{
        outcome::{Check, Finding, Outcome},
        patient::{Patient, Tools, is_near, quoted},
    },
};

const WHY: &str = "Nextcloud tells of every change through Redis; without it nobody hears anything";

/// What later checks build on.
pub(in crate::services::nextcloud::doctor) struct Reached {
    /// How its clock compares with ours.
    pub(in crate::services::nextcloud::doctor) clock: Option<Reading>,
}

/// Connects and asks.
pub(in crate::services::nextcloud::doctor) async fn check(
    patient: &Patient,
    tools: &mut Tools,
) -> Outcome<Reached> {
    let settings = &patient.settings().redis;
    match Look::take(settings.clone(), Pace::default(), tools.rng.fork()).await {
        Ok(look) => {
            let clock = look.time.map(|theirs| Reading::new("Redis", theirs, since_1970(tools)));
            let open = is_open(settings, &look.at).then(|| open(&look.at));
            Outcome::good(Finding::fine(Check::Redis, seen(&look)), Reached { clock }).and(open)
        }
        Err(fault) => Outcome::bad(refused(patient, &fault)),
    }
}

fn seen(Look { at, user, version, .. }: &Look) -> String {
    let version = version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
    let user = user.as_ref().map(|user| format!(" as user {user}")).unwrap_or_default();
    format!("Redis{version} at {at} lets us in{user}")
}

fn refused(patient: &Patient, fault: &Fault) -> Finding {
    let finding = Finding::wrong(Check::Redis, fault.to_string()).why(WHY);
    match fault {
        Fault::Connect { at: Address::Unix(path), .. } => {
            let path = quoted(&path.display().to_string());
            finding
                .advise("See that Redis runs and that this user may use its socket:")
                .run(format!("systemctl status redis-server; ls -l {path}; id"))
        }
        Fault::Connect { at: Address::Tcp(host, port), .. } => finding
            .advise("See that Redis runs, and that this host may reach it:")
            .run(format!("systemctl status redis-server; redis-cli -h {host} -p {port} ping")),
        Fault::Login { .. } => finding
            .advise("Correct user and password in config.php (redis, or notify_push_redis):")
            .paste(
                "'redis' =>\narray (\n  'host' => '…',\n  'user' => '…',\n  'password' => '…',\n),",
            ),
        Fault::Forbidden { .. } => finding
            .advise("As a Redis administrator:")
            .run(super::events::grant(patient.settings())),
        _ => finding.advise("The settings that hold are listed under settings, redis-url."),
    }
}

/// Whether anybody who reaches the server may do everything there.
fn is_open(settings: &RedisSettings, at: &Address) -> bool {
    let Address::Tcp(host, _) = at else { return false };
    settings.password.is_none()
        && settings.tls.as_ref().is_none_or(|tls| tls.client.is_none())
        && !is_near(host)
}

fn open(at: &Address) -> Finding {
    Finding::hint(Check::Redis, format!("{at} asks for no password"))
        .why(
            "whoever reaches it may publish a ticket and log in as anybody (docs/redis-acl.md). In \
             a network of containers that nobody else is in this may be intended",
        )
        .advise("Give Redis a password, and config.php the same:")
        .run("redis-cli CONFIG SET requirepass '…'; redis-cli CONFIG REWRITE")
}
