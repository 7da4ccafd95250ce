//! Why Nextcloud gave no answer, with the remedy for the operator.

/// Why there is no answer. The texts hold no address, so that the self-test can show them; the log
/// adds the base URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NextcloudError {
    /// The daemon's own settings are unusable.
    #[error("can't talk to Nextcloud: {0}")]
    Setup(String),
    /// No connection can be made.
    #[error(
        "can't connect to Nextcloud ({0}): is its web server running, is NEXTCLOUD_URL right, and \
         can this host reach it?"
    )]
    Unreachable(String),
    /// Nextcloud's certificate isn't trusted.
    #[error(
        "Nextcloud's certificate is not trusted ({0}): give its CA file, or set ALLOW_SELF_SIGNED=true"
    )]
    Certificate(String),
    /// The answer takes too long.
    #[error("Nextcloud does not answer in time: it is overloaded or hangs")]
    Late,
    /// The connection broke within the answer.
    #[error("the connection to Nextcloud broke before the answer was complete ({0})")]
    Broken(String),
    /// Status 3xx: a redirect.
    #[error("Nextcloud answers with a redirect to {to}: set NEXTCLOUD_URL to where it leads")]
    Redirect {
        /// The target without its query.
        to: String,
    },
    /// Status 400: an untrusted domain.
    #[error(
        "Nextcloud refuses the host name (400): add the host of NEXTCLOUD_URL to trusted_domains \
         in config.php, or set NEXTCLOUD_URL to one that is in it"
    )]
    Untrusted,
    /// Status 403: forbidden.
    #[error(
        "Nextcloud, or something in front of it, forbids the request (403): let this host through"
    )]
    Forbidden,
    /// Status 404: the app is missing.
    #[error(
        "Nextcloud does not know the address (404): is the app Client Push (notify_push) enabled, \
         and is NEXTCLOUD_URL right, sub-directory included?"
    )]
    NoApp,
    /// Status 429: the client's address is throttled.
    #[error(
        "Nextcloud throttles logins from a client's address (429) after too many failures; if \
         this affects all clients, add this host's address to trusted_proxies in config.php"
    )]
    Throttled,
    /// Status 503: maintenance or overload.
    #[error("Nextcloud is in maintenance mode or overloaded (503)")]
    Maintenance,
    /// Any other status.
    #[error("Nextcloud, or the proxy in front of it, fails with status {0}: look into its log")]
    Status(u16),
    /// A web page, an empty body or anything else instead of an answer.
    #[error("what answers is not Nextcloud's Client Push app: is NEXTCLOUD_URL right?")]
    Nonsense,
    /// The answer is longer than any real one.
    #[error("the answer is too long to be Nextcloud's: is NEXTCLOUD_URL right?")]
    TooLong,
    /// Too many requests of the daemon are running.
    #[error("too many requests to Nextcloud are under way: try again")]
    Busy,
}

impl NextcloudError {
    /// The variant, so that each kind of error is logged on its own.
    pub(super) fn kind(&self) -> std::mem::Discriminant<Self> {
        std::mem::discriminant(self)
    }
}
