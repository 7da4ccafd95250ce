//! Audience to recipients: who sees a place, looked up once, kept a while, kept fresh.
//!
//! [`Audiences`] decides and owns no clock and no database; `run` feeds it and does what it asks.

mod audiences;
mod directory;
mod index;
mod looks;
mod marks;
mod names;
mod run;
mod storage;
#[cfg(test)]
mod tests;

pub use audiences::{Audiences, Telling};
pub use directory::{Directory, Listing, Seen, Unavailable};
pub use run::{INBOX, Inquiry, Resolver, start};
