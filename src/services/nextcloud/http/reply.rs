//! The meaning of Nextcloud's HTTP answers.

use super::error::NextcloudError;
use crate::push::recipient::Recipient;

/// The longest accepted user id, in bytes; Nextcloud's column holds 64 characters.
pub(super) const MAX_UID: usize = 1024;

/// How many characters of a redirect's target are shown.
const MAX_SHOWN: usize = 200;

/// An HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NextcloudReply {
    pub(super) status: u16,
    pub(super) location: Option<String>,
    /// The header `Date`.
    pub(super) date: Option<String>,
    pub(super) body: Vec<u8>,
}

/// The body of a successful answer as text, without surrounding white space.
///
/// # Errors
/// The [`NextcloudError`] for the status or the body. 401 is [`NextcloudError::Status`]; only [`uid`]
/// gives it a meaning.
pub(super) fn text(reply: &NextcloudReply) -> Result<&str, NextcloudError> {
    match reply.status {
        200 => (),
        300..=399 => {
            return Err(NextcloudError::Redirect {
                to: redacted_target(reply.location.as_deref()),
            });
        }
        400 => return Err(NextcloudError::Untrusted),
        403 => return Err(NextcloudError::Forbidden),
        404 => return Err(NextcloudError::NoApp),
        429 => return Err(NextcloudError::Throttled),
        503 => return Err(NextcloudError::Maintenance),
        other => return Err(NextcloudError::Status(other)),
    }
    let text = std::str::from_utf8(&reply.body).map_err(|_| NextcloudError::Nonsense)?.trim();
    // A web page: a login form, a router's start page, an installer.
    if text.starts_with('<') { Err(NextcloudError::Nonsense) } else { Ok(text) }
}

/// The user of the credentials, by the answer to `/uid`; `None` means that they are wrong.
/// `specs/nextcloud.md` section 6.
///
/// # Errors
/// The same as for [`text`]; none means that the credentials are wrong.
pub(super) fn uid(reply: &NextcloudReply) -> Result<Option<Recipient>, NextcloudError> {
    if reply.status == 401 {
        return Ok(None);
    }
    let uid = text(reply)?;
    let sane = !uid.is_empty() && uid.len() <= MAX_UID && !uid.chars().any(char::is_control);
    if sane { Ok(Some(uid.into())) } else { Err(NextcloudError::Nonsense) }
}

fn redacted_target(location: Option<&str>) -> String {
    let Some(location) = location else { return "nowhere".to_owned() };
    let path = location.split(['?', '#']).next().unwrap_or_default();
    // `https://user:password@host/`: nothing before the last @ of the authority is shown.
    let (scheme, rest) = path.split_once("://").map_or(("", path), |(s, rest)| (s, rest));
    let (authority, tail) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    let parting = if scheme.is_empty() { "" } else { "://" };
    let whole = format!("{scheme}{parting}{host}{tail}");
    whole.chars().filter(|c| !c.is_control()).take(MAX_SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::{NextcloudError, NextcloudReply, redacted_target, uid};

    fn reply(status: u16, body: &str) -> NextcloudReply {
        NextcloudReply { status, location: None, date: None, body: body.into() }
    }

    #[test]
    fn the_body_is_the_canonical_id() {
        for body in ["alice", " alice\n", "alice@example.com", "Ämilie Groß", "0"] {
            let found = uid(&reply(200, body)).unwrap().unwrap();
            assert_eq!(&*found, body.trim());
        }
    }

    #[test]
    fn only_status_401_means_wrong_credentials() {
        for body in ["", "Account disabled", r#"{"message":"Current user is not logged in"}"#] {
            assert_eq!(uid(&reply(401, body)), Ok(None));
        }
    }

    #[test]
    fn other_errors_mean_nothing_for_the_credentials() {
        for (status, trouble) in [
            (400, NextcloudError::Untrusted),
            (403, NextcloudError::Forbidden),
            (404, NextcloudError::NoApp),
            (429, NextcloudError::Throttled),
            (500, NextcloudError::Status(500)),
            (502, NextcloudError::Status(502)),
            (503, NextcloudError::Maintenance),
            (204, NextcloudError::Status(204)),
            (302, NextcloudError::Redirect { to: "nowhere".into() }),
        ] {
            assert_eq!(uid(&reply(status, "alice")), Err(trouble), "{status}");
        }
    }

    #[test]
    fn a_body_that_is_no_user_id_is_refused() {
        let long = "a".repeat(1025);
        for body in ["", "  ", "<!DOCTYPE html><html></html>", "a\nb", "a\0b", long.as_str()] {
            assert_eq!(uid(&reply(200, body)), Err(NextcloudError::Nonsense), "{body:?}");
        }
        let latin1 =
            NextcloudReply { status: 200, location: None, date: None, body: b"J\xfcrgen".into() };
        assert_eq!(uid(&latin1), Err(NextcloudError::Nonsense));
    }

    #[test]
    fn a_redirect_shows_its_target_without_secrets() {
        for (location, text) in [
            ("https://cloud.example.com/index.php", "https://cloud.example.com/index.php"),
            ("https://u:p@cloud.example.com/x?token=1#y", "https://cloud.example.com/x"),
            ("https://u:p@w@cloud.example.com", "https://cloud.example.com"),
            ("/login?user=alice", "/login"),
            ("/a\r\nb", "/ab"),
        ] {
            assert_eq!(redacted_target(Some(location)), text);
        }
        assert_eq!(redacted_target(Some(&"x".repeat(1000))).len(), 200);
    }
}
