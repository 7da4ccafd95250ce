//! Asks sentinels where the master is, and a server whether it is one.
//!
//! <https://redis.io/docs/latest/develop/reference/sentinel-clients/>

use super::{
    RedisAddress, RedisClientError,
    connection::{RedisConnection, RedisLogin},
    dialer::RedisDialer,
};
use redis::{Value, from_redis_value_ref};

/// How to ask a sentinel.
pub(super) struct SentinelQuery<'a> {
    pub(super) dialer: &'a RedisDialer,
    /// The sentinels' own login.
    pub(super) login: RedisLogin<'a>,
    /// The master's name.
    pub(super) master: &'a str,
}

impl SentinelQuery<'_> {
    /// Where this sentinel says the master is.
    pub(super) async fn master_at(
        &self,
        sentinel: &RedisAddress,
    ) -> Result<RedisAddress, RedisClientError> {
        let mut wire = RedisConnection::open(self.dialer, sentinel, &self.login).await?;
        let question: [&[u8]; 3] =
            [b"SENTINEL", b"get-master-addr-by-name", self.master.as_bytes()];
        let answer = wire.call(&question, "+sentinel|get-master-addr-by-name").await?;
        match from_redis_value_ref::<(String, u16)>(&answer) {
            Ok((host, port)) => Ok(RedisAddress::Tcp(host, port)),
            Err(_) if answer == Value::Nil => Err(RedisClientError::UnknownMaster {
                at: sentinel.clone(),
                master: self.master.to_owned(),
            }),
            Err(_) => Err(RedisClientError::NotRedis { at: sentinel.clone() }),
        }
    }
}

/// A sentinel may be behind: the server itself knows whether it is a master. One whose ACL doesn't
/// let us ask is believed.
pub(super) async fn check_is_master(wire: &mut RedisConnection) -> Result<(), RedisClientError> {
    let role = wire.ask(&[b"ROLE"]).await?;
    let role = role.as_sequence().and_then(<[Value]>::first);
    match role.and_then(|role| from_redis_value_ref::<String>(role).ok()).as_deref() {
        Some("slave" | "sentinel") => Err(RedisClientError::NotMaster { at: wire.at.clone() }),
        _ => Ok(()),
    }
}
