//! The store of a single daemon: in memory, lost at a restart.

use super::{
    ExpiredRegistration, HookKey, HookSummary, PrivateHook, RegistrationRenewal, RegistrationState,
    RegistrationStore, RegistrationStoreError, SessionEntry, StoreFuture, StoreLimits,
    StoredMessage,
};
use crate::{
    health::WallClock,
    services::webhook::{
        message_id::{MessageId, micros},
        message_value::MessageValue,
        registration_key::{MessageTarget, RegistrationKey},
        replica_events::ReplicaEvent,
    },
};
use futures_util::FutureExt;
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};
use tokio::{sync::mpsc, time::Instant};

/// Signatures that are remembered; at the limit signed calls are refused until some expire.
const MAX_SEEN: usize = 65_536;

/// Interval of a full scan for expired entries.
const SWEEP: Duration = Duration::from_secs(60);

/// Registrations and hooks of one process.
pub struct MemoryStore {
    limits: StoreLimits,
    clock: WallClock,
    replica_events: mpsc::Sender<ReplicaEvent>,
    tables: Mutex<MemoryTables>,
}

#[derive(Default)]
struct MemoryTables {
    users: HashMap<String, HashMap<String, MemoryRegistration>>,
    hooks: HashMap<HookKey, PrivateHook>,
    of_user: HashMap<String, Vec<HookKey>>,
    seen: HashMap<String, Instant>,
    last: MessageId,
    /// Time of the last full scan.
    swept: Option<Instant>,
}

struct MemoryRegistration {
    until: Instant,
    /// [`SessionEntry::at`] of the latest session.
    at: MessageId,
    state: RegistrationState,
}

impl MemoryStore {
    /// Creates an empty store that sends `replica_events` to its only dispatcher.
    pub fn new(
        limits: StoreLimits,
        clock: WallClock,
        replica_events: mpsc::Sender<ReplicaEvent>,
    ) -> Self {
        Self { limits, clock, replica_events, tables: Mutex::default() }
    }

