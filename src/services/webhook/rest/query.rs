//! Query parameters of the REST API.

use url::form_urlencoded;

/// The value of a parameter that is present exactly once and not empty.
pub fn single(query: &str, name: &str) -> Option<String> {
    let mut values = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
    let (_, value) = values.next()?;
    (values.next().is_none() && !value.is_empty()).then(|| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::single;

    #[test]
    fn only_a_parameter_given_once_counts() {
        let read = |query| single(query, "connectionId");
        assert_eq!(read("connectionId=c%201&x=1").as_deref(), Some("c 1"));
        for query in ["", "connectionId", "connectionId=", "connectionid=c", "connectionId[]=c"] {
            assert_eq!(read(query), None, "{query}");
        }
        assert_eq!(read("connectionId=a&connectionId=b"), None);
    }
}
