//! A complete installation to check: Redis, database, Nextcloud, daemon, nginx in front.

use crate::support::{
    certificates::Certificates,
    daemon::Daemon,
    installation::Installation,
    nextcloud::{Answer, Nextcloud, NextcloudSetup},
    php::Php,
    reverse_proxy::{self, ReverseProxy},
};
use notify_push::{
    cli::{LoadInputs, ProgramCommand},
    config,
    config::{ServiceKind, SystemProbes},
    doctor,
    doctor::{
        CheckFinding, CheckId, CheckRun, DescriptorLimits, DiagnosisContext, FindingState,
        RemedyStep,
    },
    push::LoginCredentials,
    services::{
        Service as _,
        nextcloud::{NextcloudService, settings::NEXTCLOUD_SETTINGS},
    },
};
use std::{
    ffi::OsString,
    sync::Arc,
    time::{Duration, SystemTime},
};

pub(super) const STATUS: &str = r#"{"installed":true,"maintenance":false,"needsDbUpgrade":false,
    "version":"32.0.1.2","versionstring":"32.0.1","productname":"Nextcloud"}"#;
const CAPABILITIES: &str = "/ocs/v2.php/cloud/capabilities?format=json";

pub(super) type NextcloudConfig = notify_push::cli::LoadedConfig<NextcloudService>;

/// All of it. Nextcloud and the proxy are at their own ports of 127.0.0.1, and all is well unless a
/// test says otherwise.
pub(super) struct DoctorFixture {
    pub(super) installation: Installation,
    pub(super) nextcloud: Nextcloud,
    pub(super) daemon: Daemon,
    pub(super) proxy: ReverseProxy,
    pub(super) certificates: Certificates,
}

impl DoctorFixture {
    pub(super) async fn healthy() -> Self {
        Self::with_mistakes(&[]).await
    }

    /// nginx with these mistakes in its file.
    pub(super) async fn with_mistakes(mistakes: &[(&str, &str)]) -> Self {
        Self::with(mistakes, "database").await
    }

    /// A daemon whose logins Nextcloud decides after the database.
    pub(super) async fn healthy_with_nextcloud_logins() -> Self {
        Self::with(&[], "database,nextcloud").await
    }

    async fn with(mistakes: &[(&str, &str)], auth: &str) -> Self {
        let (installation, certificates) = (Installation::start().await, Certificates::new());
        installation.user_with_home("alice", 1, 1).await;
        let nextcloud = Nextcloud::start(NextcloudSetup::default()).await;
        nextcloud.answer("/status.php", Some(Answer::new(200, STATUS)));
        let url = nextcloud.url();
        let daemon = installation.daemon(&[("NEXTCLOUD_URL", &url), ("AUTH", auth)]).await;
        let proxy =
            ReverseProxy::with(reverse_proxy::Kind::Nginx, daemon.port(), &certificates, mistakes)
                .await;
        let fixture = Self { installation, nextcloud, daemon, proxy, certificates };
        fixture.trusts(&["127.0.0.1"]);
        fixture.sends_clients_to(&fixture.proxy.url());
        fixture
    }

    /// Nextcloud's trusted proxies.
    pub(super) fn trusts(&self, networks: &[&str]) {
        self.plays(networks, "1.4.3");
    }

    pub(super) fn plays(&self, networks: &[&str], version: &'static str) {
        let network = |text: &&str| config::network(text).unwrap();
        let trusted = networks.iter().map(network).collect();
        self.nextcloud.plays(Php { redis: self.installation.redis.url(), trusted, version });
    }

    /// Sets the address in the capabilities.
    pub(super) fn sends_clients_to(&self, url: &str) {
        self.shows_capabilities(&serde_json::json!({
            "core": {"pollinterval": 60, "webdav-root": "remote.php/webdav"},
            "notify_push": {"type": ["files"], "endpoints": {"websocket": url}},
        }));
    }

    /// Answers everybody with what a real Nextcloud 32 shows anonymous visitors, and also users with a
    /// second factor who send their account password (`specs/nextcloud.md`, section 11).
    pub(super) fn takes_everybody_for_a_visitor(&self) {
        self.shows_capabilities(&serde_json::json!({
            "bruteforce": {"delay": 0, "allow-listed": false},
            "theming": {"name": "Nextcloud"},
        }));
    }

    fn shows_capabilities(&self, capabilities: &serde_json::Value) {
        let body = serde_json::json!({"ocs": {"data": {"capabilities": capabilities}}});
        self.nextcloud.answer(CAPABILITIES, Some(Answer::new(200, body.to_string())));
    }

