//! The book of several replicas: in Redis.

use super::{
    Asked, Book, BookError, BookLimits, Entry, Hook, HookKey, Kept, Lapsed, Listed, State, Stored,
    scripts::{self, PREFIX},
};
use crate::{
    client::redis::{Answer, Fault, Keys},
    config::secret::Secret,
    health::Record,
    runtime::status::Condition,
    services::webhook::{
        claim::{Claim, Target},
        id::MessageId,
        news,
        news::News,
        value::Value,
    },
};
use futures_util::{FutureExt, future::try_join_all};
use serde::{Deserialize, Serialize};
use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::time::Instant;

/// Registrations that are renewed at once.
const AT_ONCE: usize = 4;

/// Registrations, hooks and messages in Redis. A command takes no longer than
/// [`crate::client::redis::Pace::command`]; what can't be asked then is [`BookError::Away`].
pub struct SharedBook {
    keys: Keys,
    limits: BookLimits,
    channel: &'static str,
    record: Arc<Record>,
}

/// Bytes of messages that are read at once; the longest answer that is taken is four times that.
const READ_AT_ONCE: usize = 1 << 20;

/// A hook as it is written.
#[derive(Serialize, Deserialize)]
struct Written {
    id: String,
    user: String,
    connection: Option<String>,
    /// Milliseconds since 1970.
    expires: u64,
    secret: Option<String>,
}

impl From<Fault> for BookError {
    fn from(fault: Fault) -> Self {
        Self::Away(fault.to_string())
    }
}

/// An answer that none of the scripts gives.
fn strange() -> BookError {
    BookError::Away("Redis answers in a way nobody foresaw".to_owned())
}

impl SharedBook {
    /// The book in this Redis, whose replicas tell each other on `channel`. How it answers is written
    /// into `record`.
    pub fn new(keys: Keys, limits: BookLimits, channel: &'static str, record: Arc<Record>) -> Self {
        Self { keys, limits, channel, record }
    }

    /// Says so once when Redis begins to refuse, and when it doesn't any more: it may let us listen and
    /// not write.
    fn heard<T>(&self, answer: Result<T, Fault>) -> Result<T, BookError> {
        let was_down = matches!(self.record.get(), Condition::Down { .. });
        match &answer {
            Ok(_) => {
                self.record.succeeded(Instant::now());
                if was_down {
                    tracing::info!("registrations and messages are kept in Redis again");
                }
            }
            Err(fault) => {
                self.record.failed(fault.to_string(), Instant::now());
                if !was_down {
                    tracing::warn!("registrations and messages can't be kept in Redis: {fault}");
                }
            }
        }
        Ok(answer?)
    }

