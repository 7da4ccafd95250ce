//! What can stand in the way: each with its cause, its remedy and its exit code.

use std::{io, path::PathBuf};
use url::Url;

/// Why the probe ends, or connects again.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Something of the probe's own.
    #[error("the system refuses: {0}")]
    Io(#[source] io::Error),
    /// See [`crate::password`].
    #[error("the password file {0:?} can't be read: {1}")]
    PasswordFile(PathBuf, #[source] io::Error),
    /// None was given.
    #[error("there is no password")]
    NoPassword,
    /// A CA file that can't be used.
    #[error("the CA file {0:?} can't be used: {1}")]
    Ca(PathBuf, String),
    /// Two options that don't go together.
    #[error("--pre-auth needs Nextcloud's address, not that of the push endpoint")]
    NothingToAsk,

    /// No connection to Nextcloud.
    #[error("Nextcloud can't be reached at {0}: {1}")]
    NoNextcloud(String, String),
    /// 3xx.
    #[error("{0} redirects to {1}")]
    Redirect(String, String),
    /// Anything but what was asked for.
    #[error("what answers at {0} is not Nextcloud: {1}")]
    NotNextcloud(String, String),
    /// 400.
    #[error("Nextcloud refuses the host name of {0}")]
    UntrustedDomain(String),

    /// Nothing about push in the capabilities.
    #[error("Nextcloud does not offer push: notify_push is not in its capabilities")]
    NoApp,
    /// Something about push that is of no use.
    #[error("Nextcloud offers push in a way that can't be used: {0}")]
    NoEndpoint(String),

    /// 401, or `err: Invalid credentials`.
    #[error("{0} does not accept this user name and password")]
    Credentials(&'static str),

    /// No connection to the endpoint.
    #[error("the push endpoint {0} can't be reached: {1}")]
    NoPush(Url, String),
    /// An HTTP answer where a WebSocket should begin.
    #[error("{0} answers with HTTP status {1} instead of a WebSocket")]
    Upgrade(Url, u16),
    /// Something else.
    #[error("{0} does not speak WebSocket: {1}")]
    NotWebSocket(Url, String),

    /// The certificate.
    #[error("the certificate of {0} is not trusted: {1}")]
    Certificate(String, String),
    /// No TLS at all, or none that both know.
    #[error("no TLS connection to {0}: {1}")]
    Tls(String, String),

    /// 503.
    #[error("Nextcloud is in maintenance mode or overloaded")]
    Maintenance,
    /// 429.
    #[error("Nextcloud refuses logins from this address for a while, after too many failures")]
    Throttled,
    /// Any other `err:`.
    #[error("the daemon can't let anybody in now: {0:?}")]
    Later(String),
    /// Any other status.
    #[error("{0} fails with HTTP status {1}")]
    Status(String, u16),

    /// The connection is over.
    #[error("the connection ended: {0}")]
    Lost(String),
    /// Time is over.
    #[error("not enough messages within {0} s: {1} of {2}")]
    TooFew(u64, u64, u64),
}

impl Failure {
    /// The process's exit code, as `--help` lists them.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Io(_) | Self::PasswordFile(..) | Self::NoPassword | Self::Ca(..) => 1,
            Self::NothingToAsk => 2,
            Self::NoNextcloud(..)
            | Self::Redirect(..)
            | Self::NotNextcloud(..)
            | Self::UntrustedDomain(_) => 3,
            Self::NoApp | Self::NoEndpoint(_) => 4,
            Self::Credentials(_) => 5,
            Self::NoPush(..) | Self::Upgrade(..) | Self::NotWebSocket(..) => 6,
            Self::Certificate(..) | Self::Tls(..) => 7,
            Self::Maintenance | Self::Throttled | Self::Later(_) | Self::Status(..) => 8,
            Self::Lost(_) => 9,
            Self::TooFew(..) => 10,
        }
    }

    /// Whether it may be gone by itself after a while, once it has worked.
    pub fn is_transient(&self) -> bool {
        !matches!(self.exit_code(), 1..=2 | 5 | 10)
    }

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Io(_) => "see what the system says",
            Self::PasswordFile(..) => "give a file that this user may read",
            Self::NoPassword => {
                "give it as `-` on standard input, with --password-file, or in NEXTCLOUD_PASSWORD"
            }
            Self::Ca(..) => "give a PEM file with at least one certificate",
            Self::NothingToAsk => "give Nextcloud's http(s):// address",
            Self::NoNextcloud(..) => "is the address right, and is the web server running?",
            Self::Redirect(..) => "give the address it redirects to",
            Self::NotNextcloud(..) => {
                "give the address where Nextcloud's login page is, sub-directory included"
            }
            Self::UntrustedDomain(_) => {
                "add the host to trusted_domains in config.php, or give one that is in it"
            }
            Self::NoApp => {
                "install the app Client Push: `occ app:enable notify_push`, then `occ \
                 notify_push:setup https://…/push`"
            }
            Self::NoEndpoint(_) => "run `occ notify_push:setup https://…/push` again",
            Self::Credentials(_) => {
                "use an app password (Settings > Security > Devices & sessions); with two-factor \
                 authentication no other one will do"
            }
            Self::NoPush(..) => "is the proxy or the daemon there running, and is the port open?",
            Self::Upgrade(_, status) => upgrade(*status),
            Self::NotWebSocket(..) => {
                "is this the daemon's port, or a proxy that leads to it, and is it TLS (wss) or \
                 not (ws)?"
            }
            Self::Certificate(..) => {
                "give its CA with --ca, or take any certificate with --insecure; clients will not \
                 connect before the certificate is right"
            }
            Self::Tls(..) => "is it TLS that is spoken there (https, wss), or not (http, ws)?",
            Self::Maintenance => "wait; `occ maintenance:mode --off` when it should be over",
            Self::Throttled => {
                "wait up to 30 minutes, or `occ security:bruteforce:reset <address>`; if this hits \
                 everybody, trusted_proxies in config.php lacks the proxy"
            }
            Self::Later(_) => "look into the daemon's log: its database or Nextcloud is away",
            Self::Status(..) => "look into its log",
            Self::Lost(_) => "look into the log of the daemon and of the proxy in front of it",
            Self::TooFew(..) => "does anything change? Touch a file of this user's",
        }
    }
}

