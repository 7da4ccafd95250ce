//! Reads what the doctor reports about a Redis server.

use super::{
    RedisAddress, RedisClientError, RedisSettings, RedisTimeouts, connection::RedisConnection,
    connector::RedisConnector,
};
use redis::{FromRedisValue as _, Value, from_redis_value_ref};
use std::time::Duration;

/// What a server reports about itself, as far as the ACL allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerInspection {
    /// The server's address; with Sentinel or Cluster the one that was found.
    pub at: RedisAddress,
    /// The user of the connection (`ACL WHOAMI`, Redis 6).
    pub user: Option<String>,
    /// The server's version (`INFO server`).
    pub version: Option<String>,
    /// The server's time of day, since 1970 (`TIME`).
    pub time: Option<Duration>,
}

impl ServerInspection {
    /// Connects, logs in and queries. Only the commands that the daemon needs must be allowed.
    ///
    /// # Errors
    /// [`RedisClientError`]: no server, no login, or not even `PING` is allowed.
    pub async fn run(
        settings: RedisSettings,
        timeouts: RedisTimeouts,
        rng: fastrand::Rng,
    ) -> Result<Self, RedisClientError> {
        let mut connection = RedisConnector::new(settings, timeouts, rng).connect().await?;
        connection.call(&[b"PING"], "+ping").await?;
        Ok(Self {
            user: text(&mut connection, &[b"ACL", b"WHOAMI"]).await?,
            version: text(&mut connection, &[b"INFO", b"server"])
                .await?
                .as_deref()
                .and_then(version),
            time: time(&connection.ask(&[b"TIME"]).await?),
            at: connection.at,
        })
    }
}

async fn text(
    connection: &mut RedisConnection,
    words: &[&[u8]],
) -> Result<Option<String>, RedisClientError> {
    Ok(from_redis_value_ref(&connection.ask(words).await?).ok())
}

fn version(info: &str) -> Option<String> {
    let line = info.lines().find_map(|line| line.strip_prefix("redis_version:"))?;
    Some(line.trim().chars().take(32).filter(|letter| !letter.is_control()).collect())
}

/// Reads seconds and microseconds.
fn time(answer: &Value) -> Option<Duration> {
    let (seconds, micros) = <(u64, u32)>::from_redis_value_ref(answer).ok()?;
    Some(Duration::from_secs(seconds) + Duration::from_micros(micros.into()))
}

#[cfg(test)]
mod tests {
    use super::{time, version};
    use redis::parse_redis_value;
    use std::time::Duration;

    #[test]
    fn replies_are_read_and_refusals_are_not() {
        let reply = parse_redis_value(b"*2\r\n$10\r\n1700000000\r\n$6\r\n250000\r\n").unwrap();
        assert_eq!(time(&reply), Some(Duration::from_millis(1_700_000_000_250)));
        assert_eq!(time(&parse_redis_value(b"-NOPERM no\r\n").unwrap()), None);
        assert_eq!(version("# Server\r\nredis_version:7.0.15\r\n").as_deref(), Some("7.0.15"));
        assert_eq!(version("nothing"), None);
    }
}
