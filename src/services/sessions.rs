//! What every host does with its hub's clients in the same way: counts their places, closes them.

use crate::{
    push::{
        ConnectionLimit, HubMetrics, SessionRefusalLabel, hub::Hub, recipient::Recipient,
        session::CloseReason,
    },
    runtime::admin::RevokeSessions,
};
use std::sync::Arc;

/// Room for so many of the hub's clients, and always for those that listen as `probe`; who is sent
/// away is counted.
pub fn room(
    hub: &Hub,
    most: Option<usize>,
    probe: Recipient,
    counts: &Arc<HubMetrics>,
) -> ConnectionLimit {
    let counted = Arc::clone(counts);
    let refused = move || counted.refused.inc(SessionRefusalLabel::Full);
    ConnectionLimit::new(most, probe, hub.connection_count().clone(), refused)
}

/// Closes the sessions of whom an operator names; `recipient` says whom that is.
pub fn revoke(
    hub: &Hub,
    recipient: impl Fn(&str) -> Recipient + Send + Sync + 'static,
) -> RevokeSessions {
    let hub = hub.clone();
    Arc::new(move |whom| {
        let (hub, whom) = (hub.clone(), recipient(whom));
        // A hub that has ended has nobody left.
        Box::pin(async move { hub.disconnect(Some(whom), CloseReason::Revoked).await.unwrap_or(0) })
    })
}