    async fn run(
        &self,
        script: &str,
        keys: &[&str],
        arguments: &[&str],
    ) -> Result<Answer, BookError> {
        let keys: Vec<String> =
            ["last"].iter().chain(keys).map(|key| format!("{PREFIX}{key}")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        self.heard(self.keys.eval(&scripts::whole(script), &keys, arguments).await)
    }

    async fn holds(
        &self,
        script: &str,
        keys: &[&str],
        arguments: &[&str],
    ) -> Result<bool, BookError> {
        match self.run(script, keys, arguments).await? {
            Answer::Int(count) => Ok(count > 0),
            _ => Err(strange()),
        }
    }

    fn lifetime(&self) -> String {
        self.limits.registration.as_millis().to_string()
    }

    fn replay(&self) -> String {
        // A key can't live for no time at all.
        self.limits.replay.as_millis().max(1).to_string()
    }

    async fn add(&self, claim: &Claim) -> Result<(), BookError> {
        let Claim { user, connection } = claim;
        let (per_user, users) = (self.limits.per_user.to_string(), self.limits.users.to_string());
        let keys = [&*connections(user), "users"];
        let arguments = [connection, user, &*self.lifetime(), &per_user, &users];
        match self.run(scripts::REGISTER, &keys, &arguments).await? {
            Answer::Int(_) => Ok(()),
            Answer::Text(limit) if *limit == *b"users" => Err(BookError::Full("too many users")),
            Answer::Text(_) => Err(BookError::Full("too many connections of one user")),
            _ => Err(strange()),
        }
    }

    async fn let_in(&self, claim: &Claim) -> Result<Option<Entry>, BookError> {
        let Claim { user, connection } = claim;
        let keys = [&*connections(user), "users", "first"];
        let told = news::pair(claim);
        let arguments = [connection, user, &*self.lifetime(), self.channel, &told];
        let answer = self.run(scripts::ENTER, &keys, &arguments).await?;
        if let Answer::Nil = answer {
            return Ok(None);
        }
        let all: Option<Vec<String>> =
            answer.list().into_iter().map(|answer| answer.text()).collect();
        let [at, told, before] =
            <[String; 3]>::try_from(all.unwrap_or_default()).map_err(|_| strange())?;
        let told = if told == "-" { None } else { Some(id(&told)?) };
        Ok(Some(Entry { at: id(&at)?, told, before: id(&before)? }))
    }

    async fn renew(&self, Kept { claim, at, state }: &Kept) -> Result<Option<Lapsed>, BookError> {
        let Claim { user, connection } = claim;
        let told = match state {
            State::Here => "-".to_owned(),
            State::Away(told) => told.to_string(),
        };
        let keys = [&*connections(user), "users", "first"];
        let arguments = [connection, user, &*self.lifetime(), &at.to_string(), &told];
        let newer = match self.run(scripts::KEEP, &keys, &arguments).await? {
            Answer::Int(0) => false,
            Answer::Int(2) => true,
            _ => return Ok(None),
        };
        let lapsed = Lapsed { claim: claim.clone(), at: *at, newer };
        Ok(Some(lapsed).filter(|_| *state == State::Here))
    }

    async fn send(&self, to: &Target, value: &Value) -> Result<MessageId, BookError> {
        let limits = &self.limits;
        let (most, bytes) = (limits.messages_in_all.to_string(), limits.bytes_in_all.to_string());
        let message = news::message(to, value);
        let arguments = [self.channel, &*message, &self.replay(), &most, &bytes];
        let answer = self.run(scripts::POST, &["log", "bytes"], &arguments).await?;
        id(&answer.text().ok_or_else(strange)?)
    }

    async fn behind(&self, after: MessageId, most: usize) -> Result<Vec<Stored>, BookError> {
        let (after, most, bytes) = (after.to_string(), most.to_string(), READ_AT_ONCE.to_string());
        let arguments = [&*after, &most, &self.replay(), &bytes];
        let answer = self.run(scripts::AFTER, &["log"], &arguments).await?;
        let told = answer.list().into_iter().filter_map(|entry| match entry {
            Answer::Text(text) => news::read(&text).ok(),
            _ => None,
        });
        Ok(told
            .filter_map(|news| match news {
                News::Message(stored) => Some(stored),
                _ => None,
            })
            .collect())
    }

    async fn keep_hook(&self, key: &HookKey, hook: &Hook) -> Result<(), BookError> {
        let (digest, limits) = (hex(key), &self.limits);
        let expires = millis(hook.expires);
        let written = Written {
            id: hook.id.clone(),
            user: hook.to.user().to_owned(),
            connection: hook.to.connection().map(str::to_owned),
            expires,
            secret: hook.secret.as_ref().map(|secret| secret.expose().to_owned()),
        };
        let written = serde_json::to_string(&written).map_err(|_| strange())?;
        let bound = hook.to.connection().map(|only| format!("c{only}")).unwrap_or_default();
        let signed = u8::from(hook.secret.is_some());
        let listed = format!("{expires} {digest} {signed} {bound}");
        let (per_user, all) = (limits.hooks_per_user.to_string(), limits.hooks.to_string());
        let keys = [&*format!("h:{digest}"), &hooks_of(hook.to.user()), "hooks"];
        let arguments =
            [&*hook.id, &listed, &expires.to_string(), &written, &per_user, &all, &digest];
        match self.run(scripts::ADD_HOOK, &keys, &arguments).await? {
            Answer::Int(_) => Ok(()),
            Answer::Text(limit) if *limit == *b"user" => {
                Err(BookError::Full("too many hooks of one user"))
            }
            Answer::Text(_) => Err(BookError::Full("too many hooks")),
            _ => Err(strange()),
        }
    }

    async fn look_up(&self, key: &HookKey) -> Result<Option<Hook>, BookError> {
        let written = self.heard(self.keys.get(&format!("{PREFIX}h:{}", hex(key))).await)?;
        let Some(written) = written else { return Ok(None) };
        let Written { id, user, connection, expires, secret } =
            serde_json::from_slice(&written).map_err(|_| strange())?;
        let to = match connection {
            None => Target::User(user),
            Some(connection) => Target::Connection(Claim { user, connection }),
        };
        Ok(Some(Hook { id, to, expires: time(expires), secret: secret.map(Secret::from) }))
    }

    async fn list(&self, user: &str) -> Result<Vec<Listed>, BookError> {
        let answer = self.run(scripts::HOOKS, &[&hooks_of(user)], &[]).await?;
        let texts: Option<Vec<String>> =
            answer.list().into_iter().map(|answer| answer.text()).collect();
        let texts = texts.ok_or_else(strange)?;
        let pairs = texts.chunks_exact(2);
        let mut listed: Vec<Listed> =
            pairs.filter_map(|pair| read_listed(&pair[0], &pair[1])).collect();
        listed.sort_by_key(|hook| hook.expires);
        Ok(listed)
    }
}

/// `<end> <digest> <signed> c<connection>`, the last where there is one.
fn read_listed(id: &str, text: &str) -> Option<Listed> {
    let mut parts = text.splitn(4, ' ');
    let expires = time(parts.next()?.parse().ok()?);
    let signed = parts.nth(1)? == "1";
    let connection = parts.next().and_then(|bound| bound.strip_prefix('c')).map(str::to_owned);
    Some(Listed { id: id.to_owned(), connection, expires, signed })
}

fn connections(user: &str) -> String {
    format!("c:{user}")
}

fn hooks_of(user: &str) -> String {
    format!("u:{user}")
}

fn hex(HookKey(key): &HookKey) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn id(text: &str) -> Result<MessageId, BookError> {
    text.parse().map_err(|_| strange())
}

fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn time(millis: u64) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_millis(millis)).unwrap_or(UNIX_EPOCH)
}

