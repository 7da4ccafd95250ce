//! Completion scripts, made from the same description as the parser and the help.

use super::Options;
use structopt::{StructOpt as _, clap::Shell};

/// The script for this shell.
pub(super) fn script(shell: Shell) -> String {
    let mut text = Vec::new();
    Options::clap().gen_completions_to("notify_push", shell, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}
