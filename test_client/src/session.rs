//! One conversation with the daemon: `specs/nextcloud.md` section 3.

use crate::{connect::ClientSocket, failure::Failure, password::Password};
use futures_util::{SinkExt, StreamExt};
use std::time::Duration;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message, protocol::CloseFrame};

/// The daemon may ask Nextcloud before it answers.
const LOGIN: Duration = Duration::from_secs(30);
/// After so much silence the daemon is pinged, and after as much again it is gone.
const SILENCE: Duration = Duration::from_secs(30);

/// A connection that is logged in.
pub struct Session {
    socket: ClientSocket,
    pinged: bool,
}

impl Session {
    /// Logs in, with an empty user name when the password is a ticket.
    pub async fn log_in(
        socket: ClientSocket,
        user: &str,
        password: &Password,
        ids: bool,
    ) -> Result<Self, Failure> {
        let mut session = Self { socket, pinged: false };
        session.say(user).await?;
        session.say(password.expose()).await?;
        let late = || Failure::Later("no answer to the login in time".to_owned());
        let answer = timeout(LOGIN, session.next()).await.map_err(|_| late())??;
        match answer.trim() {
            "authenticated" => {}
            "err: Invalid credentials" => return Err(Failure::Credentials("the daemon")),
            other => return Err(Failure::Later(other.to_owned())),
        }
        if ids {
            session.say("listen notify_file_id").await?;
        }
        Ok(session)
    }

    /// The next text; the end of the connection is a [`Failure::Lost`].
    pub async fn next(&mut self) -> Result<String, Failure> {
        loop {
            let Ok(arrived) = timeout(SILENCE, self.socket.next()).await else {
                if self.pinged {
                    return Err(Failure::Lost("the daemon does not answer a ping".to_owned()));
                }
                self.send(Message::Ping("still there?".into())).await?;
                self.pinged = true;
                continue;
            };
            self.pinged = false;
            match arrived {
                Some(Ok(Message::Text(text))) => return Ok(text.to_string()),
                Some(Ok(Message::Close(frame))) => return Err(Failure::Lost(closed(frame))),
                // Pings are answered by the library while it reads.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(lost(&error)),
                None => return Err(Failure::Lost("without a word".to_owned())),
            }
        }
    }

    /// Says good-bye; nothing is waited for.
    pub async fn end(mut self) {
        // It may be gone already: then there is nobody to tell.
        let _ = timeout(Duration::from_secs(1), self.socket.close(None)).await;
    }

    async fn say(&mut self, text: &str) -> Result<(), Failure> {
        self.send(Message::text(text)).await
    }

    async fn send(&mut self, message: Message) -> Result<(), Failure> {
        self.socket.send(message).await.map_err(|error| lost(&error))
    }
}

fn lost(error: &Error) -> Failure {
    Failure::Lost(match error {
        Error::ConnectionClosed | Error::AlreadyClosed => "it is closed".to_owned(),
        Error::Io(error) => error.to_string(),
        other => other.to_string(),
    })
}

/// A close frame in words: RFC 6455 section 7.4.
fn closed(frame: Option<CloseFrame>) -> String {
    let Some(CloseFrame { code, reason }) = frame else {
        return "closed by the daemon, without a code".to_owned();
    };
    let meaning = match u16::from(code) {
        1000 => "done",
        1001 => "going away",
        1008 => "against the daemon's rules",
        1011 => "an error of the daemon's",
        1012 => "restarting",
        1013 => "overloaded",
        _ => "",
    };
    let mut text = format!("closed by the daemon with code {}", u16::from(code));
    for part in [meaning, reason.as_str()].into_iter().filter(|part| !part.is_empty()) {
        text.push_str(": ");
        text.push_str(part);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{SILENCE, Session};
    use crate::{connect::ClientStream, failure::Failure};
    use futures_util::StreamExt;
    use tokio::time::Instant;
    use tokio_tungstenite::{
        WebSocketStream,
        tungstenite::{Message, protocol::Role},
    };

    /// A session that is logged in, and the daemon's end of it.
    async fn pair() -> (Session, WebSocketStream<tokio::io::DuplexStream>) {
        let (near, far) = tokio::io::duplex(1024);
        let near: Box<dyn ClientStream> = Box::new(near);
        let socket = WebSocketStream::from_raw_socket(near, Role::Client, None).await;
        let daemon = WebSocketStream::from_raw_socket(far, Role::Server, None).await;
        (Session { socket, pinged: false }, daemon)
    }

    #[tokio::test(start_paused = true)]
    async fn a_daemon_that_answers_no_ping_is_gone_after_twice_the_silence() {
        let (mut session, _daemon) = pair().await;
        let begun = Instant::now();
        assert!(matches!(session.next().await, Err(Failure::Lost(_))));
        assert_eq!(begun.elapsed(), 2 * SILENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_daemon_that_answers_pings_is_listened_to() {
        let (mut session, mut daemon) = pair().await;
        let answering = async {
            for _ in 0..3 {
                // The library answers while it reads.
                assert!(matches!(daemon.next().await, Some(Ok(Message::Ping(_)))));
            }
            daemon.next().await
        };
        tokio::select! {
            ended = session.next() => panic!("{ended:?}"),
            _ = answering => {}
            () = tokio::time::sleep(4 * SILENCE) => {}
        }
    }

    #[tokio::test]
    async fn a_close_frame_is_explained() {
        use tokio_tungstenite::tungstenite::protocol::CloseFrame;
        let (mut session, mut daemon) = pair().await;
        let frame = CloseFrame { code: 1012.into(), reason: "back soon".into() };
        daemon.close(Some(frame)).await.unwrap();
        let Err(Failure::Lost(why)) = session.next().await else { panic!("no end") };
        assert_eq!(why, "closed by the daemon with code 1012: restarting: back soon");
    }
}
