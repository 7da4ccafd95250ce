//! What the query of a request says.

use url::form_urlencoded;

/// The value of a parameter that is there exactly once and isn't empty.
pub fn single(query: &str, name: &str) -> Option<String> {
    let mut values = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
    let (_, value) = values.next()?;
    (values.next().is_none() && !value.is_empty()).then(|| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::single;

    #[test]
    fn only_what_is_said_once_counts() {
        let read = |query| single(query, "connectionId");
        assert_eq!(read("connectionId=c%201&x=1").as_deref(), Some("c 1"));
        for query in ["", "connectionId", "connectionId=", "connectionid=c", "connectionId[]=c"] {
            assert_eq!(read(query), None, "{query}");
        }
        assert_eq!(read("connectionId=a&connectionId=b"), None);
    }
}
