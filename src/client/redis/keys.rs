//! The few keys that the host reads and writes in Redis, on a handful of connections made on demand.

use super::{Address, Fault, Pace, RedisSettings, cluster::Redirect, topology::Finder, wire::Wire};
use bytes::Bytes;
use redis::{ServerError, ServerErrorKind, Value};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{sync::Semaphore, time::timeout};

/// No more commands than this are under way at once; others queue for their part of [`Pace::command`].
const CONCURRENT: usize = 4;

/// One command is tried this often: a stale connection, a redirection or two, a failover.
const TRIES: usize = 4;

/// The places of this many keys are remembered; beyond it the memory starts anew.
const MAX_PLACES: usize = 64;

/// Reads and writes keys. Cheap to clone; no lock is held while Redis is waited for.
#[derive(Debug, Clone)]
pub struct Keys {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    finder: Finder,
    pace: Pace,
    turns: Semaphore,
    kept: Mutex<Kept>,
}

/// Connections at rest and where keys live; the lock is held for moments only.
#[derive(Debug, Default)]
struct Kept {
    idle: Vec<Wire>,
    places: HashMap<Box<[u8]>, Address>,
}

/// A command on one key or channel.
struct Command<'a> {
    words: &'a [&'a [u8]],
    /// The ACL rules it needs.
    rights: &'static str,
    /// Sending it twice does no harm.
    repeatable: bool,
}

impl Command<'_> {
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
pub enum Answer {
    /// Nothing: `nil` or `false`.
    Nil,
    /// A number.
    Int(i64),
    /// Bytes.
    Text(Bytes),
    /// Several answers.
    List(Vec<Answer>),
}

