//! One round of checks: told as it goes on, each in bounded time.

use super::CheckOutcome;
use crate::doctor::finding::{CheckFinding, CheckId, FindingState};
use std::time::Duration;
use tokio::time::timeout;

/// A check that takes longer says so and is over: longer than all time-outs within it.
pub const LIMIT: Duration = Duration::from_secs(30);

/// What was told, and to whom.
pub struct CheckRun<'a> {
    told: Vec<CheckFinding>,
    tell: &'a mut (dyn FnMut(&CheckFinding) + Send),
}

impl<'a> CheckRun<'a> {
    /// One that tells each finding as soon as it is there.
    pub fn new(tell: &'a mut (dyn FnMut(&CheckFinding) + Send)) -> Self {
        Self { told: Vec::new(), tell }
    }

    /// All that was found.
    pub fn into_findings(self) -> Vec<CheckFinding> {
        self.told
    }

    /// Whether this check found something that doesn't work.
    pub fn failed(&self, check: CheckId) -> bool {
        self.told
            .iter()
            .any(|finding| finding.check == check && finding.state == FindingState::Wrong)
    }

    /// This was found.
    pub fn told(&mut self, finding: CheckFinding) {
        (self.tell)(&finding);
        self.told.push(finding);
    }

    /// All of this was found.
    pub fn record_all(&mut self, findings: Vec<CheckFinding>) {
        findings.into_iter().for_each(|finding| self.told(finding));
    }

    /// A check of bounded time that others build on.
    pub async fn run<T>(
        &mut self,
        check: CheckId,
        work: impl Future<Output = CheckOutcome<T>>,
    ) -> Option<T> {
        let outcome = self.within(check, LIMIT, work).await?;
        self.record_all(outcome.findings);
        outcome.value
    }

    /// Something of bounded time; that it took longer is a finding.
    pub async fn within<T>(
        &mut self,
        check: CheckId,
        limit: Duration,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        // Large futures would make every caller's larger.
        let done = timeout(limit, Box::pin(work)).await.ok();
        if done.is_none() {
            let seen = format!("no result within {} s", limit.as_secs());
            self.told(
                CheckFinding::wrong(check, seen).why("what was asked neither answers nor refuses"),
            );
        }
        done
    }

    /// A check that finds one thing, for which nothing else waits.
    pub async fn one(
        &mut self,
        check: CheckId,
        limit: Duration,
        work: impl Future<Output = CheckFinding>,
    ) {
        if let Some(finding) = self.within(check, limit, work).await {
            self.told(finding);
        }
    }

    /// Skips what builds on another check.
    pub fn skip<T>(&mut self, check: CheckId, failed: CheckId) -> Option<T> {
        self.skip_because(check, format!("{} failed", failed.name()))
    }

    /// Skips a check for this reason.
    pub fn skip_because<T>(&mut self, check: CheckId, why: impl AsRef<str>) -> Option<T> {
        self.told(CheckFinding::skipped(check, why));
        None
    }
}
