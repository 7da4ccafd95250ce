//! All checks, one after the other, each in bounded time; who needs what isn't there is skipped.

use super::{
    checks,
    door::Guest,
    outcome::{Check, Finding},
    patient::{Patient, Tools},
    token::Token,
};
use crate::{
    client::redis::{Keys, Pace},
    doctor::{LIMIT, Round},
};
use std::time::Duration;

/// For one command to Redis: a slow answer is an answer.
const REDIS: Duration = Duration::from_secs(8);

/// Looks one Nextcloud over.
pub async fn examine(patient: &Patient, tools: &mut Tools, round: &mut Round<'_>) {
    let (redis, keys) = of_redis(round, patient, tools).await;
    let database = of_database(round, patient, tools).await;
    let nextcloud = match patient.remote() {
        Some(remote) => {
            round.run(Check::Nextcloud, checks::nextcloud::check(remote, patient, tools)).await
        }
        None => unknown_url(round),
    };
    let survey = nextcloud.as_ref().map(|reached| &reached.survey);
    let token = match survey {
        Some(survey) => {
            let check = checks::app::check(patient, tools, survey, keys.as_ref().map(|k| &k.0));
            round.run(Check::App, check).await
        }
        None => round.skip(Check::App, Check::Nextcloud),
    };
    let clocks = [redis, database, nextcloud.as_ref().and_then(|reached| reached.clock.clone())];
    let clocks: Vec<_> = clocks.into_iter().flatten().collect();
    round.told(checks::clock::judge(&clocks));
    let way = Way { patient, survey, token, keys };
    way.of_clients(round, tools).await;
    if let (Some(token), Some((keys, _))) = (&way.token, &way.keys) {
        token.give_back(keys).await;
    }
}

fn unknown_url<T>(round: &mut Round<'_>) -> Option<T> {
    round.told(
        Finding::wrong(Check::Nextcloud, "Nextcloud's address is not known")
            .why("log-ins that the database can't decide are Nextcloud's, and so is the self-test")
            .advise("Name it in config.php (overwrite.cli.url) or to the daemon:")
            .paste("NEXTCLOUD_URL=https://cloud.example.com"),
    );
    None
}

type Clock = Option<checks::clock::Reading>;

async fn of_redis(
    round: &mut Round<'_>,
    patient: &Patient,
    tools: &mut Tools,
) -> (Clock, Option<(Keys, bool)>) {
    let Some(reached) = round.run(Check::Redis, checks::redis::check(patient, tools)).await else {
        round.skip::<()>(Check::Events, Check::Redis);
        return (None, None);
    };
    let redis = patient.settings().redis.clone();
    let pace = Pace { command: REDIS, ..Pace::default() };
    let keys = Keys::new(redis, pace, tools.rng.fork());
    let heard = round.run(Check::Events, checks::events::check(patient, tools, &keys)).await;
    (reached.clock, Some((keys, heard.is_some_and(|heard| heard.may_publish))))
}

async fn of_database(round: &mut Round<'_>, patient: &Patient, tools: &mut Tools) -> Clock {
    let Some(settings) = &patient.settings().database else {
        let why = "AUTH=nextcloud says that there is none: file changes are told to nobody";
        for check in [Check::Database, Check::Tables, Check::Rights, Check::Mounts] {
            round.skip_as::<()>(check, why);
        }
        return None;
    };
    let check = checks::database::check(settings, patient, tools);
    let Some(reached) = round.run(Check::Database, check).await else {
        for check in [Check::Tables, Check::Rights, Check::Mounts] {
            round.skip::<()>(check, Check::Database);
        }
        return None;
    };
    let database = &reached.database;
    let readable = round.run(Check::Tables, checks::tables::check(database)).await;
    if readable.is_none() {
        round.skip::<()>(Check::Rights, Check::Tables);
        round.skip::<()>(Check::Mounts, Check::Tables);
        return reached.clock;
    }
    round.one(Check::Rights, LIMIT, checks::rights::check(database, settings)).await;
    round.one(Check::Mounts, LIMIT, checks::mounts::check(database, &patient.occ)).await;
    reached.clock
}

/// What the way of a client is looked over with.
struct Way<'a> {
    patient: &'a Patient,
    survey: Option<&'a crate::services::nextcloud::remote::Survey>,
    token: Option<Token>,
    /// With whether they may publish.
    keys: Option<(Keys, bool)>,
}

impl Way<'_> {
    async fn of_clients(&self, round: &mut Round<'_>, tools: &mut Tools) {
        round.one(Check::Daemon, LIMIT, checks::daemon::check(self.patient, tools)).await;
        let endpoint = checks::endpoint::check(self.patient, tools, self.survey);
        let reached = round.run(Check::Endpoint, endpoint).await;
        self.proxies(round, reached.as_ref()).await;
        let Some(reached) = reached else {
            for check in [Check::Delivery, Check::LogIn, Check::Idle] {
                round.skip::<()>(check, Check::Endpoint);
            }
            return;
        };
        let nobody = self.delivery(round, tools, &reached).await;
        let somebody = self.log_in(round, tools, &reached).await;
        match nobody.or(somebody) {
            Some(guest) => {
                let patience = self.patient.patience;
                let idle = checks::idle::check(guest, patience);
                round.one(Check::Idle, patience + LIMIT, idle).await;
            }
            None => {
                round.skip_as::<()>(Check::Idle, "nobody is logged in");
            }
        }
    }

    async fn proxies(&self, round: &mut Round<'_>, reached: Option<&checks::endpoint::Reached>) {
        match (self.survey, &self.token) {
            (Some(survey), Some(token)) => {
                let check = checks::proxies::check(self.patient, survey, token, reached);
                let findings = round.within(Check::Proxies, LIMIT, check).await;
                round.all_told(findings.unwrap_or_default());
            }
            (None, _) => {
                round.skip::<()>(Check::Proxies, Check::Nextcloud);
            }
            (_, None) if round.failed(Check::App) => {
                round.skip::<()>(Check::Proxies, Check::App);
            }
            (_, None) => {
                let why = "there is no token to ask with; occ notify_push:self-test has one";
                round.skip_as::<()>(Check::Proxies, why);
            }
        }
    }

    async fn delivery(
        &self,
        round: &mut Round<'_>,
        tools: &mut Tools,
        reached: &checks::endpoint::Reached,
    ) -> Option<Guest> {
        match &self.keys {
            Some((keys, true)) => {
                round.run(Check::Delivery, checks::delivery::check(reached, keys, tools)).await
            }
            None => round.skip(Check::Delivery, Check::Redis),
            Some(_) if round.failed(Check::Events) => round.skip(Check::Delivery, Check::Events),
            Some(_) => {
                let why = "this Redis user may not publish, which is as it should be";
                round.skip_as(Check::Delivery, why)
            }
        }
    }

    async fn log_in(
        &self,
        round: &mut Round<'_>,
        tools: &mut Tools,
        reached: &checks::endpoint::Reached,
    ) -> Option<Guest> {
        let Some(credentials) = &self.patient.credentials else {
            let why = "nobody was named: --user alice logs in as alice";
            return round.skip_as(Check::LogIn, why);
        };
        let check = checks::log_in::check(self.patient, credentials, reached, tools);
        round.run(Check::LogIn, check).await
    }
}