impl Answer {
    /// The answers of a list; none of what is none.
    pub fn list(self) -> Vec<Answer> {
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

impl From<Value> for Answer {
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

impl Keys {
    /// Connects to nothing yet.
    pub fn new(settings: RedisSettings, pace: Pace, rng: fastrand::Rng) -> Self {
        let hurried = Pace { patience: pace.patience.min(pace.command), ..pace };
        let finder = Finder::new(settings, hurried, rng);
        let (turns, kept) = (Semaphore::new(CONCURRENT), Mutex::default());
        Self { shared: Arc::new(Shared { finder, pace, turns, kept }) }
    }

    /// The value of a key; `None` if there is none.
    pub async fn get(&self, key: &str) -> Result<Option<Bytes>, Fault> {
        let words: [&[u8]; 2] = [b"GET", key.as_bytes()];
        let rights = "+get and the key pattern ~notify_* (and ~test-token)";
        match self.run(&Command { words: &words, rights, repeatable: true }).await? {
            Value::BulkString(value) => Ok(Some(value.into())),
            _ => Ok(None),
        }
    }

    /// Sets a key.
    pub async fn set(&self, key: &str, value: impl AsRef<[u8]>) -> Result<(), Fault> {
        let words: [&[u8]; 3] = [b"SET", key.as_bytes(), value.as_ref()];
        let rights = "+set and the key pattern ~notify_*";
        self.run(&Command { words: &words, rights, repeatable: true }).await.map(drop)
    }

    /// Sets a key that goes away by itself after so many seconds.
    pub async fn lend(
        &self,
        key: &str,
        value: impl AsRef<[u8]>,
        seconds: u32,
    ) -> Result<(), Fault> {
        let seconds = seconds.to_string();
        let words: [&[u8]; 5] = [b"SET", key.as_bytes(), value.as_ref(), b"EX", seconds.as_bytes()];
        let rights = "+set and the key pattern ~test-token";
        self.run(&Command { words: &words, rights, repeatable: true }).await.map(drop)
    }

    /// Publishes on a channel, once at most.
    pub async fn publish(&self, channel: &str, payload: impl AsRef<[u8]>) -> Result<(), Fault> {
        let words: [&[u8]; 3] = [b"PUBLISH", channel.as_bytes(), payload.as_ref()];
        let rights = "+publish and the channel pattern &notify_*";
        self.run(&Command { words: &words, rights, repeatable: false }).await.map(drop)
    }

    /// Runs a script, in one step and once at most. All keys have one hash tag, or there is one key.
    pub async fn eval(
        &self,
        script: &str,
        keys: &[&str],
        arguments: &[&str],
    ) -> Result<Answer, Fault> {
        let count = keys.len().to_string();
        let mut words: Vec<&[u8]> = vec![b"EVAL", script.as_bytes(), count.as_bytes()];
        words.extend(keys.iter().chain(arguments).map(|word| word.as_bytes()));
        let rights = "+eval, the commands in docs/webhook.md and their keys and channel";
        self.run(&Command { words: &words, rights, repeatable: false }).await.map(Answer::from)
    }

    async fn run(&self, command: &Command<'_>) -> Result<Value, Fault> {
        let limit = self.shared.pace.command;
        let done = timeout(limit, async {
            let _turn = self.shared.turns.acquire().await.map_err(|_| Fault::Nowhere)?;
            self.shared.attempt(command).await
        });
        done.await.unwrap_or_else(|_| Err(Fault::Late { seconds: limit.as_secs_f32() }))
    }
}

/// What to do after a try.
enum Next {
    Done(Value),
    Failed(Fault),
    Again(Option<Redirect>, Fault),
}

impl Shared {
    async fn attempt(&self, command: &Command<'_>) -> Result<Value, Fault> {
        let mut redirect = None;
        let mut last = Fault::Nowhere;
        for _ in 0..TRIES {
            match self.once(command, redirect.take()).await {
                Next::Done(value) => return Ok(value),
                Next::Failed(fault) => return Err(fault),
                Next::Again(to, why) => (redirect, last) = (to, why),
            }
        }
        Err(last)
    }

    async fn once(&self, command: &Command<'_>, redirect: Option<Redirect>) -> Next {
        let place = match &redirect {
            Some(Redirect::Moved(at) | Redirect::Ask(at)) => Some(at.clone()),
            None => self.kept().places.get(command.key()).cloned(),
        };
        let (mut wire, reused) = match self.connection(place.as_ref()).await {
            Ok(found) => found,
            // The key's node may be gone: whoever answers knows where the key is now.
            Err(fault) if place.is_some() && redirect.is_none() => {
                self.kept().places.remove(command.key());
                return Next::Again(None, fault);
            }
            Err(fault) => return Next::Failed(fault),
        };
        if matches!(redirect, Some(Redirect::Ask(_)))
            && let Err(fault) = wire.call(&[b"ASKING"], "+asking").await
        {
            return Next::Failed(fault);
        }
        match wire.ask(command.words).await {
            Ok(Value::ServerError(error)) => self.refused(wire, command, &error),
            Ok(value) => {
                self.keep(wire);
                Next::Done(value)
            }
            // It was idle for long and the server had closed it meanwhile.
            Err(fault @ Fault::Closed { .. }) if reused && command.repeatable => {
                Next::Again(redirect, fault)
            }
            Err(fault) => Next::Failed(fault),
        }
    }

    fn refused(&self, wire: Wire, command: &Command<'_>, error: &ServerError) -> Next {
        let fault = Fault::answer(&wire.at, error, command.rights);
        if let Some(redirect) = Redirect::told(error, &wire.at) {
            if let Redirect::Moved(at) = &redirect {
                self.remember(command.key(), at);
            }
            self.keep(wire);
            return Next::Again(Some(redirect), fault);
        }
        if let Some(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown) = error.kind() {
            // A failover: none of the connections leads to the master any more.
            self.kept().idle.clear();
            return Next::Again(None, fault);
        }
        self.keep(wire);
        Next::Failed(fault)
    }

    async fn connection(&self, place: Option<&Address>) -> Result<(Wire, bool), Fault> {
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

    fn idle(&self, place: Option<&Address>) -> Option<Wire> {
        let mut kept = self.kept();
        let found = kept.idle.iter().rposition(|wire| place.is_none_or(|at| wire.at == *at))?;
        Some(kept.idle.swap_remove(found))
    }

    fn keep(&self, wire: Wire) {
        let mut kept = self.kept();
        if kept.idle.len() < CONCURRENT {
            kept.idle.push(wire);
        }
    }

    fn remember(&self, key: &[u8], at: &Address) {
        let mut kept = self.kept();
        if kept.places.len() >= MAX_PLACES {
            kept.places.clear();
        }
        kept.places.insert(key.into(), at.clone());
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
