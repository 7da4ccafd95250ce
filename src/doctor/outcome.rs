//! The outcome of a check: findings and a value for later checks.

use crate::doctor::finding::CheckFinding;

/// The outcome of a check: findings for the reader, and a value without which later checks are skipped.
#[derive(Debug)]
pub struct CheckOutcome<T> {
    /// At least one finding.
    pub findings: Vec<CheckFinding>,
    /// The value for later checks.
    pub value: Option<T>,
}

impl<T> CheckOutcome<T> {
    /// A finding with a value for later checks.
    pub fn good(finding: CheckFinding, value: T) -> Self {
        Self { findings: vec![finding], value: Some(value) }
    }

    /// A finding without a value: later checks are skipped.
    pub fn bad(finding: CheckFinding) -> Self {
        Self { findings: vec![finding], value: None }
    }

    /// Adds another finding.
    pub fn and(mut self, finding: Option<CheckFinding>) -> Self {
        self.findings.extend(finding);
        self
    }
}
