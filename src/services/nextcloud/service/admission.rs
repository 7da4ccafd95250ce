//! The throttle and the authenticators of one Nextcloud.

use super::{NextcloudBuilder, database::NextcloudDatabase, metrics, reload::failures};
use crate::{
    push::hub::Hub,
    server::client_address::{ClientAddressResolver, StillAllowed},
    services::{
        ServiceStartError,
        nextcloud::{
            deferred_token_check::DeferredTokenCheck,
            http::{NextcloudAuthenticator, NextcloudClientSettings},
            login::{
                Authenticator, AuthenticatorChain, ClaimFingerprinter, LoginGuard,
                throttle::Throttle,
                ticket::{TicketAuthenticator, TicketOwnerDirectory, TicketStore},
            },
            session_recheck::{
                DatabaseRecheck, NextcloudReauthentication, ReauthenticationRequests,
            },
            settings::{AuthStep, NextcloudServiceSettings, TokenCheck},
        },
        spawn_until_stopped,
    },
};
use std::sync::Arc;
use tokio::time::Instant;

/// What an attempt passes before the authenticators.
pub(super) struct LoginAdmission {
    /// Finds the client address of an attempt.
    pub(super) addresses: ClientAddressResolver,
    /// Whether a network has not failed too often; asked again before expensive work.
    pub(super) still_allowed: StillAllowed,
    /// The throttle, unless config.php disables it.
    pub(super) guard: Option<LoginGuard>,
}

impl LoginAdmission {
    /// As config.php and the settings demand.
    pub(super) fn new(settings: &NextcloudServiceSettings) -> Result<Self, ServiceStartError> {
        let throttle = &settings.auth.throttle;
        let addresses = ClientAddressResolver::new(settings.proxies.trusted.clone())
            .with_prefixes(throttle.ipv4_prefix, throttle.ipv6_prefix);
        let guard = if throttle.enabled {
            let throttle = Throttle::new(failures(throttle.max_attempts), Instant::now());
            Some(LoginGuard::new(
                throttle,
                addresses.clone(),
                ClaimFingerprinter::new(random_key()?),
            ))
        } else {
            None
        };
        let still_allowed = guard.as_ref().map_or_else(allow_all, LoginGuard::still_allowed);
        Ok(Self { addresses, still_allowed, guard })
    }

    /// The chain behind the throttle.
    pub(super) fn before(self, chain: AuthenticatorChain) -> AuthenticatorChain {
        match self.guard {
            Some(guard) => chain.behind(guard),
            None => chain,
        }
    }
}

impl NextcloudBuilder {
    /// Nextcloud over HTTP, where its URL is known.
    pub(super) fn remote(
        &self,
        authenticated: &LoginAdmission,
    ) -> Result<Option<NextcloudAuthenticator>, ServiceStartError> {
        let nextcloud = &self.settings.nextcloud;
        let Some(url) = nextcloud.url.clone() else { return Ok(None) };
        let settings = NextcloudClientSettings {
            user_agent: nextcloud.user_agent.clone(),
            allow_self_signed: nextcloud.allow_self_signed,
            ca: nextcloud.ca.clone(),
            ..NextcloudClientSettings::new(url)
        };
        let fingerprints = ClaimFingerprinter::new(random_key()?);
        let (tasks, addresses) = (self.ground.phases.work.clone(), authenticated.addresses.clone());
        Ok(Some(NextcloudAuthenticator::new(
            settings,
            tasks,
            addresses,
            fingerprints,
            Arc::clone(&authenticated.still_allowed),
        )))
    }

    /// The authenticators; also starts the checks of their sessions.
    pub(super) fn chain(
        &mut self,
        stored: Option<NextcloudDatabase>,
        remote: Option<NextcloudAuthenticator>,
        tickets: TicketStore,
        hub: &Hub,
    ) -> AuthenticatorChain {
        let requests = ReauthenticationRequests::default();
        let steps = self.settings.auth.steps.clone();
        let remote = remote.filter(|_| steps.contains(&AuthStep::Nextcloud));
        let stored = stored.map(|stored| self.start_recheck(stored, hub, &requests));
        let (owners, mut accounts) = stored.unzip();
        if let Some(remote) = &remote {
            self.start_reauthentication(remote, hub, requests);
        }
        let mut authenticators: Vec<Box<dyn Authenticator>> =
            vec![Box::new(TicketAuthenticator { tickets, owners })];
        let mut remote = remote.map(|remote| Box::new(remote) as Box<dyn Authenticator>);
        for step in steps {
            authenticators.extend(match step {
                AuthStep::Database => accounts.take(),
                AuthStep::Nextcloud => remote.take(),
            });
        }
        AuthenticatorChain::new(authenticators, metrics::checks(&self.observers.auth))
    }

    fn start_recheck(
        &self,
        stored: NextcloudDatabase,
        hub: &Hub,
        requests: &ReauthenticationRequests,
    ) -> (Arc<dyn TicketOwnerDirectory>, Box<dyn Authenticator>) {
        let NextcloudDatabase { database, accounts, revocation, ticket_owners, .. } = stored;
        let sources = &self.ground.phases.consume;
        spawn_until_stopped(sources, "database", async move { database.monitor().await });
        let round = self.settings.auth.recheck_round;
        let (hub, requests) = (hub.clone(), requests.clone());
        let recheck = DatabaseRecheck { hub, revocation, round, requests };
        spawn_until_stopped(sources, "recheck", recheck.run());
        (Arc::new(ticket_owners), Box::new(accounts))
    }

    fn start_reauthentication(
        &mut self,
        remote: &NextcloudAuthenticator,
        hub: &Hub,
        requests: ReauthenticationRequests,
    ) {
        let nextcloud = Arc::new(remote.clone());
        let interval = self.settings.auth.reauth_interval;
        let rng = self.ground.rng.fork();
        let tasks = &self.ground.phases.consume;
        if let TokenCheck::Later(rate) = self.settings.auth.token_check {
            let nextcloud = Arc::clone(&nextcloud) as _;
            let check = DeferredTokenCheck { hub: hub.clone(), nextcloud, rate };
            spawn_until_stopped(tasks, "token check", check.run());
        }
        let hub = hub.clone();
        let again = NextcloudReauthentication { hub, nextcloud, interval, rng, requests };
        spawn_until_stopped(tasks, "reauthentication", again.run());
    }
}

fn allow_all() -> StillAllowed {
    Arc::new(|_| true)
}

fn random_key() -> Result<[u8; 32], ServiceStartError> {
    let mut key = [0; 32];
    rustls::crypto::ring::default_provider().secure_random.fill(&mut key).map_err(|_| {
        ServiceStartError::System("random numbers", std::io::Error::other("no random numbers"))
    })?;
    Ok(key)
}