impl Book for SharedBook {
    fn register<'a>(&'a self, claim: &'a Claim) -> Asked<'a, ()> {
        self.add(claim).boxed()
    }

    fn unregister<'a>(&'a self, claim: &'a Claim) -> Asked<'a, bool> {
        async move {
            let Claim { user, connection } = claim;
            let keys = [&*connections(user), &hooks_of(user), "hooks"];
            let told = news::pair(claim);
            let arguments = [&**connection, self.channel, &told, PREFIX];
            self.holds(scripts::UNREGISTER, &keys, &arguments).await
        }
        .boxed()
    }

    fn enter<'a>(&'a self, claim: &'a Claim) -> Asked<'a, Option<Entry>> {
        self.let_in(claim).boxed()
    }

    fn keep<'a>(&'a self, kept: &'a [Kept]) -> Asked<'a, Vec<Lapsed>> {
        async move {
            let mut lapsed = Vec::new();
            for some in kept.chunks(AT_ONCE) {
                let mut renewals = Vec::with_capacity(some.len());
                for kept in some {
                    renewals.push(self.renew(kept));
                }
                lapsed.extend(try_join_all(renewals).await?.into_iter().flatten());
            }
            Ok(lapsed)
        }
        .boxed()
    }

    fn post<'a>(&'a self, to: &'a Target, value: &'a Value) -> Asked<'a, MessageId> {
        self.send(to, value).boxed()
    }

    fn after(&self, id: MessageId, most: usize) -> Asked<'_, Vec<Stored>> {
        self.behind(id, most).boxed()
    }

    fn add_hook<'a>(&'a self, key: &'a HookKey, hook: &'a Hook) -> Asked<'a, ()> {
        self.keep_hook(key, hook).boxed()
    }

    fn hook<'a>(&'a self, key: &'a HookKey) -> Asked<'a, Option<Hook>> {
        self.look_up(key).boxed()
    }

    fn hooks<'a>(&'a self, user: &'a str) -> Asked<'a, Vec<Listed>> {
        self.list(user).boxed()
    }

    fn remove_hook<'a>(&'a self, owner: &'a Target, id: &'a str) -> Asked<'a, bool> {
        async move {
            let keys = [&*hooks_of(owner.user()), "hooks"];
            let arguments = [id, owner.connection().unwrap_or_default(), PREFIX];
            self.holds(scripts::REMOVE_HOOK, &keys, &arguments).await
        }
        .boxed()
    }

    fn first_time<'a>(&'a self, what: &'a str, seconds: u32) -> Asked<'a, bool> {
        async move {
            let key = format!("s:{what}");
            self.holds(scripts::FIRST_TIME, &[&key], &[&seconds.to_string()]).await
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::{Listed, read_listed, time};

    #[test]
    fn what_is_listed_is_read_whatever_the_connections_name_is() {
        let hook = |connection: Option<&str>, signed| Listed {
            id: "i".to_owned(),
            connection: connection.map(str::to_owned),
            expires: time(7),
            signed,
        };
        assert_eq!(read_listed("i", "7 ab 0 "), Some(hook(None, false)));
        assert_eq!(read_listed("i", "7 ab 1 cc 1 x"), Some(hook(Some("c 1 x"), true)));
        assert_eq!(read_listed("i", "x ab 1 "), None);
        assert_eq!(read_listed("i", "7"), None);
    }
}
