//! Why Nextcloud could not be asked: what the operator reads, with the remedy.

/// Why there is no answer. The texts name no address, so that they can also be shown by the
/// self-test; the log adds the base URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NextcloudError {
    /// Our own settings stand in the way.
    #[error("can't talk to Nextcloud: {0}")]
    Setup(String),
    /// No connection.
    #[error(
        "can't connect to Nextcloud ({0}): is its web server running, is NEXTCLOUD_URL right, and \
         can this host reach it?"
    )]
    Unreachable(String),
    /// The certificate isn't trusted.
    #[error(
        "Nextcloud's certificate is not trusted ({0}): give its CA file, or set ALLOW_SELF_SIGNED=true"
    )]
    Certificate(String),
    /// It takes too long.
    #[error("Nextcloud does not answer in time: it is overloaded or hangs")]
    Late,
    /// The connection broke in the middle.
    #[error("the connection to Nextcloud broke before the answer was complete ({0})")]
    Broken(String),
    /// 3xx.
    #[error("Nextcloud answers with a redirect to {to}: set NEXTCLOUD_URL to where it leads")]
    Redirect {
        /// Where to, without query.
        to: String,
    },
    /// 400.
    #[error(
        "Nextcloud refuses the host name (400): add the host of NEXTCLOUD_URL to trusted_domains \
         in config.php, or set NEXTCLOUD_URL to one that is in it"
    )]
    Untrusted,
    /// 403.
    #[error(
        "Nextcloud, or something in front of it, forbids the request (403): let this host through"
    )]
    Forbidden,
    /// 404.
    #[error(
        "Nextcloud does not know the address (404): is the app Client Push (notify_push) enabled, \
         and is NEXTCLOUD_URL right, sub-directory included?"
    )]
    NoApp,
    /// 429.
    #[error(
        "Nextcloud throttles log-ins from a client's address (429) after too many failures; if \
         this hits everybody, add this host's address to trusted_proxies in config.php"
    )]
    Throttled,
    /// 503.
    #[error("Nextcloud is in maintenance mode or overloaded (503)")]
    Maintenance,
    /// Any other status.
    #[error("Nextcloud, or the proxy in front of it, fails with status {0}: look into its log")]
    Status(u16),
    /// A web page, nothing or anything else instead of an answer.
    #[error("what answers is not Nextcloud's Client Push app: is NEXTCLOUD_URL right?")]
    Nonsense,
    /// Longer than any answer is.
    #[error("the answer is too long to be Nextcloud's: is NEXTCLOUD_URL right?")]
    TooLong,
    /// Too many of our own requests are under way.
    #[error("too many requests to Nextcloud are under way: try again")]
    Busy,
}

impl NextcloudError {
    /// The variant, so that each kind of error is logged on its own.
    pub(super) fn kind(&self) -> std::mem::Discriminant<Self> {
        std::mem::discriminant(self)
    }
}
