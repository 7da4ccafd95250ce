//! All checks, one after the other, each in bounded time; who needs what isn't there is skipped.

use super::{
    checks,
    connector::EndpointClient,
    outcome::{CheckFinding, CheckId},
    self_test_token::SelfTestToken,
    target::{NextcloudCheckContext, NextcloudTarget},
};
use crate::{
    client::redis::{RedisClient, RedisTimeouts},
    doctor::{CheckRun, LIMIT},
};
use std::time::Duration;

/// For one command to Redis: a slow answer is an answer.
const REDIS: Duration = Duration::from_secs(8);

/// Looks one Nextcloud over.
pub async fn diagnose(
    target: &NextcloudTarget,
    context: &mut NextcloudCheckContext,
    round: &mut CheckRun<'_>,
) {
    let (redis, keys) = check_redis(round, target, context).await;
    let database = check_database(round, target, context).await;
    let nextcloud = match target.remote() {
        Some(remote) => {
            round.run(CheckId::Nextcloud, checks::nextcloud::check(remote, target, context)).await
        }
        None => unknown_url(round),
    };
    let survey = nextcloud.as_ref().map(|reached| &reached.survey);
    let token = match survey {
        Some(survey) => {
            let check = checks::app::check(target, context, survey, keys.as_ref().map(|k| &k.0));
            round.run(CheckId::App, check).await
        }
        None => round.skip(CheckId::App, CheckId::Nextcloud),
    };
    let clocks = [redis, database, nextcloud.as_ref().and_then(|reached| reached.clock.clone())];
    let clocks: Vec<_> = clocks.into_iter().flatten().collect();
    round.told(checks::clock::judge(&clocks));
    let way = ClientPathChecks { target, survey, token, keys };
    way.check_clients(round, context).await;
    if let (Some(token), Some((keys, _))) = (&way.token, &way.keys) {
        token.release(keys).await;
    }
}

fn unknown_url<T>(round: &mut CheckRun<'_>) -> Option<T> {
    round.told(
        CheckFinding::wrong(CheckId::Nextcloud, "Nextcloud's address is not known")
            .why("log-ins that the database can't decide are Nextcloud's, and so is the self-test")
            .advise("Name it in config.php (overwrite.cli.url) or to the daemon:")
            .paste("NEXTCLOUD_URL=https://cloud.example.com"),
    );
    None
}

type OptionalClockReading = Option<checks::clock::ClockReading>;

async fn check_redis(
    round: &mut CheckRun<'_>,
    target: &NextcloudTarget,
    context: &mut NextcloudCheckContext,
) -> (OptionalClockReading, Option<(RedisClient, bool)>) {
    let Some(reached) = round.run(CheckId::Redis, checks::redis::check(target, context)).await
    else {
        round.skip::<()>(CheckId::Events, CheckId::Redis);
        return (None, None);
    };
    let redis = target.settings().redis.clone();
    let timeouts = RedisTimeouts { command: REDIS, ..RedisTimeouts::default() };
    let keys = RedisClient::new(redis, timeouts, context.rng.fork());
    let heard = round.run(CheckId::Events, checks::events::check(target, context, &keys)).await;
    (reached.clock, Some((keys, heard.is_some_and(|heard| heard.may_publish))))
}

async fn check_database(
    round: &mut CheckRun<'_>,
    target: &NextcloudTarget,
    context: &mut NextcloudCheckContext,
) -> OptionalClockReading {
    let Some(settings) = &target.settings().database else {
        let why = "AUTH=nextcloud says that there is none: file changes are told to nobody";
        for check in [CheckId::Database, CheckId::Tables, CheckId::Rights, CheckId::Mounts] {
            round.skip_because::<()>(check, why);
        }
        return None;
    };
    let check = checks::database::check(settings, target, context);
    let Some(reached) = round.run(CheckId::Database, check).await else {
        for check in [CheckId::Tables, CheckId::Rights, CheckId::Mounts] {
            round.skip::<()>(check, CheckId::Database);
        }
        return None;
    };
    let database = &reached.database;
    let readable = round.run(CheckId::Tables, checks::tables::check(database)).await;
    if readable.is_none() {
        round.skip::<()>(CheckId::Rights, CheckId::Tables);
        round.skip::<()>(CheckId::Mounts, CheckId::Tables);
        return reached.clock;
    }
    round.one(CheckId::Rights, LIMIT, checks::privileges::check(database, settings)).await;
    round.one(CheckId::Mounts, LIMIT, checks::mounts::check(database, &target.occ)).await;
    reached.clock
}

