//! A push endpoint with scripted answers that records what it receives.

use super::Task;
use futures_util::{SinkExt, StreamExt};
use std::sync::{Arc, Mutex};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::Notify,
};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::{
    accept_async,
    tungstenite::{Message, protocol::CloseFrame},
};

/// What it does after it has heard user name and password.
#[derive(Clone, Copy)]
pub(crate) enum Do {
    /// Sends a text.
    Say(&'static str),
    /// Sends a close frame.
    Close(u16, &'static str),
    /// Drops the connection.
    Hang,
}

/// A server on a free port, gone when dropped.
pub(crate) struct Push {
    port: u16,
    heard: Arc<Heard>,
    _task: Task,
}

#[derive(Default)]
struct Heard {
    texts: Mutex<Vec<String>>,
    more: Notify,
}

impl Push {
    /// Each connection gets the next script; later ones get the last.
    pub(crate) async fn start(scripts: &[&'static [Do]]) -> Self {
        Self::start_with(scripts, None).await
    }

    /// The same with TLS.
    pub(crate) async fn start_with(scripts: &[&'static [Do]], tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let heard = Arc::<Heard>::default();
        let (memory, scripts) = (Arc::clone(&heard), scripts.to_vec());
        let serve = async move {
            let mut served = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                let script = scripts[served.len().min(scripts.len() - 1)];
                let (memory, tls) = (Arc::clone(&memory), tls.clone());
                served.push(Task::start(async move {
                    match tls {
                        None => talk(stream, script, &memory).await,
                        // A client that does not trust us goes away.
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                talk(stream, script, &memory).await;
                            }
                        }
                    }
                }));
            }
        };
        Self { port, heard, _task: Task::start(serve) }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://127.0.0.1:{}/push/ws", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// All texts so far, once there are so many.
    pub(crate) async fn heard(&self, count: usize) -> Vec<String> {
        super::within("texts of the probe's", async {
            loop {
                let more = self.heard.more.notified();
                let texts = self.heard.texts.lock().expect("no panic").clone();
                if texts.len() >= count {
                    return texts;
                }
                more.await;
            }
        })
        .await
    }
}

async fn talk(stream: impl AsyncRead + AsyncWrite + Unpin, script: &[Do], heard: &Heard) {
    let Ok(mut socket) = accept_async(stream).await else { return };
    let mut texts = 0;
    while texts < 2 {
        let Some(Ok(message)) = socket.next().await else { return };
        texts += heard.take(&message);
    }
    for step in script {
        let message = match *step {
            Do::Say(text) => Message::text(text),
            Do::Close(code, reason) => {
                Message::Close(Some(CloseFrame { code: code.into(), reason: reason.into() }))
            }
            Do::Hang => return,
        };
        if socket.send(message).await.is_err() {
            return;
        }
    }
    while let Some(Ok(message)) = socket.next().await {
        heard.take(&message);
    }
}

impl Heard {
    /// How many texts it is: one or none.
    fn take(&self, message: &Message) -> usize {
        let Message::Text(text) = message else { return 0 };
        self.texts.lock().expect("no panic").push(text.to_string());
        self.more.notify_waiters();
        1
    }
}
