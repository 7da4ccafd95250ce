//! What one check leaves behind for the others.

use crate::doctor::finding::CheckFinding;

/// What a check leaves behind: findings for the reader, and what later checks build on; without it
/// they are skipped.
#[derive(Debug)]
pub struct CheckOutcome<T> {
    /// At least one.
    pub findings: Vec<CheckFinding>,
    /// What later checks need.
    pub value: Option<T>,
}

impl<T> CheckOutcome<T> {
    /// It went well enough for others to build on.
    pub fn good(finding: CheckFinding, value: T) -> Self {
        Self { findings: vec![finding], value: Some(value) }
    }

    /// Nothing can be built on it.
    pub fn bad(finding: CheckFinding) -> Self {
        Self { findings: vec![finding], value: None }
    }

    /// The same with another finding.
    pub fn and(mut self, finding: Option<CheckFinding>) -> Self {
        self.findings.extend(finding);
        self
    }
}
