//! What a cluster node says of its cluster: whether it is part of it, and who else is.

use super::{Address, resp::Value, wire::Wire};
use std::str::from_utf8;

/// Whether the node has lost the rest of its cluster: it accepts subscribers and hears nothing.
/// A node that won't tell (ACL, no cluster) counts as fine.
pub(super) async fn is_cut_off(wire: &mut Wire) -> bool {
    match wire.ask(&[b"CLUSTER", b"INFO"]).await {
        Ok(info) => says_failed(&info),
        Err(_) => true,
    }
}

fn says_failed(info: &Value) -> bool {
    const FAILED: &[u8] = b"cluster_state:fail";
    info.text().is_some_and(|text| text.windows(FAILED.len()).any(|part| part == FAILED))
}

/// The cluster's nodes as this one announces them; none if it won't tell.
pub(super) async fn nodes(wire: &mut Wire) -> Vec<Address> {
    let slots = wire.ask(&[b"CLUSTER", b"SLOTS"]).await;
    slots.map(|slots| announced(&slots, &wire.at)).unwrap_or_default()
}

/// `[[start, end, [host, port, id, …], …], …]`; a nil or empty host means the one we asked.
fn announced(slots: &Value, asked: &Address) -> Vec<Address> {
    let mut found = Vec::new();
    for node in slots.elements().iter().flat_map(|range| range.elements().iter().skip(2)) {
        let [host, Value::Integer(port), ..] = node.elements() else { continue };
        let Ok(port) = u16::try_from(*port) else { continue };
        let host = host.text().and_then(|host| from_utf8(host).ok()).unwrap_or_default();
        let node = elsewhere(host, port, asked);
        if !found.contains(&node) {
            found.push(node);
        }
    }
    found
}

/// Where a node tells us to go; without a host it means its own.
pub(super) fn elsewhere(host: &str, port: u16, asked: &Address) -> Address {
    match (host, asked) {
        ("" | "?", Address::Tcp(host, _)) => Address::Tcp(host.clone(), port),
        ("" | "?", Address::Unix(_)) => Address::Tcp("127.0.0.1".to_owned(), port),
        (host, _) => Address::Tcp(host.to_owned(), port),
    }
}

/// An answer that sends us to another node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Redirect {
    /// From now on this key is there: `MOVED 3999 127.0.0.1:6381`.
    Moved(Address),
    /// For this once: `ASK 3999 127.0.0.1:6381`.
    Ask(Address),
}

impl Redirect {
    /// Reads an error answer of `asked`.
    pub(super) fn parse(error: &[u8], asked: &Address) -> Option<Self> {
        let mut words = from_utf8(error).ok()?.split(' ');
        let (kind, _slot, place) = (words.next()?, words.next()?, words.next()?);
        let (host, port) = place.rsplit_once(':')?;
        let at = elsewhere(host, port.parse().ok()?, asked);
        match kind {
            "MOVED" => Some(Self::Moved(at)),
            "ASK" => Some(Self::Ask(at)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, Redirect, Value, announced, says_failed};
    use bytes::Bytes;

    fn tcp(host: &str, port: u16) -> Address {
        Address::Tcp(host.to_owned(), port)
    }

    fn bulk(text: &'static str) -> Value {
        Value::Bulk(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn redirections_are_read() {
        let asked = tcp("seed", 6379);
        let read = |text: &str| Redirect::parse(text.as_bytes(), &asked);
        assert_eq!(
            read("MOVED 3999 127.0.0.1:6381"),
            Some(Redirect::Moved(tcp("127.0.0.1", 6381)))
        );
        assert_eq!(read("ASK 1 2001:db8::1:6381"), Some(Redirect::Ask(tcp("2001:db8::1", 6381))));
        assert_eq!(read("MOVED 3999 :6381"), Some(Redirect::Moved(tcp("seed", 6381))));
        for other in ["MOVED", "MOVED 1 host", "ERR no 1:2", "MOVED 1 host:99999"] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn every_announced_node_is_learned_once() {
        let node = |host, port| Value::Array(vec![host, Value::Integer(port), bulk("id")]);
        let range = |nodes: Vec<Value>| {
            Value::Array([vec![Value::Integer(0), Value::Integer(9)], nodes].concat())
        };
        let slots = Value::Array(vec![
            range(vec![node(bulk("a"), 1), node(bulk("b"), 2)]),
            range(vec![node(bulk("a"), 1), node(Value::Nil, 3), node(bulk("c"), 70_000)]),
            Value::Nil,
        ]);
        let learned = announced(&slots, &tcp("asked", 9));
        assert_eq!(learned, [tcp("a", 1), tcp("b", 2), tcp("asked", 3)]);
    }

    #[test]
    fn only_a_failed_state_means_cut_off() {
        assert!(says_failed(&bulk("cluster_enabled:1\r\ncluster_state:fail\r\n")));
        assert!(!says_failed(&bulk("cluster_state:ok\r\ncluster_slots_fail:0\r\n")));
        assert!(!says_failed(&Value::Error(Bytes::from_static(b"NOPERM"))));
    }
}
