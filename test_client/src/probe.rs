//! The probe's course: discover, connect, log in, listen, and again.

use crate::{
    backoff::RetryBackoff,
    connect::connect,
    discover::{Nextcloud, PushEndpoints},
    failure::Failure,
    message::Message,
    options::{Options, Target},
    output::{Output, ProbeEvent},
    password::Password,
    session::Session,
    trust,
};
use rustls::ClientConfig;
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, timeout};

/// Everything the probe knows.
pub struct Probe {
    options: Options,
    password: Password,
    tls: Arc<ClientConfig>,
    nextcloud: Option<Nextcloud>,
    backoff: RetryBackoff,
    heard: u64,
}

impl Probe {
    /// Reads the CA file, and nothing else yet.
    pub fn new(options: Options, password: Password, rng: fastrand::Rng) -> Result<Self, Failure> {
        let tls = trust::config(options.insecure, options.ca.as_deref())?;
        let nextcloud = match &options.url {
            Target::Nextcloud(base) => Some(Nextcloud::new(base.clone(), tls.clone())?),
            Target::Push(_) if options.pre_auth => return Err(Failure::NothingToAsk),
            Target::Push(_) => None,
        };
        let (tls, backoff) = (Arc::new(tls), RetryBackoff::new(rng));
        Ok(Self { options, password, tls, nextcloud, backoff, heard: 0 })
    }

    /// Until so many messages have come, or time is over, or it fails for good.
    pub async fn run(mut self, output: &mut Output) -> Result<(), Failure> {
        let Some(seconds) = self.options.timeout else { return self.listen(output).await };
        match timeout(Duration::from_secs(seconds), self.listen(output)).await {
            Ok(done) => done,
            Err(_) => match self.options.wanted() {
                None => Ok(()),
                Some(wanted) => Err(Failure::TooFew(seconds, self.heard, wanted)),
            },
        }
    }

    /// Before the first login every failure is the last: that is what the probe is for.
    async fn listen(&mut self, output: &mut Output) -> Result<(), Failure> {
        let endpoints = self.discover(output).await?;
        let mut session = self.log_in(&endpoints, output).await?;
        loop {
            let since = Instant::now();
            let mut failure = match self.hear(session, output).await {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            let mut held = since.elapsed();
            session = loop {
                if self.options.no_reconnect || !failure.is_transient() {
                    return Err(failure);
                }
                let pause = self.backoff.pause(held);
                output.tell(&ProbeEvent::Again(&failure, pause))?;
                sleep(pause).await;
                match self.log_in(&endpoints, output).await {
                    Ok(session) => break session,
                    Err(next) => (failure, held) = (next, Duration::ZERO),
                }
            };
        }
    }

    async fn discover(&self, output: &mut Output) -> Result<PushEndpoints, Failure> {
        let (user, password) = (&self.options.user, &self.password);
        match (&self.nextcloud, &self.options.url) {
            (Some(nextcloud), _) => {
                let endpoints = nextcloud.endpoints(user, password).await?;
                output.tell(&ProbeEvent::Found(&endpoints.websocket))?;
                Ok(endpoints)
            }
            (None, Target::Push(url) | Target::Nextcloud(url)) => {
                Ok(PushEndpoints { websocket: url.clone(), pre_auth: None })
            }
        }
    }

    async fn log_in(
        &self,
        endpoints: &PushEndpoints,
        output: &mut Output,
    ) -> Result<Session, Failure> {
        let (user, ids) = (&self.options.user, !self.options.no_listen_ids);
        let url = &endpoints.websocket;
        let socket = connect(url, &self.tls).await?;
        output.tell(&ProbeEvent::Connected(url))?;
        // A ticket lasts 15 s: it is asked for at the last moment.
        let session = match self.ticket(endpoints).await? {
            Some(ticket) => Session::log_in(socket, "", &ticket, ids).await?,
            None => Session::log_in(socket, user, &self.password, ids).await?,
        };
        output.tell(&ProbeEvent::Authenticated(user))?;
        Ok(session)
    }

    async fn ticket(&self, endpoints: &PushEndpoints) -> Result<Option<Password>, Failure> {
        let Some(nextcloud) = self.nextcloud.as_ref().filter(|_| self.options.pre_auth) else {
            return Ok(None);
        };
        let missing = || Failure::NoEndpoint("endpoints.pre_auth is missing".to_owned());
        let from = endpoints.pre_auth.as_ref().ok_or_else(missing)?;
        nextcloud.ticket(from, &self.options.user, &self.password).await.map(Some)
    }

    /// `Ok` when enough has been heard.
    async fn hear(&mut self, mut session: Session, output: &mut Output) -> Result<(), Failure> {
        loop {
            let text = session.next().await?;
            output.tell(&ProbeEvent::Message(&Message::parse(&text), &text))?;
            self.heard += 1;
            if Some(self.heard) == self.options.wanted() {
                session.end().await;
                return Ok(());
            }
        }
    }
}
