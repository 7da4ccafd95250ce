//! Checks that Nextcloud's app is enabled, uses the same Redis, and has a compatible version.

use super::proxies::CLIENT;
use crate::{
    client::redis::{RedisClient, RedisClientError},
    doctor::{CheckFinding, CheckId, CheckOutcome},
    services::nextcloud::{
        doctor::{
            self_test_token::SelfTestToken,
            target::{NextcloudCheckContext, NextcloudTarget},
        },
        http::{NextcloudError, NextcloudSurvey},
        self_test::APP_VERSION_KEY,
        settings::CompatVersion,
    },
};

const WHY: &str = "the app Client Push publishes the changes and tells clients where to connect";

/// Asks the app with a token from Redis, which only users of the same Redis know.
pub(in crate::services::nextcloud::doctor) async fn check(
    target: &NextcloudTarget,
    context: &mut NextcloudCheckContext,
    survey: &NextcloudSurvey,
    keys: Option<&RedisClient>,
) -> CheckOutcome<SelfTestToken> {
    if let Err(error) = survey.app().await {
        return CheckOutcome::bad(absent(target, &error));
    }
    let Some(keys) = keys else {
        return CheckOutcome::bad(
            CheckFinding::fine(CheckId::App, "Client Push is enabled")
                .detail("its version and its Redis are not checked, because redis failed"),
        );
    };
    match SelfTestToken::acquire(keys, &mut context.rng).await {
        Ok(token) => with_token(target, survey, keys, token).await,
        Err(RedisClientError::Forbidden { .. }) => {
            CheckOutcome::bad(CheckFinding::fine(CheckId::App, "Client Push is enabled").detail(
                "this Redis user may not write test-token, as it should be; occ \
                 notify_push:self-test checks what depends on it",
            ))
        }
        Err(fault) => {
            CheckOutcome::bad(CheckFinding::wrong(CheckId::App, fault.to_string()).why(WHY))
        }
    }
}

async fn with_token(
    target: &NextcloudTarget,
    survey: &NextcloudSurvey,
    keys: &RedisClient,
    token: SelfTestToken,
) -> CheckOutcome<SelfTestToken> {
    // Only this route proves that Nextcloud knows the token, and so the Redis; test/version checks none.
    let asked = match survey.remote(token.text(), CLIENT).await {
        Ok(_) => survey.version(token.text()).await,
        Err(error) => Err(error),
    };
    if let Err(error) = asked {
        token.release(keys).await;
        return CheckOutcome::bad(unusable(target, &error));
    }
    let version = match keys.get(APP_VERSION_KEY).await {
        Ok(version) => version.map(|version| String::from_utf8_lossy(&version).into_owned()),
        Err(fault) => {
            return CheckOutcome::good(
                CheckFinding::wrong(CheckId::App, fault.to_string()).why(WHY),
                token,
            );
        }
    };
    let ours = &target.settings().nextcloud.compat_version;
    CheckOutcome::good(judge(version.as_deref().unwrap_or_default(), ours, &target.occ), token)
}

fn absent(target: &NextcloudTarget, error: &NextcloudError) -> CheckFinding {
    let occ = &target.occ;
    let finding = CheckFinding::wrong(CheckId::App, error.to_string()).why(WHY);
    match error {
        NextcloudError::Status(500) => without_redis(target),
        NextcloudError::NoApp => finding
            .advise("Install and enable it:")
            .run(format!("{occ} app:install notify_push"))
            .run(format!("{occ} app:enable notify_push")),
        _ => finding.advise("Look into Nextcloud's log:").run(format!("{occ} log:tail")),
    }
}

fn unusable(target: &NextcloudTarget, error: &NextcloudError) -> CheckFinding {
    match error {
        NextcloudError::Forbidden | NextcloudError::Status(401) => another_redis(target),
        NextcloudError::Status(500) => without_redis(target),
        other => CheckFinding::wrong(CheckId::App, other.to_string()).why(WHY),
    }
}

fn another_redis(target: &NextcloudTarget) -> CheckFinding {
    let finding = CheckFinding::wrong(
        CheckId::App,
        "Nextcloud does not know the token that is in the daemon's Redis",
    )
    .why("so it uses another Redis, or another database index in it, and publishes there")
    .advise("Compare Nextcloud's Redis with the redis-url under settings:")
    .run(format!("{} config:system:get redis", target.occ))
    .advise("If Nextcloud uses none, it needs one:");
    set_redis(finding, &target.occ)
}

fn without_redis(target: &NextcloudTarget) -> CheckFinding {
    let seen = "the app Client Push answers with status 500: Nextcloud has no usable Redis";
    let finding = CheckFinding::wrong(CheckId::App, seen)
        .why("without a `redis` section in config.php the app fails at every request and publishes nothing")
        .advise("Give Nextcloud the daemon's Redis:");
    set_redis(finding, &target.occ)
        .advise("If it has one already, its log names the cause:")
        .run(format!("{} log:tail", target.occ))
}

/// Adds the commands that make Nextcloud use a Redis on its own host.
fn set_redis(finding: CheckFinding, occ: &str) -> CheckFinding {
    finding
        .run(format!("{occ} config:system:set redis host --value=127.0.0.1"))
        .run(format!("{occ} config:system:set redis port --type=integer --value=6379"))
        .run(format!(r"{occ} config:system:set memcache.distributed --value='\OC\Memcache\Redis'"))
}

fn judge(theirs: &str, ours: &CompatVersion, occ: &str) -> CheckFinding {
    let seen = format!("Client Push {theirs} is enabled and uses this Redis");
    let Some(app) = line(theirs) else {
        return CheckFinding::hint(
            CheckId::App,
            "Client Push is enabled; it does not report its version",
        );
    };
    let CompatVersion::Fixed(ours) = ours else {
        return CheckFinding::fine(
            CheckId::App,
            format!("{seen}; this daemon reports that version"),
        );
    };
    let daemon = line(ours);
    if Some(app) == daemon {
        return CheckFinding::fine(
            CheckId::App,
            format!("{seen}; this daemon is compatible with {ours}"),
        );
    }
    let finding =
        CheckFinding::wrong(CheckId::App, format!("{seen}, but this daemon reports {ours}"))
            .why("occ notify_push:self-test wants the same first two numbers");
    if Some(app) < daemon {
        return finding.advise("Update the app:").run(format!("{occ} app:update notify_push"));
    }
    finding.advise("Report the app's version:").paste("COMPAT_VERSION=auto")
}

/// The first two numbers of a version, which must be equal.
fn line(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.trim().split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::doctor::finding::{FindingState, RemedyStep};
    use crate::services::nextcloud::settings::CompatVersion;

    #[test]
    fn the_first_two_numbers_must_be_equal() {
        let ours = CompatVersion::Fixed("1.4.0".to_owned());
        assert_eq!(judge("1.4.7", &ours, "occ").state, FindingState::Fine);
        assert_eq!(judge("", &ours, "occ").state, FindingState::Hint);
        assert_eq!(judge("1.10.0", &CompatVersion::App, "occ").state, FindingState::Fine);
        let old = judge("1.3.9", &ours, "occ");
        assert_eq!(old.remedy[1], RemedyStep::Shell("occ app:update notify_push".into()));
        let new = judge("1.10.0", &ours, "occ");
        assert_eq!(new.remedy[1], RemedyStep::Lines("COMPAT_VERSION=auto".into()));
    }
}
