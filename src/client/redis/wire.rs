//! One logged-in connection to a Redis server: commands out, values in.

use super::{
    Address, Fault, RedisSettings,
    dial::{Dialer, Stream},
    replies::{MAX_REPLY, Replies, Stop},
};
use crate::config::secret::Secret;
use redis::{Value, pack_command};
use std::{
    fmt,
    future::{Future, poll_fn},
    io,
    time::Duration,
};
use tokio::{io::AsyncWriteExt, time::timeout};
use zeroize::Zeroizing;

/// Who we are towards a server.
pub(super) struct Login<'a> {
    pub(super) user: Option<&'a str>,
    pub(super) password: Option<&'a Secret>,
    pub(super) database: i64,
}

impl<'a> From<&'a RedisSettings> for Login<'a> {
    fn from(settings: &'a RedisSettings) -> Self {
        Self {
            user: settings.user.as_deref(),
            password: settings.password.as_ref(),
            database: settings.database,
        }
    }
}

/// A connection with what has been read from it and not yet taken.
pub(super) struct Wire {
    pub(super) at: Address,
    stream: Box<dyn Stream>,
    replies: Replies,
    patience: Duration,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("at", &self.at).finish_non_exhaustive()
    }
}

impl Wire {
    /// Connects, logs in and chooses the database.
    pub(super) async fn open(
        dialer: &Dialer,
        at: &Address,
        login: &Login<'_>,
    ) -> Result<Self, Fault> {
        let stream = dialer.dial(at).await?;
        let (at, replies) = (at.clone(), Replies::new());
        let mut wire = Self { at, stream, replies, patience: dialer.patience };
        wire.log_in(login).await?;
        Ok(wire)
    }

    /// As Nextcloud does it: a user name without a password is not presented.
    async fn log_in(&mut self, login: &Login<'_>) -> Result<(), Fault> {
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

    /// Sends a command and waits for its answer; an error answer is a [`Fault`]. `rights` names the
    /// ACL rules the command needs, for the operator. Not for a connection that has subscribed.
    pub(super) async fn call(
        &mut self,
        words: &[&[u8]],
        rights: &'static str,
    ) -> Result<Value, Fault> {
        match self.ask(words).await? {
            Value::ServerError(error) => Err(Fault::answer(&self.at, &error, rights)),
            value => Ok(value),
        }
    }

    /// As [`Wire::call`], but an error answer is a value.
    pub(super) async fn ask(&mut self, words: &[&[u8]]) -> Result<Value, Fault> {
        let (at, patience) = (self.at.clone(), self.patience);
        within(&at, patience, async {
            self.send(words).await?;
            loop {
                if let Some(value) = self.next().await? {
                    return Ok(value);
                }
            }
        })
        .await
    }

    /// Sends a command and waits for nothing but the kernel to take it.
    pub(super) async fn send(&mut self, words: &[&[u8]]) -> Result<(), Fault> {
        let command = encode(words);
        let sent = async {
            self.stream.write_all(&command).await?;
            self.stream.flush().await
        };
        sent.await.map_err(|cause| self.lost(cause))
    }

    /// The next value; `None`: something has arrived, not yet a whole value. Nothing is lost when
    /// this is cancelled.
    pub(super) async fn next(&mut self) -> Result<Option<Value>, Fault> {
        let (replies, stream) = (&mut self.replies, &mut *self.stream);
        let next = poll_fn(|context| replies.poll_next(stream, context)).await;
        next.map_err(|why| self.stopped(why))
    }

    fn stopped(&self, why: Stop) -> Fault {
        let at = self.at.clone();
        match why {
            Stop::Ended if !self.replies.heard() => Fault::Mute { at },
            Stop::Ended => Fault::Closed { at, cause: None },
            Stop::Broken(cause) => self.lost(cause),
            Stop::TooLarge => Fault::TooLarge { at, limit: MAX_REPLY },
            Stop::Garbage => Fault::Garbage { at },
        }
    }

    /// What a broken stream means. In TLS 1.3 a server's refusal of our certificate arrives only
    /// now, after the handshake.
    fn lost(&self, cause: io::Error) -> Fault {
        let at = self.at.clone();
        match cause.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) {
            true => Fault::Tls { at, cause: cause.into() },
            false if !self.replies.heard() => Fault::Mute { at },
            false => Fault::Closed { at, cause: Some(cause) },
        }
    }

    /// Whether the server is there as far as is known, and has nothing to say: an idle connection
    /// that isn't so is no good any more.
    pub(super) fn is_at_rest(&mut self) -> bool {
        self.replies.is_at_rest(&mut *self.stream)
    }
}

/// A command as the server expects it. Whatever of it is secret is wiped; the crate allocates the
/// result once, at its full size, so that growing leaves no copies behind.
fn encode(words: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let words: Zeroizing<Vec<Vec<u8>>> =
        Zeroizing::new(words.iter().map(|word| word.to_vec()).collect());
    Zeroizing::new(pack_command(&words))
}

async fn within<T>(
    at: &Address,
    patience: Duration,
    asking: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    timeout(patience, asking).await.unwrap_or_else(|_| {
        let (at, seconds) = (at.clone(), patience.as_secs_f32());
        Err(Fault::Silent { at, doing: "a command", seconds })
    })
}
