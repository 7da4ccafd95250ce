//! Measures each kind of work: one file each.

mod delivery;
pub mod growth;
mod idle;
mod latency;
mod limits;
mod logins;
mod replicas;
mod storm;
mod unauthenticated;

use crate::{
    bench_group::BenchGroup,
    figures::Figures,
    options::{Binary, Options},
};
use std::error::Error;

/// Measures one kind of work.
pub fn run(
    group: BenchGroup,
    options: &Options,
    binary: &Binary,
) -> Result<Figures, Box<dyn Error>> {
    match group {
        BenchGroup::Idle => idle::run(options, binary),
        BenchGroup::Custom => latency::custom(options, binary),
        BenchGroup::File => latency::file(options, binary),
        BenchGroup::Steady => latency::steady(options, binary),
        BenchGroup::FanOut => delivery::fan_out(options, binary),
        BenchGroup::Throughput => delivery::throughput(options, binary),
        BenchGroup::Ordered => delivery::ordered(options, binary),
        BenchGroup::Storm => storm::run(options, binary),
        BenchGroup::Login => logins::rate(options, binary),
        BenchGroup::Unauthenticated => unauthenticated::silent(options, binary),
        BenchGroup::Guesses => unauthenticated::guesses(options, binary),
        BenchGroup::Reconnect => logins::reconnect(options, binary, &[]),
        BenchGroup::ReconnectNextcloud => {
            logins::reconnect(options, binary, &[("AUTH", "nextcloud")])
        }
        BenchGroup::Growth => growth::run(options, binary),
        BenchGroup::Replicas => replicas::run(options, binary),
        BenchGroup::Limits => limits::run(options),
    }
}
