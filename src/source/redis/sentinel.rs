//! Asks sentinels where the master is, and a server whether it is one.
//!
//! <https://redis.io/docs/latest/develop/reference/sentinel-clients/>

use super::{
    Address, Fault,
    dial::Dialer,
    resp::Value,
    wire::{Login, Wire},
};
use std::str::from_utf8;

/// How to ask a sentinel.
pub(super) struct Sentinels<'a> {
    pub(super) dialer: &'a Dialer,
    /// The sentinels' own login.
    pub(super) login: Login<'a>,
    /// The master's name.
    pub(super) master: &'a str,
}

impl Sentinels<'_> {
    /// Where this sentinel says the master is.
    pub(super) async fn master_at(&self, sentinel: &Address) -> Result<Address, Fault> {
        let mut wire = Wire::open(self.dialer, sentinel, &self.login).await?;
        let question: [&[u8]; 3] =
            [b"SENTINEL", b"get-master-addr-by-name", self.master.as_bytes()];
        let answer = wire.call(&question, "+sentinel|get-master-addr-by-name").await?;
        address(&answer).ok_or_else(|| match answer {
            Value::Nil => {
                Fault::UnknownMaster { at: sentinel.clone(), master: self.master.to_owned() }
            }
            _ => Fault::Garbage { at: sentinel.clone() },
        })
    }
}

/// `[host, port]`, both as text.
fn address(answer: &Value) -> Option<Address> {
    let [host, port] = answer.elements() else { return None };
    let port = from_utf8(port.text()?).ok()?.parse().ok()?;
    Some(Address::Tcp(from_utf8(host.text()?).ok()?.to_owned(), port))
}

/// A sentinel may be behind: the server itself knows whether it is a master. One whose ACL doesn't
/// let us ask is believed.
pub(super) async fn check_is_master(wire: &mut Wire) -> Result<(), Fault> {
    let role = wire.ask(&[b"ROLE"]).await?;
    match role.elements().first().and_then(Value::text) {
        Some(b"slave" | b"sentinel") => Err(Fault::NotMaster { at: wire.at.clone() }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, Value, address};
    use bytes::Bytes;

    #[test]
    fn only_a_host_and_a_port_are_an_address() {
        let bulk = |text: &'static str| Value::Bulk(Bytes::from_static(text.as_bytes()));
        let pair = |host, port| address(&Value::Array(vec![bulk(host), bulk(port)]));
        assert_eq!(pair("10.0.0.1", "6380"), Some(Address::Tcp("10.0.0.1".into(), 6380)));
        assert_eq!(pair("10.0.0.1", "x"), None);
        assert_eq!(address(&Value::Nil), None);
    }
}