    /// The doctor's settings for it, with these flags.
    pub(super) fn described(&self, flags: &[&str]) -> NextcloudConfig {
        let more = "  'trusted_proxies' => array ('127.0.0.1'),\n";
        let file = self.installation.config_php(more).display().to_string();
        let (port, url) = (self.daemon.port().to_string(), self.nextcloud.url());
        let mut all = vec![file.as_str(), "--port", &port];
        if !flags.contains(&"--nextcloud-url") {
            all.extend(["--nextcloud-url", &url]);
        }
        all.extend(flags);
        described(&all)
    }

    /// Runs all checks.
    pub(super) async fn findings(&self, flags: &[&str]) -> Vec<CheckFinding> {
        diagnose(self.described(flags), None).await
    }

    /// Runs all checks with a login.
    pub(super) async fn findings_as(&self, user: &str, password: &str) -> Vec<CheckFinding> {
        let credentials = LoginCredentials { user: user.into(), password: password.into() };
        diagnose(self.described(&[]), Some(credentials)).await
    }
}

/// Parses `notify_push doctor <arguments>`.
pub(super) fn described(arguments: &[&str]) -> NextcloudConfig {
    let arguments = ["notify_push", "doctor"].iter().chain(arguments).map(OsString::from);
    let command = notify_push::cli::load(LoadInputs {
        arguments: arguments.collect(),
        environment: Default::default(),
        probes: SystemProbes::SYSTEM,
        kinds: &[ServiceKind::new("nextcloud", NEXTCLOUD_SETTINGS, &NextcloudService::read)],
    });
    match command {
        Ok(ProgramCommand::Doctor { config: Ok(config), .. }) => *config,
        other => panic!("{other:?}"),
    }
}

pub(super) async fn diagnose(
    described: NextcloudConfig,
    credentials: Option<LoginCredentials>,
) -> Vec<CheckFinding> {
    let idle_time = Duration::from_secs(1);
    run_checks(described, credentials, idle_time).await
}

/// Runs all checks and holds the silent connection for these seconds.
pub(super) async fn findings_after_idle_time(
    described: NextcloudConfig,
    idle_time: u64,
) -> Vec<CheckFinding> {
    run_checks(described, None, Duration::from_secs(idle_time)).await
}

async fn run_checks(
    described: NextcloudConfig,
    credentials: Option<LoginCredentials>,
    idle_time: Duration,
) -> Vec<CheckFinding> {
    let descriptors = DescriptorLimits { own: 1 << 20, daemon: None };
    let notify_push::cli::LoadedConfig { settings, mut services, rows, warnings } = described;
    let config::ServiceEntry { route: place, service: host, .. } = services.remove(0);
    #[expect(clippy::disallowed_methods, reason = "a test provides the environment")]
    let context = DiagnosisContext {
        listen: settings.listen,
        place,
        rows,
        warnings,
        file: None,
        credentials,
        idle_time,
        clock: Arc::new(SystemTime::now),
        rng: fastrand::Rng::new(),
    };
    let mut ignore = |_: &CheckFinding| {};
    let mut run = CheckRun::new(&mut ignore);
    doctor::begin(&mut run, &context, descriptors);
    host.diagnose(context, &mut run).await;
    run.into_findings()
}

/// The findings of one check.
pub(super) fn of(findings: &[CheckFinding], check: CheckId) -> Vec<&CheckFinding> {
    findings.iter().filter(|finding| finding.check == check).collect()
}

/// The one finding of a check that is wrong.
#[track_caller]
pub(super) fn wrong(findings: &[CheckFinding], check: CheckId) -> &CheckFinding {
    let all = of(findings, check);
    match all.iter().find(|finding| finding.state == FindingState::Wrong) {
        Some(finding) => finding,
        None => panic!("{check:?} is not wrong: {all:#?}"),
    }
}

/// The checks with a wrong finding.
pub(super) fn all_wrong(findings: &[CheckFinding]) -> Vec<CheckId> {
    findings
        .iter()
        .filter(|f| f.state == FindingState::Wrong)
        .map(|finding| finding.check)
        .collect()
}

/// The lines of a remedy to run or paste.
pub(super) fn lines(finding: &CheckFinding) -> Vec<&str> {
    finding
        .remedy
        .iter()
        .filter_map(|step| match step {
            RemedyStep::Do(_) => None,
            RemedyStep::Shell(text) | RemedyStep::Sql(text) | RemedyStep::Lines(text) => {
                Some(text.as_str())
            }
        })
        .collect()
}