/// What the way of a client is looked over with.
struct ClientPathChecks<'a> {
    target: &'a NextcloudTarget,
    survey: Option<&'a crate::services::nextcloud::http::NextcloudSurvey>,
    token: Option<SelfTestToken>,
    /// With whether they may publish.
    keys: Option<(RedisClient, bool)>,
}

impl ClientPathChecks<'_> {
    async fn check_clients(&self, round: &mut CheckRun<'_>, context: &mut NextcloudCheckContext) {
        round.one(CheckId::Daemon, LIMIT, checks::daemon::check(self.target, context)).await;
        let endpoint = checks::endpoint::check(self.target, context, self.survey);
        let reached = round.run(CheckId::Endpoint, endpoint).await;
        self.proxies(round, reached.as_ref()).await;
        let Some(reached) = reached else {
            for check in [CheckId::Delivery, CheckId::Login, CheckId::Idle] {
                round.skip::<()>(check, CheckId::Endpoint);
            }
            return;
        };
        let nobody = self.delivery(round, context, &reached).await;
        let somebody = self.log_in(round, context, &reached).await;
        match nobody.or(somebody) {
            Some(client) => {
                let patience = self.target.patience;
                let idle = checks::idle::check(client, patience);
                round.one(CheckId::Idle, patience + LIMIT, idle).await;
            }
            None => {
                round.skip_because::<()>(CheckId::Idle, "nobody is logged in");
            }
        }
    }

    async fn proxies(
        &self,
        round: &mut CheckRun<'_>,
        reached: Option<&checks::endpoint::ReachedEndpoint>,
    ) {
        match (self.survey, &self.token) {
            (Some(survey), Some(token)) => {
                let check = checks::proxies::check(self.target, survey, token, reached);
                let findings = round.within(CheckId::Proxies, LIMIT, check).await;
                round.record_all(findings.unwrap_or_default());
            }
            (None, _) => {
                round.skip::<()>(CheckId::Proxies, CheckId::Nextcloud);
            }
            (_, None) if round.failed(CheckId::App) => {
                round.skip::<()>(CheckId::Proxies, CheckId::App);
            }
            (_, None) => {
                let why = "there is no token to ask with; occ notify_push:self-test has one";
                round.skip_because::<()>(CheckId::Proxies, why);
            }
        }
    }

    async fn delivery(
        &self,
        round: &mut CheckRun<'_>,
        context: &mut NextcloudCheckContext,
        reached: &checks::endpoint::ReachedEndpoint,
    ) -> Option<EndpointClient> {
        match &self.keys {
            Some((keys, true)) => {
                round.run(CheckId::Delivery, checks::delivery::check(reached, keys, context)).await
            }
            None => round.skip(CheckId::Delivery, CheckId::Redis),
            Some(_) if round.failed(CheckId::Events) => {
                round.skip(CheckId::Delivery, CheckId::Events)
            }
            Some(_) => {
                let why = "this Redis user may not publish, which is as it should be";
                round.skip_because(CheckId::Delivery, why)
            }
        }
    }

    async fn log_in(
        &self,
        round: &mut CheckRun<'_>,
        context: &mut NextcloudCheckContext,
        reached: &checks::endpoint::ReachedEndpoint,
    ) -> Option<EndpointClient> {
        let Some(credentials) = &self.target.credentials else {
            let why = "nobody was named: --user alice logs in as alice";
            return round.skip_because(CheckId::Login, why);
        };
        let check = checks::login::check(self.target, credentials, reached, context);
        round.run(CheckId::Login, check).await
    }
}
