//! Queries sentinels for the master, and a server for its role.
//!
//! <https://redis.io/docs/latest/develop/reference/sentinel-clients/>

use super::{
    RedisAddress, RedisClientError,
    connection::{RedisConnection, RedisLogin},
    dialer::RedisDialer,
};
use redis::{Value, from_redis_value_ref};

/// A query for the address of a master.
pub(super) struct SentinelQuery<'a> {
    pub(super) dialer: &'a RedisDialer,
    /// The sentinels' own login.
    pub(super) login: RedisLogin<'a>,
    /// The name of the master.
    pub(super) master: &'a str,
}

impl SentinelQuery<'_> {
    /// The address of the master according to this sentinel.
    pub(super) async fn master_at(
        &self,
        sentinel: &RedisAddress,
    ) -> Result<RedisAddress, RedisClientError> {
        let mut connection = RedisConnection::open(self.dialer, sentinel, &self.login).await?;
        let question: [&[u8]; 3] =
            [b"SENTINEL", b"get-master-addr-by-name", self.master.as_bytes()];
        let answer = connection.call(&question, "+sentinel|get-master-addr-by-name").await?;
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

/// A sentinel may be out of date, so the server itself is asked. One whose ACL forbids it passes.
pub(super) async fn check_is_master(
    connection: &mut RedisConnection,
) -> Result<(), RedisClientError> {
    let role = connection.ask(&[b"ROLE"]).await?;
    let role = role.as_sequence().and_then(<[Value]>::first);
    match role.and_then(|role| from_redis_value_ref::<String>(role).ok()).as_deref() {
        Some("slave" | "sentinel") => {
            Err(RedisClientError::NotMaster { at: connection.at.clone() })
        }
        _ => Ok(()),
    }
}
