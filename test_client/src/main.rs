//! `test_client`: finds a Nextcloud's push endpoint, logs in like a client, prints what arrives, and
//! explains what stands in the way.

mod backoff;
mod connect;
mod discover;
mod failure;
mod message;
mod options;
mod output;
mod password;
mod probe;
mod session;
mod timestamp;
mod trust;

use clap::Parser;
use failure::Failure;
use options::Options;
use output::Output;
use probe::Probe;
use std::{
    io::{self, IsTerminal},
    process::ExitCode,
};

fn main() -> ExitCode {
    let options = Options::parse();
    let mut output = Output::new(io::stdout(), options.json);
    match run(options, &mut output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure, &mut io::stderr());
            ExitCode::from(failure.exit_code())
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is where the environment is read")]
fn run(options: Options, output: &mut Output) -> Result<(), Failure> {
    let sources = password::PasswordSources {
        argument: options.password.clone(),
        file: options.password_file.clone(),
        environment: std::env::var("NEXTCLOUD_PASSWORD").ok(),
        terminal: io::stdin().is_terminal(),
    };
    let password = password::read(sources, &options.user, &mut io::stdin().lock())?;
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().map_err(Failure::Io)?;
    let done = runtime.block_on(async {
        let probe = Probe::new(options, password, fastrand::Rng::new())?;
        tokio::select! {
            done = probe.run(output) => done,
            stopped = tokio::signal::ctrl_c() => stopped.map_err(Failure::Io),
        }
    });
    // A name that is still being looked up in a thread must not keep us.
    runtime.shutdown_background();
    done
}
