//! Checks that Nextcloud answers over HTTP.

use super::clock::{ClockReading, since_1970};
use crate::{
    doctor::{CheckFinding, CheckId, CheckOutcome},
    services::nextcloud::{
        doctor::target::{NextcloudCheckContext, NextcloudTarget},
        http::{NextcloudClientSettings, NextcloudError, NextcloudStatus, NextcloudSurvey},
    },
};
use std::time::{Duration, UNIX_EPOCH};

const WHY: &str = "Nextcloud decides the logins that the database can't, and runs the self-test";

/// The HTTP client for later checks.
pub(in crate::services::nextcloud::doctor) struct ReachedNextcloud {
    pub(in crate::services::nextcloud::doctor) survey: NextcloudSurvey,
    /// Its clock compared with this host's.
    pub(in crate::services::nextcloud::doctor) clock: Option<ClockReading>,
}

/// Requests and evaluates `status.php`.
pub(in crate::services::nextcloud::doctor) async fn check(
    remote: NextcloudClientSettings,
    target: &NextcloudTarget,
    context: &NextcloudCheckContext,
) -> CheckOutcome<ReachedNextcloud> {
    let url = remote.url.clone();
    let survey = NextcloudSurvey::new(remote);
    let status = match survey.status().await {
        Ok(status) => status,
        Err(trouble) => return CheckOutcome::bad(refused(url.as_str(), &trouble, target)),
    };
    let clock = status.date.as_deref().and_then(date);
    let clock = clock.map(|theirs| ClockReading::coarse("Nextcloud", theirs, since_1970(context)));
    CheckOutcome::good(
        judge(url.as_str(), &status, &target.occ),
        ReachedNextcloud { survey, clock },
    )
}

/// Parses a Date header: RFC 9110 section 5.6.7.
fn date(header: &str) -> Option<Duration> {
    httpdate::parse_http_date(header).ok()?.duration_since(UNIX_EPOCH).ok()
}

fn judge(url: &str, status: &NextcloudStatus, occ: &str) -> CheckFinding {
    let seen = format!("Nextcloud {} answers at {url}", status.version);
    if !status.installed {
        return CheckFinding::wrong(CheckId::Nextcloud, format!("{seen}, but is not set up"))
            .why(WHY)
            .run(format!("{occ} maintenance:install"));
    }
    if status.maintenance {
        return CheckFinding::wrong(
            CheckId::Nextcloud,
            format!("{seen}, but is in maintenance mode"),
        )
        .why("no user can log in during maintenance")
        .advise("When the maintenance is over:")
        .run(format!("{occ} maintenance:mode --off"));
    }
    if status.needs_upgrade {
        return CheckFinding::wrong(
            CheckId::Nextcloud,
            format!("{seen}, but its upgrade is not finished"),
        )
        .why("it answers no other request until then")
        .run(format!("{occ} upgrade"));
    }
    CheckFinding::fine(CheckId::Nextcloud, seen)
}

fn refused(url: &str, trouble: &NextcloudError, target: &NextcloudTarget) -> CheckFinding {
    let occ = &target.occ;
    let finding = CheckFinding::wrong(CheckId::Nextcloud, format!("{url}: {trouble}")).why(WHY);
    match trouble {
        NextcloudError::Certificate(_) => finding
            .advise(
                "To trust a self-signed certificate or your own CA, set its file in the daemon's \
                 environment:",
            )
            .paste("NEXTCLOUD_CA=/path/to/ca.pem")
            .advise(
                "Or, if no attacker can reach that network, accept any certificate; clients still \
                 need a trusted one:",
            )
            .paste("ALLOW_SELF_SIGNED=true"),
        NextcloudError::Redirect { to } => finding
            .advise("Set the address that it redirects to:")
            .paste(format!("NEXTCLOUD_URL={}", to.trim_end_matches("/status.php"))),
        NextcloudError::Untrusted => {
            let host = target.settings().nextcloud.url.as_ref().and_then(|url| url.host_str());
            let host = host.unwrap_or_default();
            finding
                .advise("Read the list, then add the host at a free number:")
                .run(format!("{occ} config:system:get trusted_domains"))
                .run(format!("{occ} config:system:set trusted_domains 9 --value={host}"))
        }
        NextcloudError::Maintenance => finding
            .advise("Check whether it is in maintenance mode; if so, end it:")
            .run(format!("{occ} maintenance:mode; {occ} maintenance:mode --off")),
        _ => finding
            .advise("Check what this host receives there:")
            .run(format!("curl -v {}status.php", super::super::target::quoted(url))),
    }
}

#[cfg(test)]
mod tests {
    use super::{date, judge};
    use crate::{doctor::finding::FindingState, services::nextcloud::http::NextcloudStatus};
    use std::time::Duration;

    #[test]
    fn a_nextcloud_without_logins_is_wrong() {
        let good = NextcloudStatus {
            installed: true,
            maintenance: false,
            needs_upgrade: false,
            version: "32.0.1".into(),
            date: None,
        };
        let state = |status: &NextcloudStatus| judge("https://c/", status, "occ").state;
        assert_eq!(state(&good), FindingState::Fine);
        assert_eq!(
            state(&NextcloudStatus { maintenance: true, ..good.clone() }),
            FindingState::Wrong
        );
        assert_eq!(
            state(&NextcloudStatus { needs_upgrade: true, ..good.clone() }),
            FindingState::Wrong
        );
        assert_eq!(state(&NextcloudStatus { installed: false, ..good }), FindingState::Wrong);
    }

    #[test]
    fn the_date_header_is_read() {
        let read = date("Tue, 14 Nov 2023 22:13:20 GMT");
        assert_eq!(read, Some(Duration::from_secs(1_700_000_000)));
        assert_eq!(date("now"), None);
    }
}
