//! What has to work for webhook push, looked at for the doctor: what the settings leave open, and Redis.

use crate::{
    doctor::{Round, Visit},
    finding::{Check, Finding},
    hosts::webhook::settings::WebhookSettings,
    source::redis::{Look, Pace, RedisSettings},
};

/// Where registrations and messages are.
const BOOK: Check = Check::Own("registrations");
/// Whether clients are told whole URLs.
const URLS: Check = Check::Own("private URLs");

/// Looks at everything, and tells what it finds as soon as it does.
pub(super) async fn look_over(settings: &WebhookSettings, visit: Visit, round: &mut Round<'_>) {
    for warning in visit.warnings {
        round.told(Finding::hint(Check::Settings, warning));
    }
    round.told(match &settings.redis {
        None => Finding::hint(BOOK, "registrations and messages are in memory")
            .why("they are gone after a restart, and a second replica would know nothing of them")
            .advise("Set REDIS_URL, unless this is meant"),
        Some(redis) => shared(redis).await,
    });
    round.told(match &settings.public_url {
        Some(url) => Finding::fine(URLS, format!("they begin with {url}")),
        None => Finding::hint(URLS, "clients are told paths")
            .why("they have to put scheme and host before them")
            .advise("Set PUBLIC_URL to where others reach this daemon"),
    });
}

async fn shared(redis: &RedisSettings) -> Finding {
    match Look::take(redis.clone(), Pace::default(), fastrand::Rng::new()).await {
        Ok(Look { at, version, .. }) => {
            let version = version.map(|version| format!(" {version}")).unwrap_or_default();
            Finding::fine(BOOK, format!("Redis{version} at {at} lets us in"))
        }
        Err(fault) => Finding::wrong(BOOK, fault.to_string())
            .why("nobody can be registered, let in or told without it")
            .advise("Mend REDIS_URL, or see that Redis runs and that this host reaches it"),
    }
}
