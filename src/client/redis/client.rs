//! Reads and writes the few keys of a service, on a handful of connections opened on demand.

use super::{
    RedisAddress, RedisClientError, RedisSettings, RedisTimeouts, cluster::ClusterRedirect,
    connection::RedisConnection, connector::RedisConnector,
};
use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use redis::{ServerError, ServerErrorKind, Value};
use std::{collections::HashMap, sync::Arc};
use tokio::{sync::Semaphore, time::timeout};

/// Most commands under way at once; others queue for up to [`RedisTimeouts::command`].
const CONCURRENT: usize = 4;

/// Attempts per command: enough for a stale connection, two redirections and a failover.
const TRIES: usize = 4;

/// Most keys whose cluster node is cached; beyond it the cache starts over.
const MAX_PLACES: usize = 64;

/// Reads and writes keys. Cheap to clone; no lock is held while waiting for Redis.
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

/// Idle connections and the cluster nodes of keys; the lock is held only for look-ups.
#[derive(Debug, Default)]
struct ConnectionCache {
    idle: Vec<RedisConnection>,
    places: HashMap<Box<[u8]>, RedisAddress>,
}

/// A command on one key or channel.
struct RedisCommand<'a> {
    arguments: &'a [&'a [u8]],
    /// The ACL rules that it needs.
    rights: &'static str,
    /// Whether sending it twice does no harm.
    repeatable: bool,
}

impl RedisCommand<'_> {
    /// What decides its cluster node: the key's hash tag if it has one, else the key. A script's key
    /// follows the script.
    fn key(&self) -> &[u8] {
        let at = if self.arguments.first() == Some(&b"EVAL".as_slice()) { 3 } else { 1 };
        let key = self.arguments.get(at).copied().unwrap_or_default();
        tag(key).unwrap_or(key)
    }
}

/// The hash tag of a key: <https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/>.
fn tag(key: &[u8]) -> Option<&[u8]> {
    let inside = &key[key.iter().position(|byte| *byte == b'{')? + 1..];
    let tag = &inside[..inside.iter().position(|byte| *byte == b'}')?];
    (!tag.is_empty()).then_some(tag)
}

/// The reply of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScriptReply {
    /// `nil` or `false`.
    Nil,
    /// An integer reply.
    Int(i64),
    /// A string of bytes.
    Text(Bytes),
    /// A list of replies.
    List(Vec<ScriptReply>),
}

impl ScriptReply {
    /// The entries of a list; empty for any other reply.
    pub fn list(self) -> Vec<ScriptReply> {
        match self {
            Self::List(answers) => answers,
            _ => Vec::new(),
        }
    }

    /// The string, if it is UTF-8.
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
    /// Opens no connection yet.
    pub fn new(settings: RedisSettings, timeouts: RedisTimeouts, rng: fastrand::Rng) -> Self {
        let capped =
            RedisTimeouts { step_timeout: timeouts.step_timeout.min(timeouts.command), ..timeouts };
        let finder = RedisConnector::new(settings, capped, rng);
        let (permits, cache) = (Semaphore::new(CONCURRENT), Mutex::default());
        Self { shared: Arc::new(RedisClientShared { finder, timeouts, permits, cache }) }
    }

    /// The value of a key; `None` if the key doesn't exist.
    pub async fn get(&self, key: &str) -> Result<Option<Bytes>, RedisClientError> {
        let arguments: [&[u8]; 2] = [b"GET", key.as_bytes()];
        let rights = "+get and the key pattern ~notify_* (and ~test-token)";
        match self.run(&RedisCommand { arguments: &arguments, rights, repeatable: true }).await? {
            Value::BulkString(value) => Ok(Some(value.into())),
            _ => Ok(None),
        }
    }

    /// Sets the value of a key.
    pub async fn set(&self, key: &str, value: impl AsRef<[u8]>) -> Result<(), RedisClientError> {
        let arguments: [&[u8]; 3] = [b"SET", key.as_bytes(), value.as_ref()];
        let rights = "+set and the key pattern ~notify_*";
        self.run(&RedisCommand { arguments: &arguments, rights, repeatable: true }).await.map(drop)
    }

    /// Sets a key that expires after so many seconds.
    pub async fn set_with_expiry(
        &self,
        key: &str,
        value: impl AsRef<[u8]>,
        seconds: u32,
    ) -> Result<(), RedisClientError> {
        let seconds = seconds.to_string();
        let arguments: [&[u8]; 5] =
            [b"SET", key.as_bytes(), value.as_ref(), b"EX", seconds.as_bytes()];
        let rights = "+set and the key pattern ~test-token";
        self.run(&RedisCommand { arguments: &arguments, rights, repeatable: true }).await.map(drop)
    }

    /// Publishes on a channel, at most once.
    pub async fn publish(
        &self,
        channel: &str,
        payload: impl AsRef<[u8]>,
    ) -> Result<(), RedisClientError> {
        let arguments: [&[u8]; 3] = [b"PUBLISH", channel.as_bytes(), payload.as_ref()];
        let rights = "+publish and the channel pattern &notify_*";
        self.run(&RedisCommand { arguments: &arguments, rights, repeatable: false }).await.map(drop)
    }

