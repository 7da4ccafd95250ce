//! The book of a daemon that is alone: in memory, gone with the process.

use super::{
    Asked, Book, BookError, BookLimits, Entry, Hook, HookKey, Kept, Lapsed, Listed, State, Stored,
};
use crate::{
    health::Clock,
    services::webhook::{
        claim::{Claim, Target},
        id::MessageId,
        news::News,
        value::Value,
    },
};
use futures_util::FutureExt;
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{sync::mpsc, time::Instant};

/// Signatures remembered at once; past it no signed call is accepted until some are too old.
const MAX_SEEN: usize = 65_536;

/// What is over is looked for this often: it means looking through everything.
const SWEEP: Duration = Duration::from_secs(60);

/// Registrations and hooks of this process.
pub struct MemoryBook {
    limits: BookLimits,
    clock: Clock,
    news: mpsc::Sender<News>,
    pages: Mutex<Pages>,
}

#[derive(Default)]
struct Pages {
    users: HashMap<String, HashMap<String, Registration>>,
    hooks: HashMap<HookKey, Hook>,
    of_user: HashMap<String, Vec<HookKey>>,
    seen: HashMap<String, Instant>,
    last: MessageId,
    /// When all of it was looked through for what is over.
    swept: Option<Instant>,
}

struct Registration {
    until: Instant,
    /// [`Entry::at`] of the latest session.
    at: MessageId,
    state: State,
}

impl MemoryBook {
    /// An empty book that tells `news` to the one teller there is.
    pub fn new(limits: BookLimits, clock: Clock, news: mpsc::Sender<News>) -> Self {
        Self { limits, clock, news, pages: Mutex::default() }
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn until(&self) -> Instant {
        Instant::now() + self.limits.registration
    }

    /// Since 1970.
    fn micros(&self) -> u64 {
        let since = (self.clock)().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    }

    fn add(&self, claim: &Claim) -> Result<(), BookError> {
        let (limits, now, until) = (&self.limits, Instant::now(), self.until());
        let mut pages = self.pages();
        let told = pages.last;
        if pages.users.len() >= limits.users && !pages.users.contains_key(&claim.user) {
            pages.forget(now);
            if pages.users.len() >= limits.users {
                return Err(BookError::Full("too many users"));
            }
        }
        let connections = pages.users.entry(claim.user.clone()).or_default();
        connections.retain(|_, registration| registration.until > now);
        if let Some(registration) = connections.get_mut(&claim.connection) {
            registration.until = until;
        } else if connections.len() < limits.per_user {
            let fresh = Registration { until, at: told, state: State::Away(told) };
            connections.insert(claim.connection.clone(), fresh);
        } else {
            return Err(BookError::Full("too many connections of one user"));
        }
        Ok(())
    }

    fn let_in(&self, claim: &Claim) -> Option<Entry> {
        let (now, until, micros) = (Instant::now(), self.until(), self.micros());
        let mut pages = self.pages();
        let at = pages.last.next(micros);
        let registration = pages.users.get_mut(&claim.user)?.get_mut(&claim.connection)?;
        if registration.until <= now {
            return None;
        }
        registration.until = until;
        let former = std::mem::replace(&mut registration.at, at);
        let before = std::mem::replace(&mut registration.state, State::Here);
        pages.last = at;
        Some(Entry {
            at,
            before: former,
            told: match before {
                State::Here => None,
                State::Away(told) => Some(told),
            },
        })
    }

    fn renew(&self, kept: &[Kept]) -> Vec<Lapsed> {
        let (now, until) = (Instant::now(), self.until());
        let mut pages = self.pages();
        let mut lapsed = Vec::new();
        for Kept { claim, at, state } in kept {
            let connections = pages.users.get_mut(&claim.user);
            let found = connections.and_then(|found| found.get_mut(&claim.connection));
            let newer = match found {
                Some(registration) if registration.at == *at => {
                    (registration.until, registration.state) = (until, *state);
                    continue;
                }
                // Registered, and not entered since.
                Some(registration) => registration.state != State::Away(registration.at),
                None => false,
            };
            if *state == State::Here {
                lapsed.push(Lapsed { claim: claim.clone(), at: *at, newer });
            }
        }
        if pages.swept.is_none_or(|swept| now.saturating_duration_since(swept) >= SWEEP) {
            pages.swept = Some(now);
            pages.forget(now);
            pages.forget_hooks((self.clock)());
        }
        lapsed
    }

    fn keep_hook(&self, key: &HookKey, hook: &Hook) -> Result<(), BookError> {
        let (limits, now) = (&self.limits, (self.clock)());
        let mut pages = self.pages();
        pages.forget_hooks_of(hook.to.user(), now);
        if pages.hooks.len() >= limits.hooks {
            pages.forget_hooks(now);
        }
        if pages.hooks.len() >= limits.hooks {
            return Err(BookError::Full("too many hooks"));
        }
        let keys = pages.of_user.entry(hook.to.user().to_owned()).or_default();
        if keys.len() >= limits.hooks_per_user {
            return Err(BookError::Full("too many hooks of one user"));
        }
        keys.push(*key);
        pages.hooks.insert(*key, hook.clone());
        Ok(())
    }
}

impl Pages {
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

