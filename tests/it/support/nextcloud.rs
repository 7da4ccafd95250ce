//! A stand-in for Nextcloud's HTTP side: the daemon's routes, PHP-like workers, settable answers.
//!
//! Like PHP it goes on working when the client has left, holds a worker meanwhile, and either
//! queues without end or refuses with 502 beyond a backlog.

use super::php::Php;
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use notify_push::lifecycle::TaskGroup;
use std::{
    collections::HashMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::{Semaphore, watch},
};
use tokio_rustls::TlsAcceptor;

/// How the stand-in behaves; `Nextcloud::start(NextcloudSetup::default())` is a quick, patient server.
#[derive(Clone)]
pub(crate) struct NextcloudSetup {
    /// How long one request keeps a worker.
    pub(crate) delay: Duration,
    /// How many requests are worked on at once.
    pub(crate) workers: usize,
    /// How many may wait for a worker before 502 is the answer; `None` queues without end.
    pub(crate) backlog: Option<usize>,
    /// Speak TLS with a self-signed certificate for `localhost`.
    pub(crate) tls: bool,
    /// Where Nextcloud lives on the server: empty or `/nextcloud`.
    pub(crate) base: &'static str,
}

impl Default for NextcloudSetup {
    fn default() -> Self {
        Self { delay: Duration::ZERO, workers: 8, backlog: None, tls: false, base: "" }
    }
}

/// A status, a body, and perhaps where to go instead.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) location: Option<String>,
}

impl Answer {
    pub(crate) fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, body: body.into(), location: None }
    }

    pub(crate) fn redirect(status: u16, to: impl Into<String>) -> Self {
        Self { status, body: String::new(), location: Some(to.into()) }
    }
}

/// A request as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReceivedRequest {
    pub(crate) method: String,
    /// Path and query, without the base.
    pub(crate) path: String,
    /// From basic auth.
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) forwarded: Option<String>,
    pub(crate) user_agent: Option<String>,
    /// The self-test's `token` header.
    pub(crate) token: Option<String>,
}

struct StandInState {
    setup: Mutex<NextcloudSetup>,
    workers: Semaphore,
    inside: AtomicUsize,
    /// `(login name, password)` to the uid.
    accounts: Mutex<HashMap<(String, String), String>>,
    /// By path: what is answered instead of the usual; `*` stands for every path.
    fixed: Mutex<HashMap<String, Answer>>,
    /// How many were answered so.
    as_told: watch::Sender<usize>,
    asked: Mutex<Vec<ReceivedRequest>>,
    count: watch::Sender<usize>,
    cookie: Mutex<String>,
    php: Mutex<Option<Php>>,
    most_at_once: AtomicUsize,
    connections: AtomicUsize,
}

/// A running stand-in; stops when dropped.
pub(crate) struct Nextcloud {
    address: SocketAddr,
    certificate: Option<String>,
    state: Arc<StandInState>,
    tasks: TaskGroup,
}

impl Drop for Nextcloud {
    fn drop(&mut self) {
        self.tasks.stopping().cancel();
    }
}

