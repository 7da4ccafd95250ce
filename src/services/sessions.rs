//! The sessions of a service whose clients are in a hub: limit, list, revoke.

use super::{SessionSummary, Sessions};
use crate::push::{
    ConnectionLimit, HubMetrics, SessionRefusalLabel,
    hub::{Hub, HubClosed, ListedSession},
    recipient::Recipient,
    session::CloseReason,
};
use futures_util::future::BoxFuture;
use std::sync::Arc;

/// Sessions in one page of a list.
const PAGE: usize = 256;
/// The longest list; the count is exact all the same.
const MAX_LISTED: usize = 10_000;

/// A limit on the hub's connections. `probe` is exempt; refusals are counted.
pub fn connection_limit(
    hub: &Hub,
    maximum: Option<usize>,
    probe: Recipient,
    metrics: &Arc<HubMetrics>,
) -> ConnectionLimit {
    let metrics = Arc::clone(metrics);
    let refused = move || metrics.refused.inc(SessionRefusalLabel::Full);
    ConnectionLimit::new(maximum, probe, hub.connection_count().clone(), refused)
}

/// The sessions in a hub.
pub struct HubSessions<F> {
    hub: Hub,
    recipient: F,
}

impl<F: Fn(&str) -> Recipient + Send + Sync> HubSessions<F> {
    /// `recipient` maps a user's name to the recipient that their sessions joined as.
    pub fn new(hub: &Hub, recipient: F) -> Self {
        Self { hub: hub.clone(), recipient }
    }
}

impl<F: Fn(&str) -> Recipient + Send + Sync> Sessions for HubSessions<F> {
    fn count(&self) -> usize {
        self.hub.connections()
    }

    fn list(&self, user: Option<&str>) -> BoxFuture<'static, Vec<SessionSummary>> {
        let (hub, recipient) = (self.hub.clone(), user.map(&self.recipient));
        Box::pin(async move {
            let mut listed = Vec::new();
            for shard in 0..=u16::MAX {
                let Ok(()) = list_shard(&hub, shard, recipient.as_ref(), &mut listed).await else {
                    break;
                };
            }
            listed
        })
    }

    fn revoke(&self, user: &str) -> BoxFuture<'static, usize> {
        let (hub, recipient) = (self.hub.clone(), (self.recipient)(user));
        // A hub that has ended has no sessions.
        Box::pin(
            async move { hub.disconnect(Some(recipient), CloseReason::Revoked).await.unwrap_or(0) },
        )
    }
}

/// Adds the sessions of one shard, page by page, so that it serves its clients in between.
///
/// # Errors
/// When there is no such shard, or the hub has ended.
async fn list_shard(
    hub: &Hub,
    shard: u16,
    wanted: Option<&Recipient>,
    listed: &mut Vec<SessionSummary>,
) -> Result<(), HubClosed> {
    let mut from = 0;
    while listed.len() < MAX_LISTED {
        let page = hub.list(shard, from, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        from = last.id.slot + 1;
        let wanted = page.iter().filter(|it| wanted.is_none_or(|name| it.recipient == *name));
        listed.extend(wanted.map(summary));
    }
    Ok(())
}

fn summary(session: &ListedSession) -> SessionSummary {
    let ListedSession { id, recipient, .. } = session;
    let id = format!("{}-{}-{}", id.shard, id.slot, id.serial);
    SessionSummary { id, user: recipient.to_string() }
}
