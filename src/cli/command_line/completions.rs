//! Completion scripts, made from the same description as the parser and the help.

use super::{CliOptions, ServiceKind, service_commands};
use structopt::{StructOpt as _, clap::Shell};

/// The script for this shell.
pub(super) fn script<H>(shell: Shell, kinds: &[ServiceKind<'_, H>]) -> String {
    let mut text = Vec::new();
    service_commands::with_commands(CliOptions::clap(), kinds).gen_completions_to(
        "notify_push",
        shell,
        &mut text,
    );
    String::from_utf8_lossy(&text).into_owned()
}