impl Nextcloud {
    /// Starts on a free loopback port.
    pub(crate) async fn start(setup: NextcloudSetup) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let tls = setup.tls.then(self_signed);
        let state = Arc::new(StandInState::new(setup));
        let tasks = TaskGroup::default();
        let (acceptor, certificate) = tls.unzip();
        tasks.spawn(serve(listener, acceptor, Arc::clone(&state), tasks.clone()));
        Self { address, certificate, state, tasks }
    }

    /// The base URL, without a trailing slash; `localhost` when it speaks TLS.
    pub(crate) fn url(&self) -> String {
        let base = self.state.setup.lock().unwrap().base;
        match self.certificate {
            Some(_) => format!("https://localhost:{}{base}", self.address.port()),
            None => format!("http://{}{base}", self.address),
        }
    }

    /// The certificate in PEM, to be trusted as a CA.
    pub(crate) fn certificate(&self) -> &str {
        self.certificate.as_deref().expect("started without TLS")
    }

    /// Knows this login name and password, and answers `/uid` with the uid.
    pub(crate) fn account(&self, login: &str, password: &str, uid: &str) {
        let key = (login.to_owned(), password.to_owned());
        self.state.accounts.lock().unwrap().insert(key, uid.to_owned());
    }

    /// Forgets it again.
    pub(crate) fn forget(&self, login: &str, password: &str) {
        let key = (login.to_owned(), password.to_owned());
        self.state.accounts.lock().unwrap().remove(&key);
    }

    /// Answers this path (`/index.php/apps/notify_push/uid`; `*` is any) like that from now on;
    /// `None` is the usual again.
    pub(crate) fn answer(&self, path: &str, answer: Option<Answer>) {
        let mut fixed = self.state.fixed.lock().unwrap();
        match answer {
            Some(answer) => drop(fixed.insert(path.to_owned(), answer)),
            None => drop(fixed.remove(path)),
        }
    }

    /// From now on each request takes this long.
    pub(crate) fn delay(&self, delay: Duration) {
        self.state.setup.lock().unwrap().delay = delay;
    }

    /// What `/test/cookie` answers.
    pub(crate) fn cookie(&self, cookie: &str) {
        *self.state.cookie.lock().unwrap() = cookie.to_owned();
    }

    /// Shares Redis with the daemon from now on, and looks at forwarded chains and tokens.
    pub(crate) fn plays(&self, php: Php) {
        *self.state.php.lock().unwrap() = Some(php);
    }

    /// Every request so far, in order of arrival.
    pub(crate) fn asked(&self) -> Vec<ReceivedRequest> {
        self.state.asked.lock().unwrap().clone()
    }

    /// Waits until that many requests have arrived.
    pub(crate) async fn asked_at_least(&self, requests: usize) {
        let mut count = self.state.count.subscribe();
        count.wait_for(|count| *count >= requests).await.unwrap();
    }

    /// Waits until somebody has been answered as [`Nextcloud::answer`] says. (A request may have
    /// arrived before that was said, and be answered after.)
    pub(crate) async fn answered_as_told(&self) {
        let mut count = self.state.as_told.subscribe();
        count.wait_for(|count| *count > 0).await.unwrap();
    }

    /// How many connections were made to it.
    pub(crate) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// The most requests it ever had at once, working and waiting.
    pub(crate) fn most_at_once(&self) -> usize {
        self.state.most_at_once.load(Ordering::SeqCst)
    }
}

impl StandInState {
    fn new(setup: NextcloudSetup) -> Self {
        Self {
            workers: Semaphore::new(setup.workers),
            setup: Mutex::new(setup),
            inside: AtomicUsize::new(0),
            accounts: Mutex::default(),
            fixed: Mutex::default(),
            as_told: watch::Sender::new(0),
            asked: Mutex::default(),
            count: watch::Sender::new(0),
            cookie: Mutex::new("0".to_owned()),
            php: Mutex::default(),
            most_at_once: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
        }
    }

    fn record(&self, asked: ReceivedRequest) {
        let mut all = self.asked.lock().unwrap();
        all.push(asked);
        self.count.send_replace(all.len());
    }

    /// Waits for a worker and keeps it for the delay; `None` when the backlog is full.
    async fn work(&self) -> Option<()> {
        let setup = self.setup.lock().unwrap().clone();
        let inside = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(inside, Ordering::SeqCst);
        let full = setup.backlog.is_some_and(|backlog| inside > setup.workers + backlog);
        if !full {
            let _worker = self.workers.acquire().await.unwrap();
            // How long this host takes; nobody waits here for anything.
            tokio::time::sleep(setup.delay).await;
        }
        self.inside.fetch_sub(1, Ordering::SeqCst);
        (!full).then_some(())
    }

