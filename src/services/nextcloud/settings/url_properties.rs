//! Any text as a URL: no panic, and no secret in an error.

use crate::{
    client::{
        database::{database_url, show_engine},
        redis::{redis_urls, show_redis},
    },
    services::nextcloud::settings::nextcloud_url,
};
use proptest::prelude::*;

const SCHEMES: &[&str] = &[
    "mysql://",
    "mariadb://",
    "postgres://",
    "postgresql://",
    "sqlite://",
    "redis://",
    "rediss://",
    "unix://",
    "redis+unix://",
    "redis+sentinel://",
    "rediss+sentinel://",
    "http://",
    "https://",
    "oracle://",
    "",
];

proptest! {
    #[test]
    fn anything_may_be_given(text in any::<String>()) {
        let _ = (database_url(&text), redis_urls(std::slice::from_ref(&text)), nextcloud_url(&text));
    }

    #[test]
    fn a_password_is_never_shown(
        scheme in prop::sample::select(SCHEMES),
        before in "[a-z]{0,2}[:/@#?%&=,]{0,2}",
        after in "[:/@#?%&=,\\[\\]]{0,3}[a-z0-9]{0,3}",
        rest in "(@host|@h1:1,h2:2|@\\[::1\\]:5)?(:[0-9]{1,6})?(/db)?(\\?[a-z]{1,8}=[a-z]{0,4})?(#insecure)?",
    ) {
        let secret = "hunter2XYZ";
        let url = format!("{scheme}u:{before}{secret}{after}{rest}");
        let engine = database_url(&url);
        let redis = redis_urls(std::slice::from_ref(&url));
        for error in [engine.as_ref().err(), redis.as_ref().err(), nextcloud_url(&url).err().as_ref()] {
            prop_assert!(!error.is_some_and(|error| error.contains(secret)), "{error:?}");
        }
        if rest.starts_with('@') && scheme != "sqlite://" {
            let shown = engine.map(|engine| show_engine(&engine.value)).into_iter();
            for text in shown.chain(redis.map(|redis| show_redis(&redis.value))) {
                prop_assert!(!text.contains(secret), "{text}");
            }
        }
    }
}
