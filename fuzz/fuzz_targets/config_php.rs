//! config.php reader: any file is read or refused, within bounds, and an error shows no text of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use {notify_push::services::nextcloud::config::php::ReadOptions, notify_push::services::nextcloud::config::php::read};
use std::{collections::BTreeMap, fs, path::PathBuf, sync::LazyLock};

/// Two processes may fuzz at once.
static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("notify_push-fuzz-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a writable folder for temporary files");
    folder.join("config.php")
});

fuzz_target!(|input: &[u8]| {
    // What it names is read; of that, only what can't block and is the same the next time.
    let names_a_device = |path: &str| input.windows(path.len()).any(|part| part == path.as_bytes());
    if ["/dev", "/proc", "/sys"].into_iter().any(names_a_device) {
        return;
    }
    fs::write(&*FILE, input).expect("a writable file");
    let environment = BTreeMap::from([("REDIS_PORT".into(), "6379".into())]);
    let options = ReadOptions { glob: false, environment: &environment };
    let first = format!("{:?}", read(&FILE, &options));
    assert_eq!(format!("{:?}", read(&FILE, &options)), first);
});
