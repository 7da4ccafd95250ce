//! The core's reports turned into numbers: the core knows no metrics, only who listens.

use super::nextcloud::SourceMetrics;
use crate::{
    push::{
        HubMetrics, SessionEnd, SessionRefusal, hub,
        notice::Topic,
        session,
        session::{Close, Waited},
    },
    server,
    server::{FrontMetrics, Refusal},
    services::nextcloud::pipeline,
};
use std::time::Duration;
use tokio::time::Instant;

impl hub::Observer for HubMetrics {
    fn joined(&self) {
        self.connections.step(true);
        self.connections_total.inc();
    }

    fn presence(&self, here: bool) {
        self.users.step(here);
    }

    fn left(&self, close: Close) {
        self.connections.step(false);
        if close == Close::Slow {
            self.overflows.inc();
        }
        self.ends.inc(end(close));
    }

    fn refused(&self, why: session::Refusal) {
        self.refused.inc(match why {
            session::Refusal::TooMany => SessionRefusal::TooMany,
            _ => SessionRefusal::Stopping,
        });
    }

    fn blocked(&self) {
        self.blocked.inc();
    }

    fn told(&self, topic: Topic, waited: Waited, clients: u64) {
        let [after, late] = [waited.since, waited.late].map(Duration::from_millis);
        HubMetrics::told(self, topic, clients, after, late);
    }

    fn passed_on(&self, clients: u64, at: Instant) {
        self.delivered(at.elapsed(), clients);
    }
}

impl pipeline::Observer for SourceMetrics {
    fn received(&self, channel: &'static str) {
        SourceMetrics::received(self, channel);
    }

    fn malformed(&self, channel: &'static str) {
        SourceMetrics::malformed(self, channel);
    }

    fn unresolved(&self) {
        self.unresolved.inc();
    }

    fn gap(&self) {
        self.gaps.inc();
    }
}

impl server::Observer for FrontMetrics {
    fn accepted(&self) {
        self.accepted.inc();
    }

    fn accept_failed(&self) {
        self.accept_errors.inc();
    }

    fn refused(&self, why: server::Refused) {
        self.refused.inc(match why {
            server::Refused::Full => Refusal::Strangers,
            server::Refused::Share => Refusal::Address,
            server::Refused::Evicted => Refusal::Evicted,
            server::Refused::Unintroduced => Refusal::Unintroduced,
        });
    }

    fn stranger(&self, here: bool) {
        self.strangers.step(here);
    }

    fn handshake_failed(&self) {
        self.tls_errors.inc();
    }

    fn answered(&self, status: http::StatusCode) {
        FrontMetrics::answered(self, status);
    }
}

fn end(close: Close) -> SessionEnd {
    match close {
        Close::Goodbye(_) => SessionEnd::Client,
        Close::Protocol(_) => SessionEnd::Protocol,
        Close::Lost => SessionEnd::Lost,
        Close::Silent => SessionEnd::Silent,
        Close::Slow => SessionEnd::Slow,
        Close::Expired => SessionEnd::Expired,
        Close::Reset => SessionEnd::Reset,
        Close::Revoked => SessionEnd::Revoked,
        Close::Replaced => SessionEnd::Replaced,
        Close::Overfull => SessionEnd::Overfull,
        Close::Shutdown => SessionEnd::Shutdown,
    }
}
