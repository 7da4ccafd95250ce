//! The seam between the road and a host: what a host must say of its messages.

use crate::{client::SourceMessage, services::nextcloud::event::ServiceEvent};

/// A message that its host can't understand; it is counted and passed over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UndecodableMessage(pub &'static str);

/// The system we push for, as far as the road goes through it.
pub trait MessageHandler: Send + Sync + 'static {
    /// What only this host can carry out.
    type Order: Send;

    /// Understands a message. Pure and cheap: it is called for each one, in order.
    ///
    /// # Errors
    /// [`UndecodableMessage`], with what is wrong but nothing of the message itself.
    fn decode(
        &self,
        message: &SourceMessage,
    ) -> Result<ServiceEvent<Self::Order>, UndecodableMessage>;

    /// Carries out an order. Must not block; what takes time goes into a task of its own.
    fn execute(&self, order: Self::Order);
}
