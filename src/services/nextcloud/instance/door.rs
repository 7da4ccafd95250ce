//! Who may try to log in, and who is asked whether the password is right.

use super::{Parts, adopt::failures, counting, stored::Stored};
use crate::{
    push::hub::Hub,
    server::client_address::{Origins, Welcome},
    services::{
        StartError,
        nextcloud::{
            login::{
                Authenticator, Chain, Fingerprints, Guard,
                throttle::Throttle,
                ticket::{TicketAuthenticator, Tickets},
            },
            recheck::{Reauthentication, Recheck},
            remote::{Remote, RemoteSettings},
            settings::{AuthStep, InstanceSettings},
        },
        until_stopped,
    },
};
use std::sync::Arc;
use tokio::time::Instant;

/// What stands before the authenticators.
pub(super) struct Door {
    /// Whose attempt an attempt is.
    pub(super) origins: Origins,
    /// Who has not failed too often, asked again before work that costs.
    pub(super) welcome: Welcome,
    pub(super) guard: Option<Guard>,
}

impl Door {
    /// As the settings have it.
    pub(super) fn new(settings: &InstanceSettings) -> Result<Self, StartError> {
        let throttle = &settings.auth.throttle;
        let origins = Origins::new(settings.proxies.trusted.clone())
            .with_prefixes(throttle.ipv4_prefix, throttle.ipv6_prefix);
        let guard = if throttle.enabled {
            let throttle = Throttle::new(failures(throttle.max_attempts), Instant::now());
            Some(Guard::new(throttle, origins.clone(), Fingerprints::new(random_key()?)))
        } else {
            None
        };
        let welcome = guard.as_ref().map_or_else(everybody, Guard::welcome);
        Ok(Self { origins, welcome, guard })
    }

    /// The chain behind this door.
    pub(super) fn before(self, chain: Chain) -> Chain {
        match self.guard {
            Some(guard) => chain.behind(guard),
            None => chain,
        }
    }
}

impl Parts {
    /// Nextcloud over HTTP, where its URL is known.
    pub(super) fn remote(&self, door: &Door) -> Result<Option<Remote>, StartError> {
        let nextcloud = &self.settings.nextcloud;
        let Some(url) = nextcloud.url.clone() else { return Ok(None) };
        let settings = RemoteSettings {
            user_agent: nextcloud.user_agent.clone(),
            allow_self_signed: nextcloud.allow_self_signed,
            ca: nextcloud.ca.clone(),
            ..RemoteSettings::new(url)
        };
        let fingerprints = Fingerprints::new(random_key()?);
        let (tasks, origins) = (self.ground.groups.sessions.clone(), door.origins.clone());
        Ok(Some(Remote::new(settings, tasks, origins, fingerprints, Arc::clone(&door.welcome))))
    }

    /// Who decides log-ins; begins to look at the sessions again.
    pub(super) fn chain(
        &mut self,
        stored: Option<Stored>,
        remote: Option<Remote>,
        tickets: Tickets,
        hub: &Hub,
    ) -> Chain {
        let mut links: Vec<Box<dyn Authenticator>> = vec![Box::new(TicketAuthenticator(tickets))];
        let steps = self.settings.auth.steps.clone();
        let remote = remote.filter(|_| steps.contains(&AuthStep::Nextcloud));
        let mut accounts = stored.map(|stored| self.watch_accounts(stored, hub));
        if let Some(remote) = &remote {
            self.ask_again(remote, hub);
        }
        let mut remote = remote.map(|remote| Box::new(remote) as Box<dyn Authenticator>);
        for step in steps {
            links.extend(match step {
                AuthStep::Database => accounts.take(),
                AuthStep::Nextcloud => remote.take(),
            });
        }
        Chain::new(links, counting::checks(&self.observers.auth))
    }

    fn watch_accounts(&self, stored: Stored, hub: &Hub) -> Box<dyn Authenticator> {
        let Stored { database, accounts, revocation, .. } = stored;
        let sources = &self.ground.groups.sources;
        until_stopped(sources, "database", async move { database.tend().await });
        let round = self.settings.auth.recheck_round;
        until_stopped(sources, "recheck", Recheck { hub: hub.clone(), revocation, round }.run());
        Box::new(accounts)
    }

    fn ask_again(&mut self, remote: &Remote, hub: &Hub) {
        let host = Arc::new(remote.clone());
        let interval = self.settings.auth.reauth_interval;
        let rng = self.ground.rng.fork();
        let again = Reauthentication { hub: hub.clone(), host, interval, rng };
        until_stopped(&self.ground.groups.sources, "reauthentication", again.run());
    }
}

fn everybody() -> Welcome {
    Arc::new(|_| true)
}

fn random_key() -> Result<[u8; 32], StartError> {
    let mut key = [0; 32];
    rustls::crypto::ring::default_provider().secure_random.fill(&mut key).map_err(|_| {
        StartError::System("random numbers", std::io::Error::other("no random numbers"))
    })?;
    Ok(key)
}
