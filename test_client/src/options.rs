//! The probe's command line.

use clap::Parser;
use std::path::PathBuf;
use url::Url;

const EXIT_CODES: &str = "\
Password: the argument (everybody on this machine can read it in the process list), else
--password-file, else the environment variable NEXTCLOUD_PASSWORD, else it is asked for.

Exit codes:
   0  ended as asked: so many messages have come (--once, --count), or Ctrl-C
   1  the probe itself is in trouble: a file can't be read, the output is closed
   2  wrong options
   3  Nextcloud can't be reached, or what answers there is not Nextcloud
   4  Nextcloud does not offer push: the app is missing or not set up
   5  wrong user name or password
   6  the push endpoint can't be reached, or a proxy lets no WebSocket through
   7  TLS: the certificate is not trusted
   8  try again later: maintenance, too many failed logins, no back end that could decide
   9  the connection ended (with --no-reconnect)
  10  not so many messages within --timeout";

/// Listens to a Nextcloud's push messages as a client would, and explains what stands in the way.
#[derive(Parser)]
#[command(version, after_help = EXIT_CODES)]
pub struct Options {
    /// Nextcloud's address (`https://cloud.example.com`), or that of the push endpoint itself
    /// (`wss://cloud.example.com/push/ws`)
    #[arg(value_parser = target)]
    pub url: Target,
    /// The login name
    pub user: String,
    /// The password, best an app password; `-` reads one line from standard input
    pub password: Option<String>,
    /// The password is the first line of this file
    #[arg(long, value_name = "FILE", conflicts_with = "password")]
    pub password_file: Option<PathBuf>,
    /// Ask Nextcloud for a one-time ticket and log in with that, as web clients do
    #[arg(long)]
    pub pre_auth: bool,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
    /// End after the first message
    #[arg(long, conflicts_with = "count")]
    pub once: bool,
    /// End after so many messages
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// End after so many seconds, however many messages have come
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<u64>,
    /// End when the connection does
    #[arg(long)]
    pub no_reconnect: bool,
    /// Do not ask for the ids of changed files
    #[arg(long)]
    pub no_listen_ids: bool,
    /// Take any certificate
    #[arg(long)]
    pub insecure: bool,
    /// Trust this CA, or this self-signed certificate, besides the system's (PEM)
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    pub ca: Option<PathBuf>,
}

/// Where to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Nextcloud, which knows where push is. Ends with a slash.
    Nextcloud(Url),
    /// Push itself.
    Push(Url),
}

impl Options {
    /// How many messages to wait for.
    pub fn wanted(&self) -> Option<u64> {
        if self.once { Some(1) } else { self.count }
    }
}

/// Without a scheme it is `https://`; `index.php` and what follows is left out.
fn target(text: &str) -> Result<Target, String> {
    let text = match text.contains("://") {
        true => text.to_owned(),
        false => format!("https://{text}"),
    };
    let mut url = Url::parse(&text).map_err(|error| error.to_string())?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("user name and password are arguments of their own".to_owned());
    }
    match url.scheme() {
        "ws" | "wss" => Ok(Target::Push(url)),
        "http" | "https" => {
            let path = url.path().split("/index.php").next().unwrap_or_default();
            let path = format!("{}/", path.trim_end_matches('/'));
            url.set_path(&path);
            url.set_query(None);
            url.set_fragment(None);
            Ok(Target::Nextcloud(url))
        }
        other => Err(format!("{other}:// is neither http(s):// nor ws(s)://")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Options, Target, target};
    use clap::{CommandFactory, Parser};

    fn nextcloud(text: &str) -> String {
        match target(text).unwrap() {
            Target::Nextcloud(url) => url.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_options_fit_together() {
        Options::command().debug_assert();
        let options = Options::parse_from(["test_client", "cloud", "bob", "--once"]);
        assert_eq!(options.wanted(), Some(1));
    }

    #[test]
    fn what_people_copy_from_a_browser_is_a_nextcloud() {
        assert_eq!(nextcloud("cloud.example.com"), "https://cloud.example.com/");
        assert_eq!(nextcloud("https://a.b/nc/index.php/apps/files/?x=1"), "https://a.b/nc/");
        assert_eq!(nextcloud("http://localhost:8080/nc"), "http://localhost:8080/nc/");
    }

    #[test]
    fn a_websocket_address_is_taken_as_it_is() {
        let url = "wss://a.b/push/ws";
        assert_eq!(target(url), Ok(Target::Push(url.parse().unwrap())));
        assert!(target("ftp://a.b").is_err());
        assert!(target("https://bob:secret@a.b").is_err());
    }

    #[test]
    fn each_exit_code_is_explained() {
        let help = Options::command().render_help().to_string();
        for code in 0..=10 {
            assert!(help.contains(&format!("\n  {code:>2}  ")), "{code} is not in:\n{help}");
        }
    }
}
