//! `NEXTCLOUD_URL`: the base that paths are joined to.

use url::{Host, Url};

/// Reads the URL of a Nextcloud; fails with what was expected. The result ends with a slash and has
/// no query.
pub fn nextcloud_url(text: &str) -> Result<Url, String> {
    const EXPECTED: &str = "expected a URL such as https://cloud.example.org or \
                            https://example.org/nextcloud";
    let mut url = Url::parse(text.trim()).map_err(|_| EXPECTED)?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(EXPECTED.into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("expected a URL without user name and password".into());
    }
    url.set_query(None);
    url.set_fragment(None);
    let path = url.path().trim_end_matches('/').trim_end_matches("/index.php").to_owned();
    url.set_path(&format!("{path}/"));
    Ok(url)
}

/// The URL that a bare host name stands for: `http` only where nothing leaves the machine.
pub fn guessed_scheme(host: &str) -> &'static str {
    let local = match Host::parse(host) {
        Ok(Host::Domain(name)) => name == "localhost",
        Ok(Host::Ipv4(address)) => address.is_loopback(),
        Ok(Host::Ipv6(address)) => address.is_loopback(),
        Err(_) => false,
    };
    if local { "http" } else { "https" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_can_be_joined_to_it() {
        for (text, joined) in [
            ("https://c.example", "https://c.example/index.php"),
            ("https://c.example/nc", "https://c.example/nc/index.php"),
            ("http://127.0.0.1:8080/nc//?x#y", "http://127.0.0.1:8080/nc/index.php"),
            ("https://c.example/nc/index.php/", "https://c.example/nc/index.php"),
        ] {
            let url = nextcloud_url(text).unwrap();
            assert_eq!(url.join("index.php").unwrap().as_str(), joined);
        }
    }

    #[test]
    fn only_a_plain_http_url_will_do() {
        for text in ["cloud.example.org", "ftp://x", "https://", "https://u:hunter2@x", ""] {
            let error = nextcloud_url(text).unwrap_err();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_bare_name_is_asked_in_clear_only_on_this_machine() {
        assert_eq!(guessed_scheme("127.0.0.1"), "http");
        assert_eq!(guessed_scheme("[::1]"), "http");
        assert_eq!(guessed_scheme("localhost"), "http");
        assert_eq!(guessed_scheme("cloud.example.org"), "https");
    }
}
