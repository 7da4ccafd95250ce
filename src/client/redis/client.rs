//! The few keys that the host reads and writes in Redis, on a handful of connections made on demand.

use super::{
    RedisAddress, RedisClientError, RedisSettings, RedisTimeouts, cluster::ClusterRedirect,
    connection::RedisConnection, connector::RedisConnector,
};
use bytes::Bytes;
use redis::{ServerError, ServerErrorKind, Value};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{sync::Semaphore, time::timeout};

/// No more commands than this are under way at once; others queue for their part of [`RedisTimeouts::command`].
const CONCURRENT: usize = 4;

/// One command is tried this often: a stale connection, a redirection or two, a failover.
const TRIES: usize = 4;

/// The places of this many keys are remembered; beyond it the memory starts anew.
const MAX_PLACES: usize = 64;

/// Reads and writes keys. Cheap to clone; no lock is held while Redis is waited for.
#[derive(Debug, Clone)]
pub struct RedisClient {
    shared: Arc<RedisClientShared>,
}

#[derive(Debug)]
struct RedisClientShared {
    finder: RedisConnector,
    timeouts: RedisTimeouts,
    permits: Semaphore,
    cache: Mutex<ConnectionCache>,
}

/// Connections at rest and where keys live; the lock is held for moments only.
#[derive(Debug, Default)]
struct ConnectionCache {
    idle: Vec<RedisConnection>,
    places: HashMap<Box<[u8]>, RedisAddress>,
}

/// A command on one key or channel.
struct RedisCommand<'a> {
    words: &'a [&'a [u8]],
    /// The ACL rules it needs.
    rights: &'static str,
    /// Sending it twice does no harm.
    repeatable: bool,
}

impl RedisCommand<'_> {
    /// Where it belongs in a cluster: its key's hash tag, if it has one. A script's key comes behind
    /// its text.
    fn key(&self) -> &[u8] {
        let at = if self.words.first() == Some(&b"EVAL".as_slice()) { 3 } else { 1 };
        let key = self.words.get(at).copied().unwrap_or_default();
        tag(key).unwrap_or(key)
    }
}

/// What of a key decides its place: <https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/>.
fn tag(key: &[u8]) -> Option<&[u8]> {
    let inside = &key[key.iter().position(|byte| *byte == b'{')? + 1..];
    let tag = &inside[..inside.iter().position(|byte| *byte == b'}')?];
    (!tag.is_empty()).then_some(tag)
}

/// What a script answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScriptReply {
    /// Nothing: `nil` or `false`.
    Nil,
    /// A number.
    Int(i64),
    /// Bytes.
    Text(Bytes),
    /// Several answers.
    List(Vec<ScriptReply>),
}

impl ScriptReply {
    /// The answers of a list; none of what is none.
    pub fn list(self) -> Vec<ScriptReply> {
        match self {
            Self::List(answers) => answers,
            _ => Vec::new(),
        }
    }

    /// Bytes that are text.
    pub fn text(self) -> Option<String> {
        match self {
            Self::Text(bytes) => String::from_utf8(bytes.into()).ok(),
            _ => None,
        }
    }
}

impl From<Value> for ScriptReply {
    fn from(value: Value) -> Self {
        match value {
            Value::Int(number) => Self::Int(number),
            Value::BulkString(bytes) => Self::Text(bytes.into()),
            Value::SimpleString(text) => Self::Text(text.into()),
            Value::Array(values) => Self::List(values.into_iter().map(Self::from).collect()),
            _ => Self::Nil,
        }
    }
}

impl RedisClient {
    /// Connects to nothing yet.
    pub fn new(settings: RedisSettings, timeouts: RedisTimeouts, rng: fastrand::Rng) -> Self {
        let capped =
            RedisTimeouts { step_timeout: timeouts.step_timeout.min(timeouts.command), ..timeouts };
        let finder = RedisConnector::new(settings, capped, rng);
        let (permits, cache) = (Semaphore::new(CONCURRENT), Mutex::default());
        Self { shared: Arc::new(RedisClientShared { finder, timeouts, permits, cache }) }
    }

    /// The value of a key; `None` if there is none.
    pub async fn get(&self, key: &str) -> Result<Option<Bytes>, RedisClientError> {
        let words: [&[u8]; 2] = [b"GET", key.as_bytes()];
        let rights = "+get and the key pattern ~notify_* (and ~test-token)";
        match self.run(&RedisCommand { words: &words, rights, repeatable: true }).await? {
            Value::BulkString(value) => Ok(Some(value.into())),
            _ => Ok(None),
        }
    }

    /// Sets a key.
    pub async fn set(&self, key: &str, value: impl AsRef<[u8]>) -> Result<(), RedisClientError> {
        let words: [&[u8]; 3] = [b"SET", key.as_bytes(), value.as_ref()];
        let rights = "+set and the key pattern ~notify_*";
        self.run(&RedisCommand { words: &words, rights, repeatable: true }).await.map(drop)
    }

    /// Sets a key that goes away by itself after so many seconds.
    pub async fn set_with_expiry(
        &self,
        key: &str,
        value: impl AsRef<[u8]>,
        seconds: u32,
    ) -> Result<(), RedisClientError> {
        let seconds = seconds.to_string();
        let words: [&[u8]; 5] = [b"SET", key.as_bytes(), value.as_ref(), b"EX", seconds.as_bytes()];
        let rights = "+set and the key pattern ~test-token";
        self.run(&RedisCommand { words: &words, rights, repeatable: true }).await.map(drop)
    }

