//! Completion scripts, made from the same description as the parser and the help.

use super::{Kind, Options, kinds};
use structopt::{StructOpt as _, clap::Shell};

/// The script for this shell.
pub(super) fn script<H>(shell: Shell, kinds: &[Kind<'_, H>]) -> String {
    let mut text = Vec::new();
    kinds::with_commands(Options::clap(), kinds).gen_completions_to(
        "notify_push",
        shell,
        &mut text,
    );
    String::from_utf8_lossy(&text).into_owned()
}
