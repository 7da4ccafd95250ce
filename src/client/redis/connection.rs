//! One logged-in connection to a Redis server: sends commands, receives replies.

use super::{
    RedisAddress, RedisClientError, RedisSettings,
    dialer::RedisDialer,
    reply_reader::{MAX_REPLY, ReplyError, ReplyReader},
};
use crate::{client::ByteStream, config::secret::Secret};
use redis::{Value, pack_command};
use std::{
    fmt,
    future::{Future, poll_fn},
    io,
    time::Duration,
};
use tokio::{io::AsyncWriteExt, time::timeout};
use zeroize::Zeroizing;

/// The login for a server and the database to select.
pub(super) struct RedisLogin<'a> {
    pub(super) user: Option<&'a str>,
    pub(super) password: Option<&'a Secret>,
    pub(super) database: i64,
}

impl<'a> From<&'a RedisSettings> for RedisLogin<'a> {
    fn from(settings: &'a RedisSettings) -> Self {
        Self {
            user: settings.user.as_deref(),
            password: settings.password.as_ref(),
            database: settings.database,
        }
    }
}

/// A connection with its buffer of received bytes.
pub(super) struct RedisConnection {
    pub(super) at: RedisAddress,
    stream: Box<dyn ByteStream>,
    replies: ReplyReader,
    step_timeout: Duration,
}

impl fmt::Debug for RedisConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisConnection").field("at", &self.at).finish_non_exhaustive()
    }
}

impl RedisConnection {
    /// Connects, logs in and chooses the database.
    pub(super) async fn open(
        dialer: &RedisDialer,
        at: &RedisAddress,
        login: &RedisLogin<'_>,
    ) -> Result<Self, RedisClientError> {
        let stream = dialer.dial(at).await?;
        let (at, replies) = (at.clone(), ReplyReader::new());
        let mut connection = Self { at, stream, replies, step_timeout: dialer.step_timeout };
        connection.log_in(login).await?;
        Ok(connection)
    }

    /// Like Nextcloud, sends no user name without a password.
    async fn log_in(&mut self, login: &RedisLogin<'_>) -> Result<(), RedisClientError> {
        if let Some(password) = login.password.filter(|password| !password.is_empty()) {
            let (user, password) = (login.user.unwrap_or_default(), password.expose().as_bytes());
            match user {
                "" => self.call(&[b"AUTH", password], "+auth").await?,
                user => self.call(&[b"AUTH", user.as_bytes(), password], "+auth").await?,
            };
        }
        if login.database != 0 {
            let index = login.database.to_string();
            self.call(&[b"SELECT", index.as_bytes()], "+select").await?;
        }
        Ok(())
    }

    /// Sends a command and waits for its reply; an error reply becomes a [`RedisClientError`]. `rights`
    /// names the ACL rules that the command needs. Not for a connection that has subscribed.
    pub(super) async fn call(
        &mut self,
        words: &[&[u8]],
        rights: &'static str,
    ) -> Result<Value, RedisClientError> {
        match self.ask(words).await? {
            Value::ServerError(error) => Err(RedisClientError::answer(&self.at, &error, rights)),
            value => Ok(value),
        }
    }

    /// As [`RedisConnection::call`], but an error reply is a value.
    pub(super) async fn ask(&mut self, words: &[&[u8]]) -> Result<Value, RedisClientError> {
        let (at, step_timeout) = (self.at.clone(), self.step_timeout);
        within(&at, step_timeout, async {
            self.send(words).await?;
            loop {
                if let Some(value) = self.next().await? {
                    return Ok(value);
                }
            }
        })
        .await
    }

    /// Sends a command without waiting for its reply.
    pub(super) async fn send(&mut self, words: &[&[u8]]) -> Result<(), RedisClientError> {
        let command = encode(words);
        let sent = async {
            self.stream.write_all(&command).await?;
            self.stream.flush().await
        };
        sent.await.map_err(|cause| self.lost(cause))
    }

    /// The next value; `None`: bytes have arrived, but not a whole value yet. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Option<Value>, RedisClientError> {
        let (replies, stream) = (&mut self.replies, &mut *self.stream);
        let next = poll_fn(|context| replies.poll_next(stream, context)).await;
        next.map_err(|why| self.stopped(why))
    }

    fn stopped(&self, why: ReplyError) -> RedisClientError {
        let at = self.at.clone();
        match why {
            ReplyError::Ended if !self.replies.has_received() => {
                RedisClientError::ClosedSilently { at }
            }
            ReplyError::Ended => RedisClientError::Closed { at, cause: None },
            ReplyError::Broken(cause) => self.lost(cause),
            ReplyError::TooLarge => RedisClientError::TooLarge { at, limit: MAX_REPLY },
            ReplyError::NotRedis => RedisClientError::NotRedis { at },
        }
    }

    /// Translates a stream error. In TLS 1.3 a server refuses a client certificate only after the
    /// handshake.
    fn lost(&self, cause: io::Error) -> RedisClientError {
        let at = self.at.clone();
        match cause.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) {
            true => RedisClientError::Tls { at, cause: cause.into() },
            false if !self.replies.has_received() => RedisClientError::ClosedSilently { at },
            false => RedisClientError::Closed { at, cause: Some(cause) },
        }
    }

    /// Whether the connection is open and has nothing to read; otherwise an idle one can't be reused.
    pub(super) fn is_at_rest(&mut self) -> bool {
        self.replies.is_at_rest(&mut *self.stream)
    }
}

/// Encodes a command. The buffers are wiped, since they may hold a password; the crate allocates the
/// result once at its full size, so no copies stay behind.
fn encode(words: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let words: Zeroizing<Vec<Vec<u8>>> =
        Zeroizing::new(words.iter().map(|word| word.to_vec()).collect());
    Zeroizing::new(pack_command(&words))
}

async fn within<T>(
    at: &RedisAddress,
    step_timeout: Duration,
    asking: impl Future<Output = Result<T, RedisClientError>>,
) -> Result<T, RedisClientError> {
    timeout(step_timeout, asking).await.unwrap_or_else(|_| {
        let (at, seconds) = (at.clone(), step_timeout.as_secs_f32());
        Err(RedisClientError::ResponseTimeout { at, doing: "a command", seconds })
    })
}