    /// Publishes on a channel, once at most.
    pub async fn publish(
        &self,
        channel: &str,
        payload: impl AsRef<[u8]>,
    ) -> Result<(), RedisClientError> {
        let words: [&[u8]; 3] = [b"PUBLISH", channel.as_bytes(), payload.as_ref()];
        let rights = "+publish and the channel pattern &notify_*";
        self.run(&RedisCommand { words: &words, rights, repeatable: false }).await.map(drop)
    }

    /// Runs a script, in one step and once at most. All keys have one hash tag, or there is one key.
    pub async fn eval(
        &self,
        script: &str,
        keys: &[&str],
        arguments: &[&str],
    ) -> Result<ScriptReply, RedisClientError> {
        let count = keys.len().to_string();
        let mut words: Vec<&[u8]> = vec![b"EVAL", script.as_bytes(), count.as_bytes()];
        words.extend(keys.iter().chain(arguments).map(|word| word.as_bytes()));
        let rights = "+eval, the commands in docs/webhook.md and their keys and channel";
        self.run(&RedisCommand { words: &words, rights, repeatable: false })
            .await
            .map(ScriptReply::from)
    }

    async fn run(&self, command: &RedisCommand<'_>) -> Result<Value, RedisClientError> {
        let limit = self.shared.timeouts.command;
        let done = timeout(limit, async {
            let _turn =
                self.shared.permits.acquire().await.map_err(|_| RedisClientError::Nowhere)?;
            self.shared.attempt(command).await
        });
        done.await.unwrap_or_else(|_| Err(RedisClientError::Late { seconds: limit.as_secs_f32() }))
    }
}

/// What to do after a try.
enum CommandAttempt {
    Done(Value),
    Failed(RedisClientError),
    Again(Option<ClusterRedirect>, RedisClientError),
}

impl RedisClientShared {
    async fn attempt(&self, command: &RedisCommand<'_>) -> Result<Value, RedisClientError> {
        let mut redirect = None;
        let mut last = RedisClientError::Nowhere;
        for _ in 0..TRIES {
            match self.once(command, redirect.take()).await {
                CommandAttempt::Done(value) => return Ok(value),
                CommandAttempt::Failed(fault) => return Err(fault),
                CommandAttempt::Again(to, why) => (redirect, last) = (to, why),
            }
        }
        Err(last)
    }

    async fn once(
        &self,
        command: &RedisCommand<'_>,
        redirect: Option<ClusterRedirect>,
    ) -> CommandAttempt {
        let place = match &redirect {
            Some(ClusterRedirect::Moved(at) | ClusterRedirect::Ask(at)) => Some(at.clone()),
            None => self.cache().places.get(command.key()).cloned(),
        };
        let (mut wire, reused) = match self.connection(place.as_ref()).await {
            Ok(found) => found,
            // The key's node may be gone: whoever answers knows where the key is now.
            Err(fault) if place.is_some() && redirect.is_none() => {
                self.cache().places.remove(command.key());
                return CommandAttempt::Again(None, fault);
            }
            Err(fault) => return CommandAttempt::Failed(fault),
        };
        if matches!(redirect, Some(ClusterRedirect::Ask(_)))
            && let Err(fault) = wire.call(&[b"ASKING"], "+asking").await
        {
            return CommandAttempt::Failed(fault);
        }
        match wire.ask(command.words).await {
            Ok(Value::ServerError(error)) => self.refused(wire, command, &error),
            Ok(value) => {
                self.keep(wire);
                CommandAttempt::Done(value)
            }
            // It was idle for long and the server had closed it meanwhile.
            Err(fault @ RedisClientError::Closed { .. }) if reused && command.repeatable => {
                CommandAttempt::Again(redirect, fault)
            }
            Err(fault) => CommandAttempt::Failed(fault),
        }
    }

    fn refused(
        &self,
        wire: RedisConnection,
        command: &RedisCommand<'_>,
        error: &ServerError,
    ) -> CommandAttempt {
        let fault = RedisClientError::answer(&wire.at, error, command.rights);
        if let Some(redirect) = ClusterRedirect::from_error(error, &wire.at) {
            if let ClusterRedirect::Moved(at) = &redirect {
                self.remember(command.key(), at);
            }
            self.keep(wire);
            return CommandAttempt::Again(Some(redirect), fault);
        }
        if let Some(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown) = error.kind() {
            // A failover: none of the connections leads to the master any more.
            self.cache().idle.clear();
            return CommandAttempt::Again(None, fault);
        }
        self.keep(wire);
        CommandAttempt::Failed(fault)
    }

    async fn connection(
        &self,
        place: Option<&RedisAddress>,
    ) -> Result<(RedisConnection, bool), RedisClientError> {
        while let Some(mut wire) = self.idle(place) {
            if wire.is_at_rest() {
                return Ok((wire, true));
            }
        }
        let fresh = match place {
            Some(at) => self.finder.open(at).await?,
            None => self.finder.connect().await?,
        };
        Ok((fresh, false))
    }

    fn idle(&self, place: Option<&RedisAddress>) -> Option<RedisConnection> {
        let mut cache = self.cache();
        let found = cache.idle.iter().rposition(|wire| place.is_none_or(|at| wire.at == *at))?;
        Some(cache.idle.swap_remove(found))
    }

    fn keep(&self, wire: RedisConnection) {
        let mut cache = self.cache();
        if cache.idle.len() < CONCURRENT {
            cache.idle.push(wire);
        }
    }

    fn remember(&self, key: &[u8], at: &RedisAddress) {
        let mut cache = self.cache();
        if cache.places.len() >= MAX_PLACES {
            cache.places.clear();
        }
        cache.places.insert(key.into(), at.clone());
    }

    fn cache(&self) -> MutexGuard<'_, ConnectionCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
