//! Checks that messages published in Redis arrive here.

use crate::{
    client::{
        SourceEvent,
        redis::{RedisClient, RedisClientError, RedisSubscription, RedisTimeouts, RedisTopology},
    },
    doctor::{CheckFinding, CheckId, CheckOutcome},
    health::DependencyState,
    services::nextcloud::{
        channels::CHANNELS,
        doctor::target::{NextcloudCheckContext, NextcloudTarget, quoted},
        settings::NextcloudServiceSettings,
    },
};
use std::time::Duration;
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// The rights of docs/redis-acl.md, for a single server (also behind sentinels) and for a cluster.
const RIGHTS: &str = "resetkeys resetchannels -@all +subscribe +ping +get +set +select +role \
    %R~test-token %R~notify_push_app_version %W~notify_push_version %W~notify_push_metrics &notify_*";
const CLUSTER_RIGHTS: &str = "resetkeys resetchannels -@all +subscribe +ping +get +set +cluster|info \
    +cluster|slots +asking %R~test-token %R~notify_push_app_version %W~notify_push_version \
    %W~notify_push_metrics &notify_*";

/// The user of the doctor's own events: no real user's name begins with a control character, so that no
/// client receives them.
pub(in crate::services::nextcloud::doctor) const DOCTOR_USER: &str = "\u{1}doctor";
/// The channel on which an app publishes messages for a user's clients.
pub(in crate::services::nextcloud::doctor) const CUSTOM: &str = "notify_custom";
/// The time limit for a published message to arrive.
const ARRIVAL: Duration = Duration::from_secs(8);
const QUEUE_CAPACITY: usize = 64;

const WHY: &str =
    "Nextcloud publishes changes on Redis channels, and the daemon must receive them all";

/// Whether the Redis user may publish, which the daemon doesn't need.
pub(in crate::services::nextcloud::doctor) struct PublishAccess {
    pub(in crate::services::nextcloud::doctor) may_publish: bool,
}

/// Subscribes as the daemon does, and publishes a message for a user that doesn't exist.
pub(in crate::services::nextcloud::doctor) async fn check(
    target: &NextcloudTarget,
    context: &mut NextcloudCheckContext,
    keys: &RedisClient,
) -> CheckOutcome<PublishAccess> {
    let settings = target.settings();
    let (queue, mut deliveries) = mpsc::channel(QUEUE_CAPACITY);
    let (state, mut watched) = watch::channel(DependencyState::Untried);
    let subscription = RedisSubscription {
        settings: settings.redis.clone(),
        channels: CHANNELS,
        timeouts: RedisTimeouts::default(),
        rng: context.rng.fork(),
        barriers: None,
    };
    let marker = context.rng.u64(..).to_string();
    let listening = Box::pin(subscription.run(queue, state, CancellationToken::new()));
    let judging = async {
        let state =
            watched.wait_for(|state| *state != DependencyState::Untried).await.map(|s| s.clone());
        match state {
            Ok(DependencyState::Down { why, .. }) => {
                CheckOutcome::bad(subscription_failed(settings, &why))
            }
            _ => round_trip(keys, &mut deliveries, &marker).await,
        }
    };
    tokio::select! {
        outcome = judging => outcome,
        () = listening => CheckOutcome::bad(CheckFinding::wrong(CheckId::Events, "the subscription ended")),
    }
}

/// A message for the doctor's user, as JSON.
pub(in crate::services::nextcloud::doctor) fn message(marker: &str) -> String {
    serde_json::json!({ "user": DOCTOR_USER, "message": "doctor", "body": marker }).to_string()
}

async fn round_trip(
    keys: &RedisClient,
    deliveries: &mut mpsc::Receiver<SourceEvent>,
    marker: &str,
) -> CheckOutcome<PublishAccess> {
    let all = format!("listening on all {} channels", CHANNELS.len());
    match keys.publish(CUSTOM, message(marker)).await {
        Err(RedisClientError::Forbidden { .. }) => {
            let seen = format!("{all}; this Redis user may not publish, as it should be");
            return CheckOutcome::good(
                CheckFinding::fine(CheckId::Events, seen),
                PublishAccess { may_publish: false },
            );
        }
        Err(fault) => {
            return CheckOutcome::bad(
                CheckFinding::wrong(CheckId::Events, fault.to_string()).why(WHY),
            );
        }
        Ok(()) => {}
    }
    match timeout(ARRIVAL, arrival(deliveries, marker)).await {
        Ok(true) => {
            let seen = format!("{all}; a published message came back");
            CheckOutcome::good(
                CheckFinding::fine(CheckId::Events, seen),
                PublishAccess { may_publish: true },
            )
        }
        _ => CheckOutcome::bad(
            CheckFinding::wrong(
                CheckId::Events,
                format!("{all}, but a published message did not come back"),
            )
            .why(WHY)
            .advise(
                "Something between this host and Redis forwards commands but no messages: a proxy \
                     for Redis, or a cluster whose nodes can't reach each other. Check:",
            )
            .run("redis-cli PUBSUB CHANNELS 'notify_*'; redis-cli CLUSTER INFO"),
        ),
    }
}

async fn arrival(deliveries: &mut mpsc::Receiver<SourceEvent>, marker: &str) -> bool {
    while let Some(delivery) = deliveries.recv().await {
        if let SourceEvent::Message(message, _) = delivery
            && message.channel == CUSTOM
            && String::from_utf8_lossy(&message.payload).contains(marker)
        {
            return true;
        }
    }
    false
}

fn subscription_failed(settings: &NextcloudServiceSettings, why: &str) -> CheckFinding {
    let finding = CheckFinding::wrong(CheckId::Events, why).why(WHY);
    if why.contains("grant the Redis user") {
        return finding
            .advise(
                "Give the daemon's Redis user the rights of docs/redis-acl.md, as a Redis \
                 administrator; save a user of an ACL file with ACL SAVE:",
            )
            .run(grant(settings));
    }
    finding.advise("Fix the connection, then run the doctor again.")
}

/// The command that grants what the daemon needs.
pub(in crate::services::nextcloud::doctor) fn grant(settings: &NextcloudServiceSettings) -> String {
    let user = settings.redis.user.as_deref().unwrap_or("default");
    let rights = match settings.redis.topology {
        RedisTopology::Cluster(_) => CLUSTER_RIGHTS,
        RedisTopology::Single(_) | RedisTopology::Sentinel { .. } => RIGHTS,
    };
    let words = rights.split(' ').map(quoted).collect::<Vec<_>>().join(" ");
    format!("redis-cli ACL SETUSER {} {words}", quoted(user))
}

#[cfg(test)]
mod tests {
    use super::{CLUSTER_RIGHTS, RIGHTS};

    #[test]
    fn the_rights_match_the_documentation() {
        let page = include_str!("../../../../../docs/redis-acl.md");
        for rights in [RIGHTS, CLUSTER_RIGHTS] {
            assert!(page.contains(&format!(" on >CHANGE-ME {rights}\n")), "{rights}");
        }
    }
}
