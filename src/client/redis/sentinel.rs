//! Asks sentinels where the master is, and a server whether it is one.
//!
//! <https://redis.io/docs/latest/develop/reference/sentinel-clients/>

use super::{
    Address, Fault,
    dial::Dialer,
    wire::{Login, Wire},
};
use redis::{Value, from_redis_value_ref};

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
        match from_redis_value_ref::<(String, u16)>(&answer) {
            Ok((host, port)) => Ok(Address::Tcp(host, port)),
            Err(_) if answer == Value::Nil => {
                Err(Fault::UnknownMaster { at: sentinel.clone(), master: self.master.to_owned() })
            }
            Err(_) => Err(Fault::Garbage { at: sentinel.clone() }),
        }
    }
}

/// A sentinel may be behind: the server itself knows whether it is a master. One whose ACL doesn't
/// let us ask is believed.
pub(super) async fn check_is_master(wire: &mut Wire) -> Result<(), Fault> {
    let role = wire.ask(&[b"ROLE"]).await?;
    let role = role.as_sequence().and_then(<[Value]>::first);
    match role.and_then(|role| from_redis_value_ref::<String>(role).ok()).as_deref() {
        Some("slave" | "sentinel") => Err(Fault::NotMaster { at: wire.at.clone() }),
        _ => Ok(()),
    }
}