    fn tables(&self) -> MutexGuard<'_, MemoryTables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn until(&self) -> Instant {
        Instant::now() + self.limits.registration
    }

    /// Microseconds since 1970.
    fn micros(&self) -> u64 {
        micros((self.clock)())
    }

    fn add(&self, claim: &RegistrationKey) -> Result<(), RegistrationStoreError> {
        let (limits, now, until) = (&self.limits, Instant::now(), self.until());
        let mut tables = self.tables();
        let notified = tables.last;
        if tables.users.len() >= limits.users && !tables.users.contains_key(&claim.user) {
            tables.forget(now);
            if tables.users.len() >= limits.users {
                return Err(RegistrationStoreError::Full("too many users"));
            }
        }
        let connections = tables.users.entry(claim.user.clone()).or_default();
        connections.retain(|_, registration| registration.until > now);
        if let Some(registration) = connections.get_mut(&claim.connection) {
            registration.until = until;
        } else if connections.len() < limits.per_user {
            let fresh = MemoryRegistration {
                until,
                at: notified,
                state: RegistrationState::Offline(notified),
            };
            connections.insert(claim.connection.clone(), fresh);
        } else {
            return Err(RegistrationStoreError::Full("too many connections of one user"));
        }
        Ok(())
    }

    fn admit(&self, claim: &RegistrationKey) -> Option<SessionEntry> {
        let (now, until, micros) = (Instant::now(), self.until(), self.micros());
        let mut tables = self.tables();
        let at = tables.last.next(micros);
        let registration = tables.users.get_mut(&claim.user)?.get_mut(&claim.connection)?;
        if registration.until <= now {
            return None;
        }
        registration.until = until;
        let former = std::mem::replace(&mut registration.at, at);
        let before = std::mem::replace(&mut registration.state, RegistrationState::Online);
        tables.last = at;
        Some(SessionEntry {
            at,
            before: former,
            notified: match before {
                RegistrationState::Online => None,
                RegistrationState::Offline(notified) => Some(notified),
            },
        })
    }

    fn renew(&self, kept: &[RegistrationRenewal]) -> Vec<ExpiredRegistration> {
        let (now, until) = (Instant::now(), self.until());
        let mut tables = self.tables();
        let mut expired = Vec::new();
        for RegistrationRenewal { claim, at, state } in kept {
            let connections = tables.users.get_mut(&claim.user);
            let found = connections.and_then(|found| found.get_mut(&claim.connection));
            let newer = match found {
                Some(registration) if registration.at == *at => {
                    (registration.until, registration.state) = (until, *state);
                    continue;
                }
                // Registered, and not entered since.
                Some(registration) => {
                    registration.state != RegistrationState::Offline(registration.at)
                }
                None => false,
            };
            if *state == RegistrationState::Online {
                expired.push(ExpiredRegistration { claim: claim.clone(), at: *at, newer });
            }
        }
        if tables.swept.is_none_or(|swept| now.saturating_duration_since(swept) >= SWEEP) {
            tables.swept = Some(now);
            tables.forget(now);
            tables.forget_hooks((self.clock)());
        }
        expired
    }

    fn keep_hook(&self, key: &HookKey, hook: &PrivateHook) -> Result<(), RegistrationStoreError> {
        let (limits, now) = (&self.limits, (self.clock)());
        let mut tables = self.tables();
        tables.forget_hooks_of(hook.to.user(), now);
        if tables.hooks.len() >= limits.hooks {
            tables.forget_hooks(now);
        }
        if tables.hooks.len() >= limits.hooks {
            return Err(RegistrationStoreError::Full("too many hooks"));
        }
        let keys = tables.of_user.entry(hook.to.user().to_owned()).or_default();
        if keys.len() >= limits.hooks_per_user {
            return Err(RegistrationStoreError::Full("too many hooks of one user"));
        }
        keys.push(*key);
        tables.hooks.insert(*key, hook.clone());
        Ok(())
    }
}

impl MemoryTables {
    fn forget(&mut self, now: Instant) {
        for connections in self.users.values_mut() {
            connections.retain(|_, registration| registration.until > now);
        }
        self.users.retain(|_, connections| !connections.is_empty());
        self.seen.retain(|_, until| *until > now);
    }

    fn forget_hooks(&mut self, now: SystemTime) {
        let users: Vec<String> = self.of_user.keys().cloned().collect();
        users.iter().for_each(|user| self.forget_hooks_of(user, now));
    }

    fn forget_hooks_of(&mut self, user: &str, now: SystemTime) {
        self.retain_hooks(user, |hook| hook.expires > now);
    }

    /// Retains a user's matching hooks and returns how many were removed.
    fn retain_hooks(&mut self, user: &str, keep: impl Fn(&PrivateHook) -> bool) -> usize {
        let Self { hooks, of_user, .. } = self;
        let Some(keys) = of_user.get_mut(user) else { return 0 };
        let before = keys.len();
        keys.retain(|key| {
            let kept = hooks.get(key).is_some_and(&keep);
            if !kept {
                hooks.remove(key);
            }
            kept
        });
        let removed = before - keys.len();
        if keys.is_empty() {
            of_user.remove(user);
        }
        removed
    }
}

impl RegistrationStore for MemoryStore {
    fn register<'a>(&'a self, claim: &'a RegistrationKey) -> StoreFuture<'a, ()> {
        async { self.add(claim) }.boxed()
    }

    fn unregister<'a>(&'a self, claim: &'a RegistrationKey) -> StoreFuture<'a, bool> {
        async {
            let known = {
                let mut tables = self.tables();
                let connections = tables.users.get_mut(&claim.user);
                let removed = connections.and_then(|found| found.remove(&claim.connection));
                let bound = |hook: &PrivateHook| hook.to.connection() != Some(&claim.connection);
                tables.retain_hooks(&claim.user, bound);
                removed.is_some()
            };
            if known {
                self.publish(ReplicaEvent::Unregistered(claim.clone())).await?;
            }
            Ok(known)
        }
        .boxed()
    }

