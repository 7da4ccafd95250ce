//! Looks everything over that has to work, and says what mends what doesn't.
//!
//! What has to work is for each kind of host to say ([`crate::services::Prepared::look_over`]); what it
//! finds are plain values ([`Finding`]), told in a [`Round`], and the report is a pure function of
//! them.

mod descriptors;
pub mod finding;
mod outcome;
mod report;
mod round;
mod settings;
mod visit;
mod wrap;

pub use crate::doctor::finding::{Check, Finding, State, Step};
pub use descriptors::{Descriptors, descriptors};
pub use outcome::Outcome;
pub use report::{Style, is_wrong, json};
pub use round::{LIMIT, Round};
pub use settings::bad as unusable;
pub use visit::{Visit, begin};
