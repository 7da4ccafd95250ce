//! What can go wrong between us and Redis, told to the operator as cause and remedy.

use super::{RedisAddress, tls::RedisTlsError};
use redis::ServerError;
use std::{fmt, io, path::PathBuf};

/// Why Redis can't be used right now. Its text is for the operator and holds no secret.
#[derive(Debug, thiserror::Error)]
pub enum RedisClientError {
    /// The host's name doesn't resolve.
    #[error("the name {host} does not resolve ({cause}): correct the Redis host or the DNS")]
    Dns {
        /// The name.
        host: String,
        /// What the resolver says.
        cause: io::Error,
    },
    /// Nothing listens there, or the way is blocked.
    #[error("{at} can't be reached ({cause}): is Redis running and listening there?")]
    Connect {
        /// Where.
        at: RedisAddress,
        /// What the system says.
        cause: io::Error,
    },
    /// No answer in time.
    #[error(
        "{at} does not answer ({doing} took longer than {seconds} s): Redis hangs or a firewall drops packets"
    )]
    Silent {
        /// Where.
        at: RedisAddress,
        /// What was waited for.
        doing: &'static str,
        /// How long.
        seconds: f32,
    },
    /// The TLS handshake failed.
    #[error("TLS with {at}: {cause}")]
    Tls {
        /// Where.
        at: RedisAddress,
        /// What and why.
        cause: RedisTlsError,
    },
    /// A certificate or key file can't be used.
    #[error("the TLS file {} can't be used ({cause}): it must be a readable PEM file without a passphrase", path.display())]
    TlsFile {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// The connection ended or broke.
    #[error("{at} closed the connection{}", detail(.cause))]
    Closed {
        /// Where.
        at: RedisAddress,
        /// What the system says, if anything.
        cause: Option<io::Error>,
    },
    /// The connection ended before the server had said a word.
    #[error(
        "{at} closes the connection without a word: does the port want TLS (tls://), or has Redis too many clients?"
    )]
    ClosedSilently {
        /// Where.
        at: RedisAddress,
    },
    /// Something that isn't Redis listens there.
    #[error(
        "{at} does not speak the Redis protocol: is this the right port, and is TLS wanted there (tls://)?"
    )]
    NotRedis {
        /// Where.
        at: RedisAddress,
    },
    /// More bytes than any message of Nextcloud's or answer to us has.
    #[error(
        "{at} sends a message of more than {} MiB, so the connection was cut: find out who publishes it", limit >> 20
    )]
    TooLarge {
        /// Where.
        at: RedisAddress,
        /// How many bytes a reply may have.
        limit: usize,
    },
    /// Wrong or missing user or password.
    #[error("{at} refuses the login ({answer}): correct the Redis user and password")]
    Login {
        /// Where.
        at: RedisAddress,
        /// Redis's words.
        answer: String,
    },
    /// The ACL forbids something.
    #[error("{at} forbids it ({answer}): grant the Redis user {rights} (docs/redis-acl.md)")]
    Forbidden {
        /// Where.
        at: RedisAddress,
        /// Redis's words.
        answer: String,
        /// What is missing, as ACL rules.
        rights: &'static str,
    },
    /// Any other error answer.
    #[error("{at} answers with an error: {answer}")]
    Refused {
        /// Where.
        at: RedisAddress,
        /// Redis's words.
        answer: String,
    },
    /// No sentinel knows the master.
    #[error("sentinel {at} knows no master named '{master}': correct the master's name")]
    UnknownMaster {
        /// The sentinel.
        at: RedisAddress,
        /// The name asked for.
        master: String,
    },
    /// The server is a replica where a master is needed.
    #[error(
        "{at} is a replica, not the master: a failover is under way, or the sentinels are behind"
    )]
    NotMaster {
        /// Where.
        at: RedisAddress,
    },
    /// The other servers of the cluster or the sentinels have a better place.
    #[error("{at} is no longer the right server: {why}")]
    Moved {
        /// Where we were.
        at: RedisAddress,
        /// What was found.
        why: String,
    },
    /// Redis, the way there and the queue before it took too long together.
    #[error("Redis took longer than {seconds} s: it is overloaded or hangs")]
    Late {
        /// How long was waited.
        seconds: f32,
    },
    /// The settings name no server at all.
    #[error("no Redis server is configured: set REDIS_URL or the redis section in config.php")]
    Nowhere,
}

fn detail(cause: &Option<io::Error>) -> String {
    cause.as_ref().map(|cause| format!(" ({cause})")).unwrap_or_default()
}

impl RedisClientError {
    /// What an error answer means. `rights` names the ACL rules that the refused command needs.
    pub(super) fn answer(at: &RedisAddress, error: &ServerError, rights: &'static str) -> Self {
        let at = at.clone();
        let answer = printable(error.code(), error.details().unwrap_or_default());
        match error.code() {
            "WRONGPASS" | "NOAUTH" | "NOPASS" => Self::Login { at, answer },
            "NOPERM" => Self::Forbidden { at, answer, rights },
            // Before version 6 there were neither users nor codes for this.
            _ if ["invalid password", "AUTH", "'auth'"]
                .iter()
                .any(|word| answer.contains(word)) =>
            {
                Self::Login { at, answer }
            }
            _ => Self::Refused { at, answer },
        }
    }
}

/// A server's words, fit for one log line: short and without control characters.
fn printable(code: &str, details: &str) -> String {
    const LONGEST: usize = 200;
    let words = code.chars().chain([' ']).chain(details.chars()).take(LONGEST);
    words.map(|c| if c.is_control() { ' ' } else { c }).collect()
}

impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{RedisAddress, RedisClientError};
    use redis::{Value, parse_redis_value};

    fn told(text: &str) -> String {
        let at = RedisAddress::Tcp("::1".into(), 6379);
        let Ok(Value::ServerError(error)) = parse_redis_value(format!("-{text}\r\n").as_bytes())
        else {
            panic!("{text} isn't an error")
        };
        RedisClientError::answer(&at, &error, "+subscribe &notify_*").to_string()
    }

    #[test]
    fn a_refused_login_names_the_remedy() {
        for text in [
            "WRONGPASS invalid username-password pair or user is disabled.",
            "NOAUTH Authentication required.",
            "ERR invalid password",
            "ERR AUTH <password> called without any password configured for the default user.",
            "ERR Client sent AUTH, but no password is set",
            "ERR wrong number of arguments for 'auth' command",
        ] {
            let told = told(text);
            assert!(told.starts_with("[::1]:6379 refuses the login"), "{told}");
            assert!(told.contains("correct the Redis user and password"), "{told}");
        }
    }

    #[test]
    fn a_missing_right_names_the_acl_rules() {
        let told = told("NOPERM this user has no permissions to run the 'subscribe' command");
        assert!(told.contains("grant the Redis user +subscribe &notify_*"), "{told}");
    }

    #[test]
    fn a_servers_words_are_one_short_line() {
        let told = told(&format!("LOADING \x1b[31m\t{}", "x".repeat(10_000)));
        assert!(told.len() < 400 && !told.chars().any(char::is_control), "{told:?}");
    }
}
