//! Form bodies with nested keys, as the original's parser (`qs`) reads them:
//! `message[title]=hi&message[tags][]=a`.

use super::value::Value;
use indexmap::IndexMap;
use serde::{Serialize, Serializer};

/// Levels of brackets that are taken apart; what is deeper stays one key (`qs`: `depth`).
const MAX_DEPTH: usize = 5;
/// Parameters in one body (`qs`: `parameterLimit`).
const MAX_PARAMETERS: usize = 1000;
/// Places of a list; a larger index makes the list a map (`qs`: `arrayLimit`).
const MAX_INDEX: usize = 100;

/// More parameters than a body may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany;

/// A value in the making.
#[derive(Debug, Clone, PartialEq)]
enum Node {
    Text(String),
    List(Vec<Node>),
    Map(IndexMap<String, Node>),
}

/// The value of a top-level key, if the body has it.
pub fn value_of(body: &[u8], wanted: &str) -> Result<Option<Value>, TooMany> {
    let pairs = body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    if pairs.count() > MAX_PARAMETERS {
        return Err(TooMany);
    }
    let mut found: Option<Node> = None;
    for (key, text) in url::form_urlencoded::parse(body) {
        let Some((head, path)) = taken_apart(&key) else { continue };
        if head == wanted {
            let whole = found.take();
            found = Some(put(whole, &path, text.into_owned()));
        }
    }
    Ok(found.map(|node| Value::of(&node)))
}

/// `a[b][]` is `a` with the path `b`, ``.
fn taken_apart(key: &str) -> Option<(&str, Vec<&str>)> {
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
    // `a[b` is a key like any other.
    (!head.is_empty() && (rest.is_empty() || !path.is_empty())).then_some((head, path))
}

fn put(node: Option<Node>, path: &[&str], text: String) -> Node {
    let Some((first, rest)) = path.split_first() else {
        return match node {
            None => Node::Text(text),
            Some(Node::List(mut list)) => {
                list.push(Node::Text(text));
                Node::List(list)
            }
            Some(Node::Map(mut map)) => {
                map.insert(text, Node::Text("true".to_owned()));
                Node::Map(map)
            }
            Some(before @ Node::Text(_)) => Node::List(vec![before, Node::Text(text)]),
        };
    };
    match (node, place(first)) {
        (None, Some(_)) => Node::List(vec![put(None, rest, text)]),
        (Some(Node::List(mut list)), Some(Place::Next)) => {
            list.push(put(None, rest, text));
            Node::List(list)
        }
        (Some(Node::List(mut list)), Some(Place::At(index))) if index <= list.len() => {
            let before = (index < list.len()).then(|| list.remove(index));
            list.insert(index, put(before, rest, text));
            Node::List(list)
        }
        (Some(before @ Node::Text(_)), Some(_)) => Node::List(vec![before, put(None, rest, text)]),
        (node, _) => {
            let mut map = keyed(node);
            let before = map.shift_remove(*first);
            map.insert((*first).to_owned(), put(before, rest, text));
            Node::Map(map)
        }
    }
}

/// Where in a list.
enum Place {
    Next,
    At(usize),
}

fn place(part: &str) -> Option<Place> {
    if part.is_empty() {
        return Some(Place::Next);
    }
    let index: usize = part.parse().ok().filter(|index: &usize| index.to_string() == part)?;
    (index <= MAX_INDEX).then_some(Place::At(index))
}

/// A list whose keys are no places any more is a map.
fn keyed(node: Option<Node>) -> IndexMap<String, Node> {
    match node {
        None => IndexMap::new(),
        Some(Node::Map(map)) => map,
        Some(Node::Text(text)) => [("0".to_owned(), Node::Text(text))].into(),
        Some(Node::List(list)) => {
            list.into_iter().enumerate().map(|(index, node)| (index.to_string(), node)).collect()
        }
    }
}

impl Serialize for Node {
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
    use super::{MAX_PARAMETERS, TooMany, value_of};

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
            assert_eq!(value.as_ref().map(super::Value::as_str), expected, "{body}");
        }
    }

    #[test]
    fn a_body_has_so_many_parameters_at_most() {
        let most = vec!["a=1"; MAX_PARAMETERS].join("&");
        assert_eq!(value_of(most.as_bytes(), "message"), Ok(None));
        let more = format!("{most}&message=1");
        assert_eq!(value_of(more.as_bytes(), "message"), Err(TooMany));
    }

    #[test]
    fn garbage_is_read_without_harm() {
        for body in ["[", "]", "message[", "message[a", "message]=1", "[message]=1", "=", "&&=&"] {
            assert!(value_of(body.as_bytes(), "message").is_ok(), "{body}");
        }
        assert!(value_of(b"message=%ff%zz\xff", "message").unwrap().is_some());
    }
}
