//! One logged-in connection to a Redis server: commands out, values in.

use super::{
    Address, Fault, RedisSettings,
    dial::{Dialer, Stream},
    resp::{Decoder, Value, encode},
};
use crate::secret::Secret;
use bytes::{Bytes, BytesMut};
use std::{fmt, future::Future, io, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};
use zeroize::Zeroizing;

/// How much is read at once. At 100 000 small messages a second that is 400 reads a second.
const CHUNK: usize = 32 << 10;

/// With less room than this left, a new chunk is begun.
const ROOM: usize = 4 << 10;

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
    buffer: BytesMut,
    decoder: Decoder,
    /// Whether the server has said anything yet.
    heard: bool,
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
        let mut wire = Self {
            at: at.clone(),
            stream,
            buffer: BytesMut::new(),
            decoder: Decoder::default(),
            heard: false,
            patience: dialer.patience,
        };
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
            Value::Error(text) => Err(Fault::answer(&self.at, &text, rights)),
            value => Ok(value),
        }
    }

    /// As [`Wire::call`], but an error answer is a value.
    pub(super) async fn ask(&mut self, words: &[&[u8]]) -> Result<Value, Fault> {
        let (at, patience) = (self.at.clone(), self.patience);
        within(&at, patience, async {
            self.send(words).await?;
            loop {
                if let Some(value) = self.buffered()? {
                    return Ok(value);
                }
                self.fill().await?;
            }
        })
        .await
    }

    /// Sends a command and waits for nothing but the kernel to take it.
    pub(super) async fn send(&mut self, words: &[&[u8]]) -> Result<(), Fault> {
        let command = Zeroizing::new(encode(words));
        let sent = async {
            self.stream.write_all(&command).await?;
            self.stream.flush().await
        };
        sent.await.map_err(|cause| self.lost(cause))
    }

    /// The published message that has already been read, if one is next: channel and payload.
    pub(super) fn message(&mut self) -> Option<(Bytes, Bytes)> {
        self.decoder.message(&mut self.buffer)
    }

    /// The next value that has already been read.
    pub(super) fn buffered(&mut self) -> Result<Option<Value>, Fault> {
        self.decoder.next(&mut self.buffer).map_err(|_| Fault::Garbage { at: self.at.clone() })
    }

    /// Reads what there is, at least one byte. Nothing is lost when this is cancelled.
    pub(super) async fn fill(&mut self) -> Result<(), Fault> {
        self.make_room();
        match self.stream.read_buf(&mut self.buffer).await {
            Ok(0) if !self.heard => Err(Fault::Mute { at: self.at.clone() }),
            Ok(0) => Err(Fault::Closed { at: self.at.clone(), cause: None }),
            Ok(_) => {
                self.heard = true;
                Ok(())
            }
            Err(cause) => Err(self.lost(cause)),
        }
    }

    /// Between messages a chunk that is used up, or one that a large message made grow, is let go:
    /// it is freed with the last slice of it, and a connection at rest holds no more than a chunk.
    fn make_room(&mut self) {
        if !self.buffer.is_empty() {
            self.buffer.reserve(CHUNK);
        } else if !(ROOM..=CHUNK).contains(&self.buffer.capacity()) {
            self.buffer = BytesMut::with_capacity(CHUNK);
        }
    }

    /// What a broken stream means. In TLS 1.3 a server's refusal of our certificate arrives only
    /// now, after the handshake.
    fn lost(&self, cause: io::Error) -> Fault {
        let at = self.at.clone();
        match cause.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) {
            true => Fault::Tls { at, cause: cause.into() },
            false if !self.heard => Fault::Mute { at },
            false => Fault::Closed { at, cause: Some(cause) },
        }
    }

    /// Whether nothing waits to be taken: a connection at rest that holds more is out of step.
    pub(super) fn is_at_rest(&self) -> bool {
        self.buffer.is_empty()
    }
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
