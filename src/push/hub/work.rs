//! Fair shares of a thread's time: how long a shard works before others get their turn.

use std::time::Duration;

/// How long one pass of a shard works before it yields to the other tasks of its thread. A single step
/// is never interrupted, so a pass may take a little longer.
pub const PASS: Duration = Duration::from_millis(2);

/// A pass has three parts: commands, deadlines, reading. Each gets the same share, so that none of them
/// keeps the others waiting.
const PARTS: u32 = 3;

/// Time since the hub's start; passed in, so that tests can count work instead of time.
pub type WorkClock<'a> = &'a dyn Fn() -> Duration;

/// The time that one part of a pass may take.
pub struct WorkSlice<'a> {
    clock: WorkClock<'a>,
    ends: Duration,
}

impl<'a> WorkSlice<'a> {
    /// A part that begins now.
    pub fn begin(clock: WorkClock<'a>) -> Self {
        Self { clock, ends: clock() + PASS / PARTS }
    }

    /// Whether its time is used up; asked after each step.
    pub fn is_over(&self) -> bool {
        (self.clock)() >= self.ends
    }
}
