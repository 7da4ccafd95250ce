//! Formats an error with its causes.

use std::error::Error;

/// The error with its causes, in one line.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::chain;
    use std::io;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read the file")]
    struct WrappedError(#[source] io::Error);

    #[test]
    fn causes_follow_what_they_caused() {
        assert_eq!(
            chain(&WrappedError(io::Error::other("no disk"))),
            "cannot read the file: no disk"
        );
    }
}
