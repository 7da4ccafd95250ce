//! JSONP polling through script elements and forms, for browsers without cross-origin requests
//! (`specs/webhook-push.md` section 3).

use std::borrow::Cow;
use url::form_urlencoded;

/// A script that passes a payload to the client's callback.
pub fn script(callback: u64, payload: &str) -> String {
    let literal = serde_json::to_string(payload).unwrap_or_default();
    // Line terminators in JavaScript before ECMAScript 2019, but not in JSON.
    let literal = literal.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
    format!("___eio[{callback}]({literal});")
}

/// The payload of a form. Forms change line feeds, so the client writes `\n` for one and `\\n` for
/// a literal `\n`.
pub fn payload(form: &[u8]) -> Option<String> {
    let mut fields = form_urlencoded::parse(form);
    let (_, data) = fields.find(|(name, _)| name == "d")?;
    Some(unescaped(&data))
}

fn unescaped(data: &str) -> String {
    let mut text = String::with_capacity(data.len());
    let mut rest = data;
    while let Some(at) = rest.find("\\") {
        let (before, from) = rest.split_at(at);
        text.push_str(before);
        let (read, meant) = if from.starts_with("\\\\n") {
            (3, "\\n")
        } else if from.starts_with("\\n") {
            (2, "\n")
        } else {
            (1, "\\")
        };
        text.push_str(meant);
        rest = &from[read..];
    }
    text.push_str(rest);
    text
}

/// The body as text; the form's payload if `form` is set.
pub fn text(body: &[u8], form: bool) -> Option<Cow<'_, str>> {
    if form {
        return payload(body).map(Cow::Owned);
    }
    std::str::from_utf8(body).ok().map(Cow::Borrowed)
}

#[cfg(test)]
mod tests {
    use super::{payload, script};

    #[test]
    fn a_script_holds_the_payload_as_a_literal() {
        let hostile = "2:4\"\n</script>\u{2028}";
        assert_eq!(script(3, hostile), "___eio[3](\"2:4\\\"\\n</script>\\u2028\");");
    }

    #[test]
    fn a_form_is_read_with_its_line_feeds() {
        assert_eq!(payload(b"x=1&d=1%3A2").as_deref(), Some("1:2"));
        assert_eq!(payload(br"d=a\nb\\nc\d\\").as_deref(), Some("a\nb\\nc\\d\\\\"));
        assert_eq!(payload(b"e=1"), None);
    }
}