    /// Keeps of a user's hooks what shall be kept; says how many went.
    fn retain_hooks(&mut self, user: &str, keep: impl Fn(&Hook) -> bool) -> usize {
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
        let gone = before - keys.len();
        if keys.is_empty() {
            of_user.remove(user);
        }
        gone
    }
}

impl Book for MemoryBook {
    fn register<'a>(&'a self, claim: &'a Claim) -> Asked<'a, ()> {
        async { self.add(claim) }.boxed()
    }

    fn unregister<'a>(&'a self, claim: &'a Claim) -> Asked<'a, bool> {
        async {
            let known = {
                let mut pages = self.pages();
                let connections = pages.users.get_mut(&claim.user);
                let gone = connections.and_then(|found| found.remove(&claim.connection));
                let bound = |hook: &Hook| hook.to.connection() != Some(&claim.connection);
                pages.retain_hooks(&claim.user, bound);
                gone.is_some()
            };
            if known {
                self.tell(News::Unregistered(claim.clone())).await?;
            }
            Ok(known)
        }
        .boxed()
    }

    fn enter<'a>(&'a self, claim: &'a Claim) -> Asked<'a, Option<Entry>> {
        async { Ok(self.let_in(claim)) }.boxed()
    }

    fn keep<'a>(&'a self, kept: &'a [Kept]) -> Asked<'a, Vec<Lapsed>> {
        async { Ok(self.renew(kept)) }.boxed()
    }

    fn post<'a>(&'a self, to: &'a Target, value: &'a Value) -> Asked<'a, MessageId> {
        async {
            let place = self.news.reserve().await.map_err(|_| ending())?;
            let micros = self.micros();
            let mut pages = self.pages();
            pages.last = pages.last.next(micros);
            let (id, to, value) = (pages.last, to.clone(), value.clone());
            // Under the lock, so that messages are told in the order of their ids.
            place.send(News::Message(Stored { id, to, value }));
            Ok(id)
        }
        .boxed()
    }

    fn after(&self, _: MessageId, _: usize) -> Asked<'_, Vec<Stored>> {
        async { Ok(Vec::new()) }.boxed()
    }

    fn add_hook<'a>(&'a self, key: &'a HookKey, hook: &'a Hook) -> Asked<'a, ()> {
        async { self.keep_hook(key, hook) }.boxed()
    }

    fn hook<'a>(&'a self, key: &'a HookKey) -> Asked<'a, Option<Hook>> {
        async {
            let now = (self.clock)();
            Ok(self.pages().hooks.get(key).filter(|hook| hook.expires > now).cloned())
        }
        .boxed()
    }

    fn hooks<'a>(&'a self, user: &'a str) -> Asked<'a, Vec<Listed>> {
        async move {
            let now = (self.clock)();
            let mut pages = self.pages();
            pages.forget_hooks_of(user, now);
            let keys = pages.of_user.get(user).map(Vec::as_slice).unwrap_or_default();
            Ok(keys.iter().filter_map(|key| pages.hooks.get(key)).map(Listed::from).collect())
        }
        .boxed()
    }

    fn remove_hook<'a>(&'a self, owner: &'a Target, id: &'a str) -> Asked<'a, bool> {
        async move {
            let mine =
                |hook: &Hook| hook.id == id && (owner.connection().is_none() || hook.to == *owner);
            Ok(self.pages().retain_hooks(owner.user(), |hook| !mine(hook)) > 0)
        }
        .boxed()
    }

    fn first_time<'a>(&'a self, what: &'a str, seconds: u32) -> Asked<'a, bool> {
        async move {
            let now = Instant::now();
            let mut pages = self.pages();
            if pages.seen.len() >= MAX_SEEN {
                pages.forget(now);
            }
            if pages.seen.get(what).is_some_and(|until| *until > now) {
                return Ok(false);
            }
            if pages.seen.len() >= MAX_SEEN {
                return Err(BookError::Full("too many signatures"));
            }
            pages.seen.insert(what.to_owned(), now + Duration::from_secs(seconds.into()));
            Ok(true)
        }
        .boxed()
    }
}

impl MemoryBook {
    async fn tell(&self, news: News) -> Result<(), BookError> {
        self.news.send(news).await.map_err(|_| ending())
    }
}

fn ending() -> BookError {
    BookError::Away("the daemon is ending".to_owned())
}

#[cfg(test)]
mod tests;
