//! Runs all checks of a Nextcloud in order; a check is skipped if one that it depends on failed.

use super::{
    checks,
    connector::EndpointClient,
    self_test_token::SelfTestToken,
    target::{NextcloudCheckContext, NextcloudTarget},
};
use crate::{
    client::redis::{RedisClient, RedisTimeouts},
    doctor::{CheckFinding, CheckId, CheckRun, LIMIT},
};
use std::time::Duration;

/// The time limit of one Redis command; a slow answer is no failure.
const REDIS_TIMEOUT: Duration = Duration::from_secs(8);

/// Runs all checks of one Nextcloud.
pub async fn diagnose(
    target: &NextcloudTarget,
    context: &mut NextcloudCheckContext,
    run: &mut CheckRun<'_>,
) {
    let (redis, keys) = check_redis(run, target, context).await;
    let database = check_database(run, target, context).await;
    let nextcloud = match target.remote() {
        Some(remote) => {
            run.run(CheckId::Nextcloud, checks::nextcloud::check(remote, target, context)).await
        }
        None => unknown_url(run),
    };
    let survey = nextcloud.as_ref().map(|reached| &reached.survey);
    let token = match survey {
        Some(survey) => {
            let check = checks::app::check(target, context, survey, keys.as_ref().map(|k| &k.0));
            run.run(CheckId::App, check).await
        }
        None => run.skip(CheckId::App, CheckId::Nextcloud),
    };
    let clocks = [redis, database, nextcloud.as_ref().and_then(|reached| reached.clock.clone())];
    let clocks: Vec<_> = clocks.into_iter().flatten().collect();
    run.record(checks::clock::judge(&clocks));
    let path = ClientPathChecks { target, survey, token, keys };
    path.check_clients(run, context).await;
    if let (Some(token), Some((keys, _))) = (&path.token, &path.keys) {
        token.release(keys).await;
    }
}

fn unknown_url<T>(run: &mut CheckRun<'_>) -> Option<T> {
    run.record(
        CheckFinding::wrong(CheckId::Nextcloud, "Nextcloud's address is not known")
            .why("Nextcloud decides the logins that the database can't, and runs the self-test")
            .advise("Set it in config.php (overwrite.cli.url) or in the daemon's environment:")
            .paste("NEXTCLOUD_URL=https://cloud.example.com"),
    );
    None
}

type OptionalClockReading = Option<checks::clock::ClockReading>;

async fn check_redis(
    run: &mut CheckRun<'_>,
    target: &NextcloudTarget,
    context: &mut NextcloudCheckContext,
) -> (OptionalClockReading, Option<(RedisClient, bool)>) {
    let Some(reached) = run.run(CheckId::Redis, checks::redis::check(target, context)).await else {
        run.skip::<()>(CheckId::Events, CheckId::Redis);
        return (None, None);
    };
    let redis = target.settings().redis.clone();
    let timeouts = RedisTimeouts { command: REDIS_TIMEOUT, ..RedisTimeouts::default() };
    let keys = RedisClient::new(redis, timeouts, context.rng.fork());
    let access = run.run(CheckId::Events, checks::events::check(target, context, &keys)).await;
    (reached.clock, Some((keys, access.is_some_and(|access| access.may_publish))))
}

async fn check_database(
    run: &mut CheckRun<'_>,
    target: &NextcloudTarget,
    context: &mut NextcloudCheckContext,
) -> OptionalClockReading {
    let Some(settings) = &target.settings().database else {
        let why = "AUTH=nextcloud is set without a database: no client gets file changes";
        for check in [CheckId::Database, CheckId::Tables, CheckId::Rights, CheckId::Mounts] {
            run.skip_because::<()>(check, why);
        }
        return None;
    };
    let check = checks::database::check(settings, target, context);
    let Some(reached) = run.run(CheckId::Database, check).await else {
        for check in [CheckId::Tables, CheckId::Rights, CheckId::Mounts] {
            run.skip::<()>(check, CheckId::Database);
        }
        return None;
    };
    let database = &reached.database;
    let readable = run.run(CheckId::Tables, checks::tables::check(database)).await;
    if readable.is_none() {
        run.skip::<()>(CheckId::Rights, CheckId::Tables);
        run.skip::<()>(CheckId::Mounts, CheckId::Tables);
        return reached.clock;
    }
    run.one(CheckId::Rights, LIMIT, checks::privileges::check(database, settings)).await;
    run.one(CheckId::Mounts, LIMIT, checks::mounts::check(database, &target.occ)).await;
    reached.clock
}

