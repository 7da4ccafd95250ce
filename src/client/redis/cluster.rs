//! Reads the state of a Redis Cluster from one of its nodes.

use super::{RedisAddress, connection::RedisConnection};
use redis::{ErrorKind, RedisError, ServerError, ServerErrorKind, Value, from_redis_value_ref};

/// Whether the node has lost the rest of its cluster: it still accepts subscribers but receives
/// nothing. A node that refuses to answer (ACL, no cluster) counts as healthy.
pub(super) async fn is_partitioned(connection: &mut RedisConnection) -> bool {
    match connection.ask(&[b"CLUSTER", b"INFO"]).await {
        Ok(info) => reports_failed_state(&info),
        Err(_) => true,
    }
}

fn reports_failed_state(info: &Value) -> bool {
    from_redis_value_ref::<String>(info).is_ok_and(|info| info.contains("cluster_state:fail"))
}

/// The nodes that this one announces; empty if it refuses to answer.
pub(super) async fn nodes(connection: &mut RedisConnection) -> Vec<RedisAddress> {
    let slots = connection.ask(&[b"CLUSTER", b"SLOTS"]).await;
    slots.map(|slots| announced(&slots, &connection.at)).unwrap_or_default()
}

/// `[[start, end, [host, port, id, …], …], …]`; a nil or empty host means the node that replied.
fn announced(slots: &Value, asked: &RedisAddress) -> Vec<RedisAddress> {
    let mut found = Vec::new();
    let ranges = slots.as_sequence().unwrap_or_default();
    for node in ranges.iter().filter_map(Value::as_sequence).flat_map(|range| range.iter().skip(2))
    {
        let Some([host, port, ..]) = node.as_sequence() else { continue };
        // The redis crate would truncate a larger number to u16.
        let port = from_redis_value_ref::<i64>(port).ok().map(u16::try_from);
        let Some(Ok(port)) = port else { continue };
        let host: Option<String> = from_redis_value_ref(host).unwrap_or_default();
        let node = resolve_node(&host.unwrap_or_default(), port, asked);
        if !found.contains(&node) {
            found.push(node);
        }
    }
    found
}

/// The address in a redirection; an empty host means the node that replied.
pub(super) fn resolve_node(host: &str, port: u16, asked: &RedisAddress) -> RedisAddress {
    match (host, asked) {
        ("" | "?", RedisAddress::Tcp(host, _)) => RedisAddress::Tcp(host.clone(), port),
        ("" | "?", RedisAddress::Unix(_)) => RedisAddress::Tcp("127.0.0.1".to_owned(), port),
        (host, _) => RedisAddress::Tcp(host.to_owned(), port),
    }
}

/// A reply that redirects to another node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ClusterRedirect {
    /// The key has moved for good: `MOVED 3999 127.0.0.1:6381`.
    Moved(RedisAddress),
    /// For this command only: `ASK 3999 127.0.0.1:6381`.
    Ask(RedisAddress),
}

impl ClusterRedirect {
    /// The redirection in an error reply of `asked`, if it is one.
    pub(super) fn from_error(error: &ServerError, asked: &RedisAddress) -> Option<Self> {
        let error = RedisError::from(error.clone());
        let (host, port) = error.redirect_node()?.0.rsplit_once(':')?;
        let at = resolve_node(host, port.parse().ok()?, asked);
        match error.kind() {
            ErrorKind::Server(ServerErrorKind::Moved) => Some(Self::Moved(at)),
            ErrorKind::Server(ServerErrorKind::Ask) => Some(Self::Ask(at)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ClusterRedirect, RedisAddress, Value, announced, reports_failed_state};
    use redis::parse_redis_value;

    fn tcp(host: &str, port: u16) -> RedisAddress {
        RedisAddress::Tcp(host.to_owned(), port)
    }

    fn bulk(text: &'static str) -> Value {
        Value::BulkString(text.into())
    }

    #[test]
    fn redirections_are_read() {
        let asked = tcp("seed", 6379);
        let read = |text: &str| match parse_redis_value(format!("-{text}\r\n").as_bytes()) {
            Ok(Value::ServerError(error)) => ClusterRedirect::from_error(&error, &asked),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            read("MOVED 3999 127.0.0.1:6381"),
            Some(ClusterRedirect::Moved(tcp("127.0.0.1", 6381)))
        );
        assert_eq!(
            read("ASK 1 2001:db8::1:6381"),
            Some(ClusterRedirect::Ask(tcp("2001:db8::1", 6381)))
        );
        assert_eq!(read("MOVED 3999 :6381"), Some(ClusterRedirect::Moved(tcp("seed", 6381))));
        for other in ["MOVED", "MOVED 1 host", "ERR no 1:2", "MOVED 1 host:99999"] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn every_announced_node_is_learned_once() {
        let node = |host, port| Value::Array(vec![host, Value::Int(port), bulk("id")]);
        let range =
            |nodes: Vec<Value>| Value::Array([vec![Value::Int(0), Value::Int(9)], nodes].concat());
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
        assert!(reports_failed_state(&bulk("cluster_enabled:1\r\ncluster_state:fail\r\n")));
        assert!(!reports_failed_state(&bulk("cluster_state:ok\r\ncluster_slots_fail:0\r\n")));
        assert!(!reports_failed_state(
            &parse_redis_value(b"-NOPERM cluster_state:fail\r\n").unwrap()
        ));
    }
}
