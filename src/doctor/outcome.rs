//! What one check leaves behind for the others.

use crate::doctor::finding::Finding;

/// What a check leaves behind: findings for the reader, and what later checks build on; without it
/// they are skipped.
#[derive(Debug)]
pub struct Outcome<T> {
    /// At least one.
    pub findings: Vec<Finding>,
    /// What later checks need.
    pub value: Option<T>,
}

impl<T> Outcome<T> {
    /// It went well enough for others to build on.
    pub fn good(finding: Finding, value: T) -> Self {
        Self { findings: vec![finding], value: Some(value) }
    }

    /// Nothing can be built on it.
    pub fn bad(finding: Finding) -> Self {
        Self { findings: vec![finding], value: None }
    }

    /// The same with another finding.
    pub fn and(mut self, finding: Option<Finding>) -> Self {
        self.findings.extend(finding);
        self
    }
}
