//! Everything that reads the database of one Nextcloud: audiences, logins, session checks.

use super::{NextcloudBuilder, admission::LoginAdmission, metrics};
use crate::{
    client::database::Database,
    services::{
        ServiceStartError,
        nextcloud::{
            accounts::{
                ChainPosition, DatabaseAuthenticator, LoginRules, PasswordFingerprinter,
                RevocationChecker, TicketOwnerLookup, UncheckedTokens,
            },
            login::hashing::HashingPool,
            mount_store::MountStore,
            settings::{AuthStep, NextcloudServiceSettings, TokenCheck},
        },
    },
};
use std::sync::Arc;

/// The parts that read the database.
pub(super) struct NextcloudDatabase {
    pub(super) database: Arc<Database>,
    pub(super) directory: Arc<MountStore>,
    pub(super) accounts: DatabaseAuthenticator,
    pub(super) hashing: HashingPool,
    pub(super) revocation: RevocationChecker,
    pub(super) ticket_owners: TicketOwnerLookup,
}

impl NextcloudDatabase {
    /// The parts, if the settings name a database. Connects to nothing yet.
    pub(super) fn new(
        parts: &mut NextcloudBuilder,
        authenticated: &LoginAdmission,
    ) -> Result<Option<Self>, ServiceStartError> {
        let Some(settings) = &parts.settings.database else { return Ok(None) };
        let database = Database::new(settings, parts.ground.rng.fork())?;
        let observe = metrics::queries(&parts.observers.store);
        let database = Arc::new(database.observed(observe));
        let queries = Arc::clone(&parts.observers.store);
        let directory =
            MountStore::new(Arc::clone(&database), move |ok, took| queries.queried(ok, took));
        let (addresses, still_allowed) =
            (authenticated.addresses.clone(), Arc::clone(&authenticated.still_allowed));
        let hashing =
            HashingPool::new(parts.ground.cores.saturating_sub(1), addresses, still_allowed);
        let (fingerprint, clock) =
            (PasswordFingerprinter::default(), Arc::clone(&parts.ground.clock));
        let accounts = DatabaseAuthenticator::new(
            Arc::clone(&database),
            rules(&parts.settings),
            hashing.clone(),
            fingerprint.clone(),
            Arc::clone(&clock),
        );
        let ticket_owners = TicketOwnerLookup::new(Arc::clone(&database), fingerprint.clone());
        let revocation = RevocationChecker::new(Arc::clone(&database), fingerprint, clock);
        Ok(Some(Self {
            directory: Arc::new(directory),
            accounts,
            hashing,
            revocation,
            ticket_owners,
            database,
        }))
    }
}

fn rules(settings: &NextcloudServiceSettings) -> LoginRules {
    let auth = &settings.auth;
    let followed =
        auth.steps.last() == Some(&AuthStep::Nextcloud) && settings.nextcloud.url.is_some();
    LoginRules {
        secret: auth.secret.clone().unwrap_or_default(),
        token_auth_enforced: auth.token_auth_enforced,
        two_factor_enforced: auth.two_factor.enforced,
        unchecked_tokens: match auth.token_check {
            TokenCheck::First => UncheckedTokens::AskFirst,
            TokenCheck::Later(_) => UncheckedTokens::Accept,
        },
        chain_position: if followed {
            ChainPosition::BeforeNextcloud
        } else {
            ChainPosition::LastStep
        },
    }
}
