//! The database side: who sees what, whose password is right, who may stay.

use super::{Parts, counting, door::Door};
use crate::{
    client::database::Database,
    services::{
        StartError,
        nextcloud::{
            accounts::{Accounts, Fingerprint, LoginRules, Revocation, Voice},
            directory::Directory,
            login::hashing::Hashing,
            settings::{AuthStep, InstanceSettings},
        },
    },
};
use std::sync::Arc;

/// Everything that asks the database.
pub(super) struct Stored {
    pub(super) database: Arc<Database>,
    pub(super) directory: Arc<Directory>,
    pub(super) accounts: Accounts,
    pub(super) hashing: Hashing,
    pub(super) revocation: Revocation,
}

impl Stored {
    /// Where there is a database. Nothing is connected yet.
    pub(super) fn new(parts: &mut Parts, door: &Door) -> Result<Option<Self>, StartError> {
        let Some(settings) = &parts.settings.database else { return Ok(None) };
        let database = Database::new(settings, parts.ground.rng.fork())?;
        let observe = counting::queries(&parts.observers.store);
        let database = Arc::new(database.observed(observe));
        let queries = Arc::clone(&parts.observers.store);
        let directory =
            Directory::new(Arc::clone(&database), move |ok, took| queries.queried(ok, took));
        let (origins, welcome) = (door.origins.clone(), Arc::clone(&door.welcome));
        let hashing = Hashing::new(parts.ground.cores.saturating_sub(1), origins, welcome);
        let (fingerprint, clock) = (Fingerprint::default(), Arc::clone(&parts.ground.clock));
        let accounts = Accounts::new(
            Arc::clone(&database),
            rules(&parts.settings),
            hashing.clone(),
            fingerprint.clone(),
            Arc::clone(&clock),
        );
        let revocation = Revocation::new(Arc::clone(&database), fingerprint, clock);
        Ok(Some(Self { directory: Arc::new(directory), accounts, hashing, revocation, database }))
    }
}

fn rules(settings: &InstanceSettings) -> LoginRules {
    let auth = &settings.auth;
    let followed =
        auth.steps.last() == Some(&AuthStep::Nextcloud) && settings.nextcloud.url.is_some();
    LoginRules {
        secret: auth.secret.clone().unwrap_or_default(),
        token_auth_enforced: auth.token_auth_enforced,
        two_factor_enforced: auth.two_factor.enforced,
        voice: if followed { Voice::Followed } else { Voice::Alone },
    }
}
