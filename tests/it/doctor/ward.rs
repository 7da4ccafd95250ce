//! A whole installation to be looked over: Redis, database, Nextcloud, daemon, nginx in front.

use crate::support::{
    certificates::Certificates,
    daemon::Daemon,
    installation::Installation,
    nextcloud::{Answer, Nextcloud, Setup},
    php::Php,
    reverse_proxy::{self, ReverseProxy},
};
use notify_push::{
    cli::{Command, Surroundings},
    config,
    config::Kind,
    doctor,
    doctor::{Check, Descriptors, Finding, Round, State, Step, Visit},
    services::{
        Prepared as _,
        nextcloud::{Instance, login::Credentials},
    },
};
use std::{
    ffi::OsString,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

pub(super) const STATUS: &str = r#"{"installed":true,"maintenance":false,"needsDbUpgrade":false,
    "version":"32.0.1.2","versionstring":"32.0.1","productname":"Nextcloud"}"#;
const CAPABILITIES: &str = "/ocs/v2.php/cloud/capabilities?format=json";

pub(super) type Described = notify_push::cli::Described<Instance>;

/// All of it. Nextcloud and the proxy are at their own ports of 127.0.0.1, and all is well unless a
/// test says otherwise.
pub(super) struct Ward {
    pub(super) installation: Installation,
    pub(super) nextcloud: Nextcloud,
    pub(super) daemon: Daemon,
    pub(super) proxy: ReverseProxy,
    pub(super) certificates: Certificates,
}

impl Ward {
    pub(super) async fn healthy() -> Self {
        Self::with_mistakes(&[]).await
    }

    /// nginx with these mistakes in its file.
    pub(super) async fn with_mistakes(mistakes: &[(&str, &str)]) -> Self {
        let (installation, certificates) = (Installation::start().await, Certificates::new());
        installation.user_with_home("alice", 1, 1).await;
        let nextcloud = Nextcloud::start(Setup::default()).await;
        nextcloud.answer("/status.php", Some(Answer::new(200, STATUS)));
        let daemon = installation.daemon(&[("NEXTCLOUD_URL", &nextcloud.url())]).await;
        let proxy =
            ReverseProxy::with(reverse_proxy::Kind::Nginx, daemon.port(), &certificates, mistakes)
                .await;
        let ward = Self { installation, nextcloud, daemon, proxy, certificates };
        ward.trusts(&["127.0.0.1"]);
        ward.sends_clients_to(&ward.proxy.url());
        ward
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

    /// What the capabilities say.
    pub(super) fn sends_clients_to(&self, url: &str) {
        let body = serde_json::json!({"ocs": {"data": {"capabilities": {"notify_push": {
            "endpoints": {"websocket": url}
        }}}}});
        self.nextcloud.answer(CAPABILITIES, Some(Answer::new(200, body.to_string())));
    }

    /// As the doctor is told of it, with these flags.
    pub(super) fn described(&self, flags: &[&str]) -> Described {
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

    /// Looks it over.
    pub(super) async fn findings(&self, flags: &[&str]) -> Vec<Finding> {
        look_over(self.described(flags), None).await
    }

    /// The same with a log-in.
    pub(super) async fn findings_as(&self, user: &str, password: &str) -> Vec<Finding> {
        let credentials = Credentials { user: user.into(), password: password.into() };
        look_over(self.described(&[]), Some(credentials)).await
    }
}

/// What `notify_push doctor <arguments>` understands.
pub(super) fn described(arguments: &[&str]) -> Described {
    let arguments = ["notify_push", "doctor"].iter().chain(arguments).map(OsString::from);
    let command = notify_push::cli::load(Surroundings {
        arguments: arguments.collect(),
        environment: Default::default(),
        dotenv: Ok(String::new()),
        read: &config::read_text,
        exists: &|path: &Path| path.exists(),
        kinds: &[Kind::new("nextcloud", &[], &Instance::read)],
    });
    match command {
        Ok(Command::Doctor { described: Ok(described), .. }) => *described,
        other => panic!("{other:?}"),
    }
}

pub(super) async fn look_over(
    described: Described,
    credentials: Option<Credentials>,
) -> Vec<Finding> {
    let patience = Duration::from_secs(1);
    look_over_with(described, credentials, patience).await
}

/// The same with another patience, in seconds.
pub(super) async fn look_over_for(described: Described, patience: u64) -> Vec<Finding> {
    look_over_with(described, None, Duration::from_secs(patience)).await
}

async fn look_over_with(
    described: Described,
    credentials: Option<Credentials>,
    patience: Duration,
) -> Vec<Finding> {
    let descriptors = Descriptors { own: 1 << 20, daemon: None };
    let notify_push::cli::Described { settings, mut hosts, rows, warnings } = described;
    let config::Entry { place, host, .. } = hosts.remove(0);
    #[expect(clippy::disallowed_methods, reason = "a test stands at the rim")]
    let visit = Visit {
        listen: settings.listen,
        place,
        rows,
        warnings,
        file: None,
        credentials,
        patience,
        clock: Arc::new(SystemTime::now),
        rng: fastrand::Rng::new(),
    };
    let mut unheard = |_: &Finding| {};
    let mut round = Round::new(&mut unheard);
    doctor::begin(&mut round, &visit, descriptors);
    host.look_over(visit, &mut round).await;
    round.into_told()
}

/// The findings of one check.
pub(super) fn of(findings: &[Finding], check: Check) -> Vec<&Finding> {
    findings.iter().filter(|finding| finding.check == check).collect()
}

/// The one finding of a check that is wrong.
#[track_caller]
pub(super) fn wrong(findings: &[Finding], check: Check) -> &Finding {
    let all = of(findings, check);
    match all.iter().find(|finding| finding.state == State::Wrong) {
        Some(finding) => finding,
        None => panic!("{check:?} is not wrong: {all:#?}"),
    }
}

/// Whatever is wrong, by check.
pub(super) fn all_wrong(findings: &[Finding]) -> Vec<Check> {
    findings.iter().filter(|f| f.state == State::Wrong).map(|finding| finding.check).collect()
}

/// The lines that are to be run or pasted.
pub(super) fn lines(finding: &Finding) -> Vec<&str> {
    finding
        .remedy
        .iter()
        .filter_map(|step| match step {
            Step::Do(_) => None,
            Step::Shell(text) | Step::Sql(text) | Step::Lines(text) => Some(text.as_str()),
        })
        .collect()
}
