//! TODO purpose.

pub mod client;
pub mod stream;
pub use client::{Refusal, Request, VisitError, Visitor};
