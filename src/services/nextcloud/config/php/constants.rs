//! PHP's constants that turn up in configuration, with their values.

use crate::services::nextcloud::config::php::value::Value;

/// The value of a constant of PHP itself.
pub(super) fn global(name: &str) -> Option<Value> {
    Some(match name {
        "PHP_EOL" => Value::from("\n"),
        "DIRECTORY_SEPARATOR" => Value::from("/"),
        "PATH_SEPARATOR" => Value::from(":"),
        "PHP_INT_MAX" => Value::Int(i64::MAX),
        _ => return None,
    })
}

/// The value of a constant of a class: the ones that `dbdriveroptions` and `redis.cluster` are
/// written with. `Name::class` is the name when it is written in full.
pub(super) fn of_class(class: &str, name: &str) -> Option<Value> {
    let bare = class.trim_start_matches('\\');
    if name.eq_ignore_ascii_case("class") {
        return class.starts_with('\\').then(|| Value::from(bare));
    }
    let int = match bare.to_ascii_lowercase().as_str() {
        "pdo" => pdo(name)?,
        r"pdo\mysql" => mysql(name.strip_prefix("ATTR_")?)?,
        "rediscluster" => cluster(name)?,
        _ => return None,
    };
    Some(Value::Int(int))
}

fn pdo(name: &str) -> Option<i64> {
    Some(match name {
        "ATTR_TIMEOUT" => 2,
        "ATTR_ERRMODE" => 3,
        "ATTR_PERSISTENT" => 12,
        "ATTR_EMULATE_PREPARES" => 20,
        _ => return mysql(name.strip_prefix("MYSQL_ATTR_")?),
    })
}

/// The MySQL driver's options, as numbered with mysqlnd.
fn mysql(name: &str) -> Option<i64> {
    Some(match name {
        "USE_BUFFERED_QUERY" => 1000,
        "LOCAL_INFILE" => 1001,
        "INIT_COMMAND" => 1002,
        "COMPRESS" => 1003,
        "FOUND_ROWS" => 1005,
        "SSL_KEY" => 1007,
        "SSL_CERT" => 1008,
        "SSL_CA" => 1009,
        "SSL_CAPATH" => 1010,
        "SSL_CIPHER" => 1011,
        "SERVER_PUBLIC_KEY" => 1012,
        "MULTI_STATEMENTS" => 1013,
        "SSL_VERIFY_SERVER_CERT" => 1014,
        _ => return None,
    })
}

fn cluster(name: &str) -> Option<i64> {
    Some(match name {
        "FAILOVER_NONE" => 0,
        "FAILOVER_ERROR" => 1,
        "FAILOVER_DISTRIBUTE" => 2,
        "FAILOVER_DISTRIBUTE_SLAVES" => 3,
        _ => return None,
    })
}
