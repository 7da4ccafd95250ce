//! The seam between the road and a host: what a host must say of its messages.

use crate::{client::Message, services::nextcloud::event::Event};

/// A message that its host can't understand; it is counted and passed over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

/// The system we push for, as far as the road goes through it.
pub trait Host: Send + Sync + 'static {
    /// What only this host can carry out.
    type Order: Send;

    /// Understands a message. Pure and cheap: it is called for each one, in order.
    ///
    /// # Errors
    /// [`Malformed`], with what is wrong but nothing of the message itself.
    fn decode(&self, message: &Message) -> Result<Event<Self::Order>, Malformed>;

    /// Carries out an order. Must not block; what takes time goes into a task of its own.
    fn obey(&self, order: Self::Order);
}
