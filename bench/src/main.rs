//! The bench: the same work on one daemon or several, interleaved, in one run.
//!
//! `cargo run --release -p bench -- --help`

mod bench_group;
mod clients;
mod daemon;
mod disturbance;
mod figures;
mod groups;
mod guessers;
mod kernel;
mod options;
mod plot;
mod proc;
mod report;
mod stack;

use clap::Parser;
use options::{BenchCommand, Binary, Options};
use std::{error::Error, process::ExitCode};

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::progress(&format!("bench: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    if let Some(BenchCommand::Plot { lines, folder }) = &options.instead {
        return plot::draw(lines, folder);
    }
    let binaries = options.binaries()?;
    let mut report = report::BenchReport::new(options.json.as_deref(), &binaries)?;
    proc::raise_descriptor_limit();
    for round in 0..options.rounds {
        for group in &options.groups() {
            for binary in in_turn(&binaries, round) {
                let label = binary.label.clone();
                report::progress(&format!("round {} · {} · {label}", round + 1, group.name()));
                let quiet = disturbance::DisturbanceWatch::begin();
                let figures = groups::run(*group, options, binary)?;
                report.add(&label, group.name(), &figures, &quiet.end())?;
                if !group.needs_daemon() {
                    break;
                }
            }
        }
    }
    report.table();
    Ok(())
}

/// Nobody is always the first: what one leaves behind (warm caches, a hot processor) would help or
/// hurt always the same.
fn in_turn(binaries: &[Binary], round: usize) -> Vec<&Binary> {
    let mut order: Vec<_> = binaries.iter().collect();
    if round % 2 == 1 {
        order.reverse();
    }
    order
}
