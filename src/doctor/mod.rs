//! The doctor: runs all checks of an installation and explains how to fix what is wrong.
//!
//! Each kind of service has its own checks ([`crate::services::Service::diagnose`]). Their results are plain
//! values ([`CheckFinding`]), recorded in a [`CheckRun`]; the report is a pure function of them.

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
pub use settings::invalid_settings;