    /// Runs a script atomically and at most once. All keys share one hash tag, or there is one key.
    pub async fn eval(
        &self,
        script: &str,
        keys: &[&str],
        arguments_of_script: &[&str],
    ) -> Result<ScriptReply, RedisClientError> {
        let count = keys.len().to_string();
        let mut arguments: Vec<&[u8]> = vec![b"EVAL", script.as_bytes(), count.as_bytes()];
        arguments.extend(keys.iter().chain(arguments_of_script).map(|word| word.as_bytes()));
        let rights = "+eval, the commands in docs/webhook.md and their keys and channel";
        self.run(&RedisCommand { arguments: &arguments, rights, repeatable: false })
            .await
            .map(ScriptReply::from)
    }

    async fn run(&self, command: &RedisCommand<'_>) -> Result<Value, RedisClientError> {
        let limit = self.shared.timeouts.command;
        let done = timeout(limit, async {
            let _permit = self
                .shared
                .permits
                .acquire()
                .await
                .map_err(|_| RedisClientError::NoServerConfigured)?;
            self.shared.attempt(command).await
        });
        done.await.unwrap_or_else(|_| {
            Err(RedisClientError::CommandTimeout { seconds: limit.as_secs_f32() })
        })
    }
}

/// What to do after an attempt.
enum CommandAttempt {
    Done(Value),
    Failed(RedisClientError),
    Again(Option<ClusterRedirect>, RedisClientError),
}

impl RedisClientShared {
    async fn attempt(&self, command: &RedisCommand<'_>) -> Result<Value, RedisClientError> {
        let mut redirect = None;
        let mut last = RedisClientError::NoServerConfigured;
        for _ in 0..TRIES {
            match self.try_once(command, redirect.take()).await {
                CommandAttempt::Done(value) => return Ok(value),
                CommandAttempt::Failed(fault) => return Err(fault),
                CommandAttempt::Again(to, why) => (redirect, last) = (to, why),
            }
        }
        Err(last)
    }

    async fn try_once(
        &self,
        command: &RedisCommand<'_>,
        redirect: Option<ClusterRedirect>,
    ) -> CommandAttempt {
        let place = match &redirect {
            Some(ClusterRedirect::Moved(at) | ClusterRedirect::Ask(at)) => Some(at.clone()),
            None => self.cache().places.get(command.key()).cloned(),
        };
        let (mut connection, reused) = match self.connection(place.as_ref()).await {
            Ok(found) => found,
            // The key's node may be gone; any other node knows where the key is now.
            Err(fault) if place.is_some() && redirect.is_none() => {
                self.cache().places.remove(command.key());
                return CommandAttempt::Again(None, fault);
            }
            Err(fault) => return CommandAttempt::Failed(fault),
        };
        if matches!(redirect, Some(ClusterRedirect::Ask(_)))
            && let Err(fault) = connection.call(&[b"ASKING"], "+asking").await
        {
            return CommandAttempt::Failed(fault);
        }
        match connection.ask(command.arguments).await {
            Ok(Value::ServerError(error)) => self.refused(connection, command, &error),
            Ok(value) => {
                self.keep(connection);
                CommandAttempt::Done(value)
            }
            // The server closed the idle connection.
            Err(fault @ RedisClientError::Closed { .. }) if reused && command.repeatable => {
                CommandAttempt::Again(redirect, fault)
            }
            Err(fault) => CommandAttempt::Failed(fault),
        }
    }

    fn refused(
        &self,
        connection: RedisConnection,
        command: &RedisCommand<'_>,
        error: &ServerError,
    ) -> CommandAttempt {
        let fault = RedisClientError::answer(&connection.at, error, command.rights);
        if let Some(redirect) = ClusterRedirect::from_error(error, &connection.at) {
            if let ClusterRedirect::Moved(at) = &redirect {
                self.remember(command.key(), at);
            }
            self.keep(connection);
            return CommandAttempt::Again(Some(redirect), fault);
        }
        if let Some(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown) = error.kind() {
            // A failover: no cached connection leads to the master any more.
            self.cache().idle.clear();
            return CommandAttempt::Again(None, fault);
        }
        self.keep(connection);
        CommandAttempt::Failed(fault)
    }

    async fn connection(
        &self,
        place: Option<&RedisAddress>,
    ) -> Result<(RedisConnection, bool), RedisClientError> {
        while let Some(mut connection) = self.idle(place) {
            if connection.is_at_rest() {
                return Ok((connection, true));
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
        let found = cache
            .idle
            .iter()
            .rposition(|connection| place.is_none_or(|at| connection.at == *at))?;
        Some(cache.idle.swap_remove(found))
    }

    fn keep(&self, connection: RedisConnection) {
        let mut cache = self.cache();
        if cache.idle.len() < CONCURRENT {
            cache.idle.push(connection);
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
        self.cache.lock()
    }
}
