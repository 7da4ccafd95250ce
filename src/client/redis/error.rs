//! Errors of the Redis client; their texts name cause and remedy.

use super::{RedisAddress, tls::RedisTlsError};
use redis::ServerError;
use std::{fmt, io, path::PathBuf};

/// Why Redis can't be used now. The text is for the operator and holds no secret.
#[derive(Debug, thiserror::Error)]
pub enum RedisClientError {
    /// The host name doesn't resolve.
    #[error("the name {host} does not resolve ({cause}): correct the Redis host or the DNS")]
    Dns {
        /// The host name.
        host: String,
        /// The resolver's error.
        cause: io::Error,
    },
    /// Nothing listens there, or a firewall blocks the connection.
    #[error("{at} can't be reached ({cause}): is Redis running and listening there?")]
    Connect {
        /// The server's address.
        at: RedisAddress,
        /// The system's error.
        cause: io::Error,
    },
    /// No answer in time.
    #[error(
        "{at} does not answer ({doing} took longer than {seconds} s): Redis hangs or a firewall drops packets"
    )]
    ResponseTimeout {
        /// The server's address.
        at: RedisAddress,
        /// The step that took too long.
        doing: &'static str,
        /// The time limit.
        seconds: f32,
    },
    /// The TLS handshake failed.
    #[error("TLS with {at}: {cause}")]
    Tls {
        /// The server's address.
        at: RedisAddress,
        /// The failure and its remedy.
        cause: RedisTlsError,
    },
    /// A certificate or key file can't be used.
    #[error("the TLS file {} can't be used ({cause}): it must be a readable PEM file without a passphrase", path.display())]
    TlsFile {
        /// The path of the file.
        path: PathBuf,
        /// Why it can't be used.
        cause: String,
    },
    /// The connection ended or broke.
    #[error("{at} closed the connection{}", detail(.cause))]
    Closed {
        /// The server's address.
        at: RedisAddress,
        /// The system's error, if any.
        cause: Option<io::Error>,
    },
    /// The connection ended before the server sent anything.
    #[error(
        "{at} closes the connection without a word: does the port want TLS (tls://), or has Redis too many clients?"
    )]
    ClosedSilently {
        /// The server's address.
        at: RedisAddress,
    },
    /// The server there isn't Redis.
    #[error(
        "{at} does not speak the Redis protocol: is this the right port, and is TLS wanted there (tls://)?"
    )]
    NotRedis {
        /// The server's address.
        at: RedisAddress,
    },
    /// A reply longer than any message of Nextcloud.
    #[error(
        "{at} sends a message of more than {} MiB, so the connection was cut: find out who publishes it", limit >> 20
    )]
    TooLarge {
        /// The server's address.
        at: RedisAddress,
        /// Most bytes in a reply.
        limit: usize,
    },
    /// The server requires a password, and none is set.
    #[error(
        "{at} needs a password: set it in REDIS_URL or as 'password' in the redis section of config.php"
    )]
    PasswordNeeded {
        /// The server's address.
        at: RedisAddress,
    },
    /// Wrong user or password.
    #[error("{at} refuses the login ({answer}): correct the Redis user and password")]
    Login {
        /// The server's address.
        at: RedisAddress,
        /// The text of the reply.
        answer: String,
    },
    /// The ACL forbids a command, key or channel.
    #[error("{at} forbids it ({answer}): grant the Redis user {rights} (docs/redis-acl.md)")]
    Forbidden {
        /// The server's address.
        at: RedisAddress,
        /// The text of the reply.
        answer: String,
        /// The missing rights, as ACL rules.
        rights: &'static str,
    },
    /// Any other error reply.
    #[error("{at} answers with an error: {answer}")]
    Refused {
        /// The server's address.
        at: RedisAddress,
        /// The text of the reply.
        answer: String,
    },
    /// No sentinel knows the master.
    #[error("sentinel {at} knows no master named '{master}': correct the master's name")]
    UnknownMaster {
        /// The sentinel's address.
        at: RedisAddress,
        /// The name of the master.
        master: String,
    },
    /// The server is a replica where a master is needed.
    #[error(
        "{at} is a replica, not the master: a failover is under way, or the sentinels are behind"
    )]
    NotMaster {
        /// The server's address.
        at: RedisAddress,
    },
    /// The cluster or the sentinels name a better server.
    #[error("{at} is no longer the right server: {why}")]
    Moved {
        /// The server that was used.
        at: RedisAddress,
        /// What the others report.
        why: String,
    },
    /// Connecting, queueing and the command together took too long.
    #[error("Redis took longer than {seconds} s: it is overloaded or hangs")]
    CommandTimeout {
        /// The time limit.
        seconds: f32,
    },
    /// The settings name no server at all.
    #[error("no Redis server is configured: set REDIS_URL or the redis section in config.php")]
    NoServerConfigured,
}

fn detail(cause: &Option<io::Error>) -> String {
    cause.as_ref().map(|cause| format!(" ({cause})")).unwrap_or_default()
}

impl RedisClientError {
    /// Translates an error reply. `rights` names the ACL rules that the refused command needs.
    pub(super) fn answer(at: &RedisAddress, error: &ServerError, rights: &'static str) -> Self {
        let at = at.clone();
        let answer = printable(error.code(), error.details().unwrap_or_default());
        match error.code() {
            // Before a login Redis refuses a command as long as our SUBSCRIBE as a protocol error.
            "NOAUTH" => Self::PasswordNeeded { at },
            _ if answer.contains("unauthenticated") => Self::PasswordNeeded { at },
            "WRONGPASS" | "NOPASS" => Self::Login { at, answer },
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

/// A server's text made fit for a log line: short and without control characters.
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

    fn message(text: &str) -> String {
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
            "ERR invalid password",
            "ERR AUTH <password> called without any password configured for the default user.",
            "ERR Client sent AUTH, but no password is set",
            "ERR wrong number of arguments for 'auth' command",
        ] {
            let text = message(text);
            assert!(text.starts_with("[::1]:6379 refuses the login"), "{text}");
            assert!(text.contains("correct the Redis user and password"), "{text}");
        }
    }

    #[test]
    fn a_missing_password_is_named() {
        for text in [
            "NOAUTH Authentication required.",
            "ERR Protocol error: unauthenticated multibulk length",
            "ERR Protocol error: unauthenticated bulk length",
        ] {
            let text = message(text);
            assert!(text.starts_with("[::1]:6379 needs a password: set it"), "{text}");
        }
    }

    #[test]
    fn a_missing_right_names_the_acl_rules() {
        let text = message("NOPERM this user has no permissions to run the 'subscribe' command");
        assert!(text.contains("grant the Redis user +subscribe &notify_*"), "{text}");
    }

    #[test]
    fn a_servers_text_becomes_one_short_line() {
        let text = message(&format!("LOADING \x1b[31m\t{}", "x".repeat(10_000)));
        assert!(text.len() < 400 && !text.chars().any(char::is_control), "{text:?}");
    }
}
