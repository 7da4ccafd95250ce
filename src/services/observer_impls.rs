//! The core's reports turned into numbers: the core knows no metrics, only who listens.

use super::nextcloud::SourceMetrics;
use crate::{
    push::{
        HubMetrics, SessionEndLabel, SessionRefusalLabel, hub,
        notice::TopicId,
        session,
        session::{CloseReason, NoticeLatency},
    },
    server,
    server::{ConnectionRefusalLabel, ServerMetrics},
    services::nextcloud::pipeline,
};
use std::time::Duration;
use tokio::time::Instant;

impl hub::HubObserver for HubMetrics {
    fn joined(&self) {
        self.connections.step(true);
        self.connections_total.inc();
    }

    fn presence(&self, here: bool) {
        self.users.step(here);
    }

    fn left(&self, close: CloseReason) {
        self.connections.step(false);
        if close == CloseReason::Slow {
            self.overflows.inc();
        }
        self.ends.inc(end(close));
    }

    fn refused(&self, why: session::RejectReason) {
        self.refused.inc(match why {
            session::RejectReason::TooMany => SessionRefusalLabel::TooMany,
            _ => SessionRefusalLabel::Stopping,
        });
    }

    fn blocked(&self) {
        self.blocked.inc();
    }

    fn notified(&self, topic: TopicId, waited: NoticeLatency, clients: u64) {
        let [after, late] = [waited.since, waited.late].map(Duration::from_millis);
        HubMetrics::notified(self, topic, clients, after, late);
    }

    fn opaque_sent(&self, clients: u64, at: Instant) {
        self.delivered(at.elapsed(), clients);
    }
}

impl pipeline::PipelineObserver for SourceMetrics {
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

impl server::ConnectionObserver for ServerMetrics {
    fn accepted(&self) {
        self.accepted.inc();
    }

    fn accept_failed(&self) {
        self.accept_errors.inc();
    }

    fn refused(&self, why: server::RefusalReason) {
        self.refused.inc(match why {
            server::RefusalReason::TotalLimit => ConnectionRefusalLabel::UnauthenticatedLimit,
            server::RefusalReason::PerAddressLimit => ConnectionRefusalLabel::Address,
            server::RefusalReason::Evicted => ConnectionRefusalLabel::Evicted,
            server::RefusalReason::NoProxyHeader => ConnectionRefusalLabel::NoProxyHeader,
        });
    }

    fn pre_auth_connection(&self, here: bool) {
        self.unauthenticated_connections.step(here);
    }

    fn handshake_failed(&self) {
        self.tls_errors.inc();
    }

    fn answered(&self, status: http::StatusCode) {
        ServerMetrics::answered(self, status);
    }
}

fn end(close: CloseReason) -> SessionEndLabel {
    match close {
        CloseReason::Goodbye(_) => SessionEndLabel::Client,
        CloseReason::Protocol(_) => SessionEndLabel::Protocol,
        CloseReason::Lost => SessionEndLabel::Lost,
        CloseReason::Silent => SessionEndLabel::Silent,
        CloseReason::Slow => SessionEndLabel::Slow,
        CloseReason::Expired => SessionEndLabel::Expired,
        CloseReason::Reset => SessionEndLabel::Reset,
        CloseReason::Revoked => SessionEndLabel::Revoked,
        CloseReason::Replaced => SessionEndLabel::Replaced,
        CloseReason::LimitExceeded => SessionEndLabel::LimitExceeded,
        CloseReason::Shutdown => SessionEndLabel::Shutdown,
    }
}
