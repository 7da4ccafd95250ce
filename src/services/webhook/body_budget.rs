//! The memory that request bodies of callers without credentials may take, for all requests of a service.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that are counted together.
const UNIT: usize = 1024;
/// What all such bodies may take, in bytes: 160 of the longest, many thousands of usual ones.
const BUDGET: usize = 16 << 20;

/// Grants memory for bodies that are being received. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct BodyBudget(Arc<Semaphore>);

/// The memory of one body, released when dropped.
#[derive(Debug)]
pub struct BodyAllowance {
    budget: BodyBudget,
    permit: Option<OwnedSemaphorePermit>,
}

impl Default for BodyBudget {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(BUDGET / UNIT)))
    }
}

impl BodyBudget {
    /// Begins a body.
    pub fn body(&self) -> BodyAllowance {
        BodyAllowance { budget: self.clone(), permit: None }
    }
}

impl BodyAllowance {
    /// Extends the allowance to a body of this length; false if the budget is used up.
    pub fn extend_to(&mut self, length: usize) -> bool {
        let held = self.permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let missing = length.div_ceil(UNIT).saturating_sub(held);
        if missing == 0 {
            return true;
        }
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        let Ok(more) = Arc::clone(&self.budget.0).try_acquire_many_owned(missing) else {
            return false;
        };
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            None => self.permit = Some(more),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{BUDGET, BodyBudget};

    #[test]
    fn bodies_share_a_budget_that_is_returned() {
        let budget = BodyBudget::default();
        let (mut large, mut small) = (budget.body(), budget.body());
        assert!(large.extend_to(1) && large.extend_to(1024) && large.extend_to(BUDGET - 1024));
        assert!(small.extend_to(1000));
        assert!(!large.extend_to(BUDGET) && !small.extend_to(1025));
        drop(large);
        assert!(small.extend_to(BUDGET));
    }
}
