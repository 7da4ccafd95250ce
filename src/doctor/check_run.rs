//! One run of checks, each with a time limit; findings are reported as they are made.

use super::CheckOutcome;
use crate::doctor::finding::{CheckFinding, CheckId, FindingState};
use std::time::Duration;
use tokio::time::timeout;

/// The time limit of a check, longer than all time-outs within it.
pub const LIMIT: Duration = Duration::from_secs(30);

/// Collects findings and passes each to a listener.
pub struct CheckRun<'a> {
    findings: Vec<CheckFinding>,
    on_finding: &'a mut (dyn FnMut(&CheckFinding) + Send),
}

impl<'a> CheckRun<'a> {
    /// Starts a run; the function gets each finding as soon as it is made.
    pub fn new(on_finding: &'a mut (dyn FnMut(&CheckFinding) + Send)) -> Self {
        Self { findings: Vec::new(), on_finding }
    }

    /// All findings so far.
    pub fn into_findings(self) -> Vec<CheckFinding> {
        self.findings
    }

    /// Whether this check found something wrong.
    pub fn failed(&self, check: CheckId) -> bool {
        self.findings
            .iter()
            .any(|finding| finding.check == check && finding.state == FindingState::Wrong)
    }

    /// Reports a finding and keeps it.
    pub fn record(&mut self, finding: CheckFinding) {
        (self.on_finding)(&finding);
        self.findings.push(finding);
    }

    /// Records several findings in order.
    pub fn record_all(&mut self, findings: Vec<CheckFinding>) {
        findings.into_iter().for_each(|finding| self.record(finding));
    }

    /// Runs a check whose value later checks need.
    pub async fn run<T>(
        &mut self,
        check: CheckId,
        work: impl Future<Output = CheckOutcome<T>>,
    ) -> Option<T> {
        let outcome = self.within(check, LIMIT, work).await?;
        self.record_all(outcome.findings);
        outcome.value
    }

    /// Runs work with a time limit; exceeding it is a finding.
    pub async fn within<T>(
        &mut self,
        check: CheckId,
        limit: Duration,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        // Large futures would make every caller's larger.
        let done = timeout(limit, Box::pin(work)).await.ok();
        if done.is_none() {
            let observed = format!("no result within {} s", limit.as_secs());
            self.record(
                CheckFinding::wrong(check, observed)
                    .why("the other side neither answers nor closes the connection"),
            );
        }
        done
    }

    /// Runs a check with one finding, on which no other check depends.
    pub async fn one(
        &mut self,
        check: CheckId,
        limit: Duration,
        work: impl Future<Output = CheckFinding>,
    ) {
        if let Some(finding) = self.within(check, limit, work).await {
            self.record(finding);
        }
    }

    /// Skips a check that depends on a failed one.
    pub fn skip<T>(&mut self, check: CheckId, failed: CheckId) -> Option<T> {
        self.skip_because(check, format!("{} failed", failed.name()))
    }

    /// Skips a check; the reason completes "skipped because …".
    pub fn skip_because<T>(&mut self, check: CheckId, why: impl AsRef<str>) -> Option<T> {
        self.record(CheckFinding::skipped(check, why));
        None
    }
}
