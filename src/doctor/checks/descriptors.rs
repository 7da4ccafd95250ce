//! How many files and connections a process may have open.

use crate::doctor::{
    finding::{Check, Finding},
    patient::Descriptors,
};

/// Fewer are a hint. Each client takes one; an installation of any size has room below this.
const ENOUGH: u64 = 65_536;

/// Judges the limits.
pub(in crate::doctor) fn judge(limits: Descriptors) -> Finding {
    let (limit, whose) = match limits.daemon {
        Some((id, limit)) => (limit, format!("the running daemon (process {id})")),
        None => (limits.own, "a process started from here".to_owned()),
    };
    if limit >= ENOUGH {
        let number = if limit == u64::MAX { "any number of".to_owned() } else { limit.to_string() };
        return Finding::fine(Check::Descriptors, format!("{whose} may open {number} files"));
    }
    Finding::hint(Check::Descriptors, format!("{whose} may open {limit} files"))
        .why(
            "each client takes one; beyond the limit new clients are not let in. The unit in \
             systemd/ sets 1048576",
        )
        .advise("With systemd (systemctl edit notify_push):")
        .paste("[Service]\nLimitNOFILE=1048576")
        .advise("In a container:")
        .run("docker run --ulimit nofile=1048576 …")
}

#[cfg(test)]
mod tests {
    use super::{ENOUGH, judge};
    use crate::doctor::{finding::State, patient::Descriptors};

    #[test]
    fn the_running_daemons_limit_counts() {
        let of = |own, daemon| judge(Descriptors { own, daemon });
        assert_eq!(of(1024, Some((7, ENOUGH))).state, State::Fine);
        assert_eq!(of(ENOUGH, Some((7, 1024))).state, State::Hint);
        assert_eq!(of(1024, None).state, State::Hint);
        assert!(of(0, Some((7, u64::MAX))).seen.contains("(process 7) may open any number"));
    }
}
