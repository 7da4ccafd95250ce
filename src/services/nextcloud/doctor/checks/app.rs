//! Nextcloud's app is enabled, uses our Redis, and goes with us.

use crate::{
    client::redis::{Fault, Keys},
    services::nextcloud::{
        doctor::{
            outcome::{Check, Finding, Outcome},
            patient::{Patient, Tools},
            token::Token,
        },
        remote::{Survey, Trouble},
    },
};

/// Where Nextcloud writes its app's version when it is asked to.
const VERSION: &str = "notify_push_app_version";

const WHY: &str = "the app Client Push publishes the changes and tells clients where to connect";

/// Asks the app, with a token that only those know who use the same Redis.
pub(in crate::services::nextcloud::doctor) async fn check(
    patient: &Patient,
    tools: &mut Tools,
    survey: &Survey,
    keys: Option<&Keys>,
) -> Outcome<Token> {
    if let Err(trouble) = survey.app().await {
        return Outcome::bad(absent(patient, &trouble));
    }
    let Some(keys) = keys else {
        return Outcome::bad(
            Finding::fine(Check::App, "Client Push is enabled")
                .detail("its version and its Redis are not looked at, because redis failed"),
        );
    };
    match Token::borrow(keys, &mut tools.rng).await {
        Ok(token) => with_token(patient, survey, keys, token).await,
        Err(Fault::Forbidden { .. }) => {
            Outcome::bad(Finding::fine(Check::App, "Client Push is enabled").detail(
                "this Redis user may not write test-token, which is as it should be; what is \
                 asked with it, occ notify_push:self-test shows",
            ))
        }
        Err(fault) => Outcome::bad(Finding::wrong(Check::App, fault.to_string()).why(WHY)),
    }
}

async fn with_token(
    patient: &Patient,
    survey: &Survey,
    keys: &Keys,
    token: Token,
) -> Outcome<Token> {
    if let Err(trouble) = survey.version(token.text()).await {
        return Outcome::bad(elsewhere(patient, &trouble));
    }
    let version = match keys.get(VERSION).await {
        Ok(version) => version.map(|version| String::from_utf8_lossy(&version).into_owned()),
        Err(fault) => {
            return Outcome::good(Finding::wrong(Check::App, fault.to_string()).why(WHY), token);
        }
    };
    let ours = &patient.settings().nextcloud.compat_version;
    Outcome::good(judge(version.as_deref().unwrap_or_default(), ours, &patient.occ), token)
}

fn absent(patient: &Patient, trouble: &Trouble) -> Finding {
    let occ = &patient.occ;
    let finding = Finding::wrong(Check::App, trouble.to_string()).why(WHY);
    match trouble {
        Trouble::NoApp => finding
            .advise("Install and enable it:")
            .run(format!("{occ} app:install notify_push"))
            .run(format!("{occ} app:enable notify_push")),
        _ => finding.advise("Look into Nextcloud's log:").run(format!("{occ} log:tail")),
    }
}

fn elsewhere(patient: &Patient, trouble: &Trouble) -> Finding {
    let refused = matches!(trouble, Trouble::Forbidden | Trouble::Status(401));
    if !refused {
        return Finding::wrong(Check::App, trouble.to_string()).why(WHY);
    }
    let occ = &patient.occ;
    Finding::wrong(Check::App, "Nextcloud does not know the token that is in the daemon's Redis")
        .why("so it uses another Redis, or another database index in it, and publishes there")
        .advise("Compare Nextcloud's Redis with the redis-url under settings:")
        .run(format!("{occ} config:system:get redis"))
        .advise("If Nextcloud uses none, it needs one:")
        .run(format!("{occ} config:system:set redis host --value=127.0.0.1"))
        .run(format!("{occ} config:system:set redis port --type=integer --value=6379"))
        .run(format!(r"{occ} config:system:set memcache.distributed --value='\OC\Memcache\Redis'"))
}

fn judge(theirs: &str, ours: &str, occ: &str) -> Finding {
    let seen = format!("Client Push {theirs} is enabled and uses this Redis");
    let (Some(app), Some(daemon)) = (line(theirs), line(ours)) else {
        return Finding::hint(Check::App, "Client Push is enabled; it does not tell its version");
    };
    if app == daemon {
        return Finding::fine(Check::App, format!("{seen}; this daemon goes with {ours}"));
    }
    let finding = Finding::wrong(Check::App, format!("{seen}, but this daemon reports {ours}"))
        .why("occ notify_push:self-test wants the same first two numbers");
    if app < daemon {
        return finding.advise("Update the app:").run(format!("{occ} app:update notify_push"));
    }
    finding
        .advise("See whether there is a newer daemon. Else report the app's version:")
        .paste(format!("COMPAT_VERSION={theirs}"))
}

/// The first two numbers, which have to be the same.
fn line(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.trim().split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::doctor::finding::{State, Step};

    #[test]
    fn the_first_two_numbers_must_be_the_same() {
        assert_eq!(judge("1.4.7", "1.4.0", "occ").state, State::Fine);
        assert_eq!(judge("", "1.4.0", "occ").state, State::Hint);
        let old = judge("1.3.9", "1.4.0", "occ");
        assert_eq!(old.remedy[1], Step::Shell("occ app:update notify_push".into()));
        let new = judge("1.10.0", "1.4.0", "occ");
        assert_eq!(new.remedy[1], Step::Lines("COMPAT_VERSION=1.10.0".into()));
    }
}