    fn reply(&self, asked: &ReceivedRequest) -> Answer {
        let fixed = self.fixed.lock().unwrap();
        if let Some(answer) = fixed.get(&asked.path).or_else(|| fixed.get("*")) {
            self.as_told.send_modify(|count| *count += 1);
            return answer.clone();
        }
        match asked.path.as_str() {
            "/index.php/apps/notify_push/uid" => self.uid(asked),
            "/index.php/apps/notify_push/test/cookie" => {
                Answer::new(200, self.cookie.lock().unwrap().clone())
            }
            "/index.php/apps/notify_push/test/remote" => {
                Answer::new(200, asked.forwarded.clone().unwrap_or_default())
            }
            "/index.php/apps/notify_push/test/version" => Answer::new(200, ""),
            _ => Answer::new(404, "<!DOCTYPE html><html><body>Page not found</body></html>"),
        }
    }

    fn uid(&self, asked: &ReceivedRequest) -> Answer {
        let (Some(user), Some(password)) = (&asked.user, &asked.password) else {
            return Answer::new(401, r#"{"message":"Current user is not logged in"}"#);
        };
        let key = (user.clone(), password.clone());
        match self.accounts.lock().unwrap().get(&key) {
            Some(uid) => Answer::new(200, uid.clone()),
            None => Answer::new(401, ""),
        }
    }
}

fn self_signed() -> (TlsAcceptor, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), made.cert.pem())
}

async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    state: Arc<StandInState>,
    tasks: TaskGroup,
) {
    let stop = tasks.stopping().clone();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        let Ok((stream, peer)) = accepted else { continue };
        state.connections.fetch_add(1, Ordering::SeqCst);
        let (tls, state, inner) = (tls.clone(), Arc::clone(&state), tasks.clone());
        let stop = stop.clone();
        tasks.spawn(async move {
            let conversation = async {
                let Some(tls) = tls else { return converse(stream, peer, state, inner).await };
                if let Ok(stream) = tls.accept(stream).await {
                    converse(stream, peer, state, inner).await;
                }
            };
            stop.run_until_cancelled(conversation).await;
        });
    }
}

async fn converse<S>(stream: S, peer: SocketAddr, state: Arc<StandInState>, tasks: TaskGroup)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let answer = service_fn(|request| {
        let (state, tasks) = (Arc::clone(&state), tasks.clone());
        async move { Ok::<_, Infallible>(answer(request, peer, state, &tasks).await) }
    });
    // A client that breaks off is nothing to tell.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
}

async fn answer(
    request: Request<Incoming>,
    peer: SocketAddr,
    state: Arc<StandInState>,
    tasks: &TaskGroup,
) -> Response<Full<Bytes>> {
    let base = state.setup.lock().unwrap().base;
    let Some(asked) = read(&request, base) else {
        return response(&Answer::new(404, "outside of Nextcloud"));
    };
    state.record(asked.clone());
    let php = state.php.lock().unwrap().clone();
    if let Some(php) = php
        && let Some(answer) = php.answer(&asked, peer.ip()).await
    {
        return response(&answer);
    }
    // In a task of its own: PHP does not notice that a client has left.
    let work = tasks.spawn(async move {
        match state.work().await {
            Some(()) => state.reply(&asked),
            None => Answer::new(502, "Bad Gateway"),
        }
    });
    response(&work.await.unwrap())
}

fn read(request: &Request<Incoming>, base: &str) -> Option<ReceivedRequest> {
    let header = |name: &str| {
        let value = request.headers().get(name)?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let basic = header("authorization").and_then(|value| {
        let bytes = STANDARD.decode(value.strip_prefix("Basic ")?).ok()?;
        String::from_utf8(bytes).ok()
    });
    let (user, password) =
        basic.and_then(|basic| basic.split_once(':').map(|(u, p)| (u.into(), p.into()))).unzip();
    Some(ReceivedRequest {
        method: request.method().to_string(),
        path: request.uri().path_and_query()?.as_str().strip_prefix(base)?.to_owned(),
        user,
        password,
        forwarded: header("x-forwarded-for"),
        user_agent: header("user-agent"),
        token: header("token"),
    })
}

fn response(answer: &Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(answer.body.clone())));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap();
    if let Some(location) = &answer.location {
        response.headers_mut().insert(header::LOCATION, location.parse().unwrap());
    }
    response
}
