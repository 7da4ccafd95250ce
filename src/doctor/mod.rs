//! Looks everything over that has to work, and says what mends what doesn't.
//!
//! What has to work is for each kind of host to say ([`crate::services::Service::diagnose`]); what it
//! finds are plain values ([`CheckFinding`]), told in a [`CheckRun`], and the report is a pure function of
//! them.

mod check_run;
mod context;
mod descriptors;
pub mod finding;
mod outcome;
mod report;
mod settings;
mod wrap;

pub use crate::doctor::finding::{CheckFinding, CheckId, FindingState, RemedyStep};
pub use check_run::{CheckRun, LIMIT};
pub use context::{DiagnosisContext, begin};
pub use descriptors::{DescriptorLimits, descriptors};
pub use outcome::CheckOutcome;
pub use report::{ReportStyle, is_wrong, json};
pub use settings::invalid_settings as unusable;
