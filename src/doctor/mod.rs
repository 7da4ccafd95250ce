//! Looks everything over that has to work, and says what mends what doesn't.
//!
//! [`examine()`] is a function of one host's [`Patient`]; what it finds are plain values
//! ([`Finding`]), and the report is a pure function of them.

mod checks;
mod door;
mod examine;
mod finding;
mod patient;
mod proxy;
mod report;
mod token;
mod wrap;

pub use checks::settings::bad as unusable;
pub use examine::{examine, look_over};
pub use finding::{Check, Finding, State, Step};
pub use patient::{Descriptors, Patient, Tools, descriptors, occ};
pub use report::{Style, is_wrong, json};
