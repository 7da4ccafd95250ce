//! What an HTTP answer of Nextcloud means.

use super::trouble::Trouble;
use crate::push::recipient::Recipient;

/// The longest user id that is believed, in bytes; Nextcloud's column holds 64 characters.
pub(super) const MAX_UID: usize = 1024;

/// How much of a redirect's target is shown.
const MAX_SHOWN: usize = 200;

/// An answer as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) location: Option<String>,
    /// The `Date` header as it came.
    pub(super) date: Option<String>,
    pub(super) body: Vec<u8>,
}

/// The body of a good answer as text, without surrounding white space.
///
/// # Errors
/// The [`Trouble`] that the status or the body stands for. 401 is [`Trouble::Status`] here: only
/// [`uid`] knows what it means.
pub(super) fn text(reply: &Reply) -> Result<&str, Trouble> {
    match reply.status {
        200 => (),
        300..=399 => return Err(Trouble::Redirect { to: shown(reply.location.as_deref()) }),
        400 => return Err(Trouble::Untrusted),
        403 => return Err(Trouble::Forbidden),
        404 => return Err(Trouble::NoApp),
        429 => return Err(Trouble::Throttled),
        503 => return Err(Trouble::Maintenance),
        other => return Err(Trouble::Status(other)),
    }
    let text = std::str::from_utf8(&reply.body).map_err(|_| Trouble::Nonsense)?.trim();
    // A web page: a log-in form, a router's start page, an installer.
    if text.starts_with('<') { Err(Trouble::Nonsense) } else { Ok(text) }
}

/// Who the credentials belong to, by the answer to `/uid`; `None` means that they are wrong.
/// `specs/nextcloud.md` section 6.
///
/// # Errors
/// See [`text`]; none of them says that the credentials are wrong.
pub(super) fn uid(reply: &Reply) -> Result<Option<Recipient>, Trouble> {
    if reply.status == 401 {
        return Ok(None);
    }
    let uid = text(reply)?;
    let sane = !uid.is_empty() && uid.len() <= MAX_UID && !uid.chars().any(char::is_control);
    if sane { Ok(Some(uid.into())) } else { Err(Trouble::Nonsense) }
}

fn shown(location: Option<&str>) -> String {
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
    use super::{Reply, Trouble, shown, uid};

    fn reply(status: u16, body: &str) -> Reply {
        Reply { status, location: None, date: None, body: body.into() }
    }

    #[test]
    fn the_body_is_the_canonical_id() {
        for body in ["alice", " alice\n", "alice@example.com", "Ämilie Groß", "0"] {
            let found = uid(&reply(200, body)).unwrap().unwrap();
            assert_eq!(&*found, body.trim());
        }
    }

    #[test]
    fn only_401_means_no_whatever_its_body() {
        for body in ["", "Account disabled", r#"{"message":"Current user is not logged in"}"#] {
            assert_eq!(uid(&reply(401, body)), Ok(None));
        }
    }

    #[test]
    fn everything_else_says_nothing_about_the_credentials() {
        for (status, trouble) in [
            (400, Trouble::Untrusted),
            (403, Trouble::Forbidden),
            (404, Trouble::NoApp),
            (429, Trouble::Throttled),
            (500, Trouble::Status(500)),
            (502, Trouble::Status(502)),
            (503, Trouble::Maintenance),
            (204, Trouble::Status(204)),
            (302, Trouble::Redirect { to: "nowhere".into() }),
        ] {
            assert_eq!(uid(&reply(status, "alice")), Err(trouble), "{status}");
        }
    }

    #[test]
    fn what_is_no_user_id_is_not_taken_for_one() {
        let long = "a".repeat(1025);
        for body in ["", "  ", "<!DOCTYPE html><html></html>", "a\nb", "a\0b", long.as_str()] {
            assert_eq!(uid(&reply(200, body)), Err(Trouble::Nonsense), "{body:?}");
        }
        let latin1 = Reply { status: 200, location: None, date: None, body: b"J\xfcrgen".into() };
        assert_eq!(uid(&latin1), Err(Trouble::Nonsense));
    }

    #[test]
    fn a_redirect_shows_where_it_leads_but_no_secret() {
        for (location, text) in [
            ("https://cloud.example.com/index.php", "https://cloud.example.com/index.php"),
            ("https://u:p@cloud.example.com/x?token=1#y", "https://cloud.example.com/x"),
            ("https://u:p@w@cloud.example.com", "https://cloud.example.com"),
            ("/login?user=alice", "/login"),
            ("/a\r\nb", "/ab"),
        ] {
            assert_eq!(shown(Some(location)), text);
        }
        assert_eq!(shown(Some(&"x".repeat(1000))).len(), 200);
    }
}