    fn enter<'a>(&'a self, claim: &'a RegistrationKey) -> StoreFuture<'a, Option<SessionEntry>> {
        async { Ok(self.admit(claim)) }.boxed()
    }

    fn keep<'a>(
        &'a self,
        kept: &'a [RegistrationRenewal],
    ) -> StoreFuture<'a, Vec<ExpiredRegistration>> {
        async { Ok(self.renew(kept)) }.boxed()
    }

    fn post<'a>(
        &'a self,
        to: &'a MessageTarget,
        value: &'a MessageValue,
    ) -> StoreFuture<'a, MessageId> {
        async {
            let place = self.replica_events.reserve().await.map_err(|_| ending())?;
            let micros = self.micros();
            let mut tables = self.tables();
            tables.last = tables.last.next(micros);
            let (id, to, value) = (tables.last, to.clone(), value.clone());
            // Under the lock, so that messages arrive in the order of their ids.
            place.send(ReplicaEvent::Message(StoredMessage { id, to, value }));
            Ok(id)
        }
        .boxed()
    }

    fn after(&self, _: MessageId, _: usize) -> StoreFuture<'_, Vec<StoredMessage>> {
        async { Ok(Vec::new()) }.boxed()
    }

    fn add_hook<'a>(&'a self, key: &'a HookKey, hook: &'a PrivateHook) -> StoreFuture<'a, ()> {
        async { self.keep_hook(key, hook) }.boxed()
    }

    fn hook<'a>(&'a self, key: &'a HookKey) -> StoreFuture<'a, Option<PrivateHook>> {
        async {
            let now = (self.clock)();
            Ok(self.tables().hooks.get(key).filter(|hook| hook.expires > now).cloned())
        }
        .boxed()
    }

    fn hooks<'a>(&'a self, user: &'a str) -> StoreFuture<'a, Vec<HookSummary>> {
        async move {
            let now = (self.clock)();
            let mut tables = self.tables();
            tables.forget_hooks_of(user, now);
            let keys = tables.of_user.get(user).map(Vec::as_slice).unwrap_or_default();
            Ok(keys.iter().filter_map(|key| tables.hooks.get(key)).map(HookSummary::from).collect())
        }
        .boxed()
    }

    fn remove_hook<'a>(&'a self, owner: &'a MessageTarget, id: &'a str) -> StoreFuture<'a, bool> {
        async move {
            let mine = |hook: &PrivateHook| {
                hook.id == id && (owner.connection().is_none() || hook.to == *owner)
            };
            Ok(self.tables().retain_hooks(owner.user(), |hook| !mine(hook)) > 0)
        }
        .boxed()
    }

    fn insert_once<'a>(&'a self, what: &'a str, seconds: u32) -> StoreFuture<'a, bool> {
        async move {
            let now = Instant::now();
            let mut tables = self.tables();
            if tables.seen.len() >= MAX_SEEN {
                tables.forget(now);
            }
            if tables.seen.get(what).is_some_and(|until| *until > now) {
                return Ok(false);
            }
            if tables.seen.len() >= MAX_SEEN {
                return Err(RegistrationStoreError::Full("too many signatures"));
            }
            tables.seen.insert(what.to_owned(), now + Duration::from_secs(seconds.into()));
            Ok(true)
        }
        .boxed()
    }
}

impl MemoryStore {
    async fn publish(&self, replica_events: ReplicaEvent) -> Result<(), RegistrationStoreError> {
        self.replica_events.send(replica_events).await.map_err(|_| ending())
    }
}

fn ending() -> RegistrationStoreError {
    RegistrationStoreError::Offline("the daemon is shutting down".to_owned())
}

#[cfg(test)]
mod tests;