/// What a status says about the way to the daemon.
fn upgrade(status: u16) -> &'static str {
    match status {
        200 | 204 => {
            "the address leads to a web page, not to the daemon: the proxy needs a rule for \
             /push/ that comes before Nextcloud's own"
        }
        301 | 302 | 303 | 307 | 308 => {
            "WebSocket clients follow no redirects: set the endpoint up with the address it leads \
             to, mostly https:// (wss://) instead of http:// (ws://)"
        }
        400 | 405 | 426 => {
            "the proxy swallows the upgrade: it must speak HTTP/1.1 to the daemon and pass on the \
             headers Upgrade and Connection (nginx: proxy_http_version 1.1 and proxy_set_header; \
             Apache: proxy_wstunnel)"
        }
        401 | 403 => "something in front of the daemon wants a login of its own, or forbids it",
        404 => {
            "no such path: the daemon's is /ws and /push/ws, and the proxy needs a rule for /push/"
        }
        429 | 503 => "too many connections, or the daemon is starting or ending: try again later",
        500..=599 => "the proxy does not reach the daemon: does it run, on the port of the rule?",
        _ => "look into the proxy's log",
    }
}

#[cfg(test)]
mod tests {
    use super::Failure;

    #[test]
    fn only_what_may_pass_is_tried_again() {
        assert!(Failure::Lost("x".to_owned()).is_transient());
        assert!(Failure::Maintenance.is_transient());
        assert!(Failure::Upgrade("ws://a".parse().unwrap(), 502).is_transient());
        assert!(!Failure::Credentials("the daemon").is_transient());
        assert!(!Failure::TooFew(1, 2, 3).is_transient());
    }
}
