//! A WebSocket client as a test wants one: it says, it hears, and it waits for nothing but conditions.

use super::{certificates::Certificates, until, within};
use futures_util::{SinkExt, StreamExt};
use rustls::pki_types::ServerName;
use std::time::Duration;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest, protocol::CloseFrame},
};
use url::Url;

/// Between two looks at what came.
const SOON: Duration = Duration::from_millis(200);

trait ClientStream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> ClientStream for T {}

/// One connection. Pings are answered whenever it reads.
pub(crate) struct Client {
    socket: WebSocketStream<Box<dyn ClientStream>>,
}

impl Client {
    /// Connects and does the WebSocket handshake.
    pub(crate) async fn connect(url: &str) -> Self {
        Self::connect_with(url, &[]).await.expect("a WebSocket handshake")
    }

    /// The same with further request headers; gives the server's refusal back.
    pub(crate) async fn connect_with(
        url: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, Error> {
        Self::open(Box::new(tcp(url).await), url, headers).await
    }

    /// Does the WebSocket handshake over a connection that there is already.
    pub(crate) async fn over(stream: TcpStream, url: &str) -> Self {
        Self::open(Box::new(stream), url, &[]).await.expect("a WebSocket handshake")
    }

    /// Connects to a `wss:` URL whose certificate this CA signed.
    pub(crate) async fn connect_tls(
        url: &str,
        trusted: &Certificates,
        headers: &[(&'static str, &str)],
    ) -> Self {
        let name = ServerName::try_from(host(url).0).expect("a name");
        let stream = trusted.connector().connect(name, tcp(url).await);
        let stream = within("a TLS handshake", stream).await.expect("a TLS handshake");
        Self::open(Box::new(stream), url, headers).await.expect("a WebSocket handshake")
    }

    /// Connects and logs in.
    pub(crate) async fn log_in(url: &str, user: &str, password: &str) -> Self {
        let mut client = Self::connect(url).await;
        assert_eq!(client.credentials(user, password).await, "authenticated");
        client
    }

    /// Sends user name and password and says what is answered.
    pub(crate) async fn credentials(&mut self, user: &str, password: &str) -> String {
        self.say(user).await;
        self.say(password).await;
        self.text().await
    }

    /// Sends one text frame.
    pub(crate) async fn say(&mut self, text: &str) {
        self.send(Message::text(text)).await;
    }

    /// Asks for the ids of what changed, and waits until the server has read that: the pong comes
    /// after. What it was told before is passed over.
    pub(crate) async fn wants_ids(&mut self) {
        self.say("listen notify_file_id").await;
        self.send(Message::Ping("heard".into())).await;
        while self.next().await.expect("an open connection") != Message::Pong("heard".into()) {}
    }

    /// Sends any message.
    pub(crate) async fn send(&mut self, message: Message) {
        within("the server reads", self.socket.send(message)).await.expect("an open connection");
    }

    /// Sends any message, of which the server may have enough before its end.
    pub(crate) async fn send_or_end(&mut self, message: Message) -> bool {
        within("the server reads or closes", self.socket.send(message)).await.is_ok()
    }

    /// The next message of any kind; `None` at the end of the connection, in order or not.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        within("a message", self.socket.next()).await?.ok()
    }

    /// The same, for somebody who waits long.
    pub(crate) async fn next_within(&mut self, limit: Duration) -> Option<Message> {
        let next = tokio::time::timeout(limit, self.socket.next()).await;
        next.unwrap_or_else(|_| panic!("waited {limit:?} in vain for a message"))?.ok()
    }

    /// The next text; pings and pongs are passed over.
    pub(crate) async fn text(&mut self) -> String {
        loop {
            match self.next().await {
                Some(Message::Text(text)) => return text.to_string(),
                Some(Message::Ping(_) | Message::Pong(_)) => {}
                other => panic!("a text was expected, not {other:?}"),
            }
        }
    }

    /// The next text, which comes within this time.
    pub(crate) async fn text_within(&mut self, limit: Duration) -> String {
        loop {
            match self.next_within(limit).await {
                Some(Message::Text(text)) => return text.to_string(),
                Some(Message::Ping(_) | Message::Pong(_)) => {}
                other => panic!("a text was expected, not {other:?}"),
            }
        }
    }

    /// The next text, if it comes while a test looks again and again for something to happen.
    pub(crate) async fn text_soon(&mut self) -> Option<String> {
        tokio::time::timeout(SOON, self.text()).await.ok()
    }

    /// All texts up to the first that is equal to `marker`, without it.
    pub(crate) async fn texts_before(&mut self, marker: &str) -> Vec<String> {
        let mut texts = Vec::new();
        loop {
            match self.text().await {
                text if text == marker => return texts,
                text => texts.push(text),
            }
        }
    }

    /// The close code, once the server closes; `None` when it ends without a close frame. Texts before
    /// are passed over.
    pub(crate) async fn closed(&mut self) -> Option<(u16, String)> {
        loop {
            match self.next().await {
                Some(Message::Close(Some(CloseFrame { code, reason }))) => {
                    return Some((code.into(), reason.to_string()));
                }
                Some(Message::Close(None)) | None => return None,
                Some(_) => {}
            }
        }
    }

    async fn open(
        stream: Box<dyn ClientStream>,
        url: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, Error> {
        let mut request = url.into_client_request()?;
        for &(name, value) in headers {
            request.headers_mut().append(name, value.parse()?);
        }
        let (socket, _) = within("a WebSocket handshake", client_async(request, stream)).await?;
        Ok(Self { socket })
    }
}

async fn tcp(url: &str) -> TcpStream {
    let (host, port) = host(url);
    until("the server listens", async || TcpStream::connect((host.as_str(), port)).await.ok()).await
}

fn host(url: &str) -> (String, u16) {
    let url = Url::parse(url).expect("a URL");
    let host = url.host_str().expect("a host").trim_matches(['[', ']']).to_owned();
    (host, url.port_or_known_default().expect("a port"))
}
