//! Form bodies with nested keys, as the original's parser (`qs`) reads them:
//! `message[title]=hi&message[tags][]=a`.

use super::message_value::MessageValue;
use indexmap::IndexMap;
use serde::{Serialize, Serializer};

/// Maximum levels of brackets; deeper ones stay part of the key (`qs`: `depth`).
const MAX_DEPTH: usize = 5;
/// Maximum parameters of a body (`qs`: `parameterLimit`).
const MAX_PARAMETERS: usize = 1000;
/// Maximum index of a list; a larger one makes the list a map (`qs`: `arrayLimit`).
const MAX_INDEX: usize = 100;

/// The body has more than [`MAX_PARAMETERS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyParameters;

/// A value under construction.
#[derive(Debug, Clone, PartialEq)]
enum FormNode {
    Text(String),
    List(Vec<FormNode>),
    Map(IndexMap<String, FormNode>),
}

/// The value of a top-level key.
pub fn value_of(body: &[u8], wanted: &str) -> Result<Option<MessageValue>, TooManyParameters> {
    let pairs = body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    if pairs.count() > MAX_PARAMETERS {
        return Err(TooManyParameters);
    }
    let mut found: Option<FormNode> = None;
    for (key, text) in url::form_urlencoded::parse(body) {
        let Some((head, path)) = split_key(&key) else { continue };
        if head == wanted {
            let whole = found.take();
            found = Some(put(whole, &path, text.into_owned()));
        }
    }
    Ok(found.map(|node| MessageValue::of(&node)))
}

/// Splits `a[b][]` into `a` and the path `b`, ``.
fn split_key(key: &str) -> Option<(&str, Vec<&str>)> {
    let at = key.find('[').unwrap_or(key.len());
    let (head, mut rest) = key.split_at(at);
    let mut path = Vec::new();
    while let Some((part, behind)) = rest.strip_prefix('[').and_then(|inner| inner.split_once(']'))
    {
        if path.len() == MAX_DEPTH {
            path.push(rest);
            return Some((head, path));
        }
        path.push(part);
        rest = behind;
    }
    // `a[b` is a plain key.
    (!head.is_empty() && (rest.is_empty() || !path.is_empty())).then_some((head, path))
}

fn put(node: Option<FormNode>, path: &[&str], text: String) -> FormNode {
    let Some((first, rest)) = path.split_first() else {
        return match node {
            None => FormNode::Text(text),
            Some(FormNode::List(mut list)) => {
                list.push(FormNode::Text(text));
                FormNode::List(list)
            }
            Some(FormNode::Map(mut map)) => {
                map.insert(text, FormNode::Text("true".to_owned()));
                FormNode::Map(map)
            }
            Some(before @ FormNode::Text(_)) => FormNode::List(vec![before, FormNode::Text(text)]),
        };
    };
    match (node, place(first)) {
        (None, Some(_)) => FormNode::List(vec![put(None, rest, text)]),
        (Some(FormNode::List(mut list)), Some(FormListPosition::Next)) => {
            list.push(put(None, rest, text));
            FormNode::List(list)
        }
        (Some(FormNode::List(mut list)), Some(FormListPosition::At(index)))
            if index <= list.len() =>
        {
            let before = (index < list.len()).then(|| list.remove(index));
            list.insert(index, put(before, rest, text));
            FormNode::List(list)
        }
        (Some(before @ FormNode::Text(_)), Some(_)) => {
            FormNode::List(vec![before, put(None, rest, text)])
        }
        (node, _) => {
            let mut map = keyed(node);
            let before = map.shift_remove(*first);
            map.insert((*first).to_owned(), put(before, rest, text));
            FormNode::Map(map)
        }
    }
}

/// Position in a list.
enum FormListPosition {
    Next,
    At(usize),
}

fn place(part: &str) -> Option<FormListPosition> {
    if part.is_empty() {
        return Some(FormListPosition::Next);
    }
    let index: usize = part.parse().ok().filter(|index: &usize| index.to_string() == part)?;
    (index <= MAX_INDEX).then_some(FormListPosition::At(index))
}

/// Converts a list whose keys aren't positions to a map.
fn keyed(node: Option<FormNode>) -> IndexMap<String, FormNode> {
    match node {
        None => IndexMap::new(),
        Some(FormNode::Map(map)) => map,
        Some(FormNode::Text(text)) => [("0".to_owned(), FormNode::Text(text))].into(),
        Some(FormNode::List(list)) => {
            list.into_iter().enumerate().map(|(index, node)| (index.to_string(), node)).collect()
        }
    }
}

impl Serialize for FormNode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(list) => serializer.collect_seq(list),
            Self::Map(map) => serializer.collect_map(map),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_PARAMETERS, TooManyParameters, value_of};

    #[test]
    fn keys_nest_as_in_the_original() {
        for (body, expected) in [
            ("message=hi", Some(r#""hi""#)),
            ("message=", Some(r#""""#)),
            ("message", Some(r#""""#)),
            ("other=1", None),
            ("message[title]=hi&message[n]=1", Some(r#"{"title":"hi","n":"1"}"#)),
            ("message%5Btitle%5D=caf%C3%A9+%E2%98%83", Some(r#"{"title":"café ☃"}"#)),
            ("message=a&message=b", Some(r#"["a","b"]"#)),
            ("message[]=a&message[]=b", Some(r#"["a","b"]"#)),
            ("message[0]=a&message[1]=b", Some(r#"["a","b"]"#)),
            ("message[0][x]=a&message[0][y]=b", Some(r#"[{"x":"a","y":"b"}]"#)),
            ("message[a][]=1&message[a][]=2", Some(r#"{"a":["1","2"]}"#)),
            ("message[5000]=a", Some(r#"{"5000":"a"}"#)),
            ("message[__proto__][x]=1", Some(r#"{"__proto__":{"x":"1"}}"#)),
            (
                "message[a][b][c][d][e][f][g]=1",
                Some(r#"{"a":{"b":{"c":{"d":{"e":{"[f][g]":"1"}}}}}}"#),
            ),
        ] {
            let value = value_of(body.as_bytes(), "message").unwrap();
            assert_eq!(value.as_ref().map(super::MessageValue::as_str), expected, "{body}");
        }
    }

    #[test]
    fn the_number_of_form_parameters_is_limited() {
        let most = vec!["a=1"; MAX_PARAMETERS].join("&");
        assert_eq!(value_of(most.as_bytes(), "message"), Ok(None));
        let more = format!("{most}&message=1");
        assert_eq!(value_of(more.as_bytes(), "message"), Err(TooManyParameters));
    }

    #[test]
    fn invalid_input_is_parsed_without_panic() {
        for body in ["[", "]", "message[", "message[a", "message]=1", "[message]=1", "=", "&&=&"] {
            assert!(value_of(body.as_bytes(), "message").is_ok(), "{body}");
        }
        assert!(value_of(b"message=%ff%zz\xff", "message").unwrap().is_some());
    }
}