/// The checks of a client's path to the daemon.
struct ClientPathChecks<'a> {
    target: &'a NextcloudTarget,
    survey: Option<&'a crate::services::nextcloud::http::NextcloudSurvey>,
    token: Option<SelfTestToken>,
    /// A connection to Redis, and whether its user may publish.
    keys: Option<(RedisClient, bool)>,
}

impl ClientPathChecks<'_> {
    async fn check_clients(&self, run: &mut CheckRun<'_>, context: &mut NextcloudCheckContext) {
        run.one(CheckId::Daemon, LIMIT, checks::daemon::check(self.target, context)).await;
        let endpoint = checks::endpoint::check(self.target, context, self.survey);
        let reached = run.run(CheckId::Endpoint, endpoint).await;
        self.proxies(run, reached.as_ref()).await;
        let Some(reached) = reached else {
            for check in [CheckId::Delivery, CheckId::Login, CheckId::Idle] {
                run.skip::<()>(check, CheckId::Endpoint);
            }
            return;
        };
        let delivery_client = self.delivery(run, context, &reached).await;
        let login_client = self.log_in(run, context, &reached).await;
        match delivery_client.or(login_client) {
            Some(client) => {
                let idle_time = self.target.idle_time;
                let idle = checks::idle::check(client, idle_time);
                run.one(CheckId::Idle, idle_time + LIMIT, idle).await;
            }
            None => {
                run.skip_because::<()>(CheckId::Idle, "no client could log in");
            }
        }
    }

    async fn proxies(
        &self,
        run: &mut CheckRun<'_>,
        reached: Option<&checks::endpoint::ReachedEndpoint>,
    ) {
        match (self.survey, &self.token) {
            (Some(survey), Some(token)) => {
                let check = checks::proxies::check(self.target, survey, token, reached);
                let findings = run.within(CheckId::Proxies, LIMIT, check).await;
                run.record_all(findings.unwrap_or_default());
            }
            (None, _) => {
                run.skip::<()>(CheckId::Proxies, CheckId::Nextcloud);
            }
            (_, None) if run.failed(CheckId::App) => {
                run.skip::<()>(CheckId::Proxies, CheckId::App);
            }
            (_, None) => {
                let why =
                    "there is no token for these questions; occ notify_push:self-test has one";
                run.skip_because::<()>(CheckId::Proxies, why);
            }
        }
    }

    async fn delivery(
        &self,
        run: &mut CheckRun<'_>,
        context: &mut NextcloudCheckContext,
        reached: &checks::endpoint::ReachedEndpoint,
    ) -> Option<EndpointClient> {
        match &self.keys {
            Some((keys, true)) => {
                run.run(
                    CheckId::Delivery,
                    checks::delivery::check(self.target, reached, keys, context),
                )
                .await
            }
            None => run.skip(CheckId::Delivery, CheckId::Redis),
            Some(_) if run.failed(CheckId::Events) => run.skip(CheckId::Delivery, CheckId::Events),
            Some(_) => {
                let why = "this Redis user may not publish, which is as it should be";
                run.skip_because(CheckId::Delivery, why)
            }
        }
    }

    async fn log_in(
        &self,
        run: &mut CheckRun<'_>,
        context: &mut NextcloudCheckContext,
        reached: &checks::endpoint::ReachedEndpoint,
    ) -> Option<EndpointClient> {
        let Some(credentials) = &self.target.credentials else {
            let why = "no account was named: --user alice logs in as alice";
            return run.skip_because(CheckId::Login, why);
        };
        let check = checks::login::check(self.target, credentials, reached, context);
        run.run(CheckId::Login, check).await
    }
}
