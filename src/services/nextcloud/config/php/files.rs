//! The file system as a `config.php` may see it: to read, never to write.

use std::{
    fs::{self, TryLockError},
    io::{self, ErrorKind, Read},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// The largest file that is run or read into a value, in bytes.
pub(super) const MAX_FILE: usize = 1 << 20;

/// How long a file may be locked by its writer, or empty.
const WAIT: Duration = Duration::from_secs(10);
/// An empty file that nothing locks is waited for no longer than this.
const EMPTY: Duration = Duration::from_secs(1);
/// How often it is looked at meanwhile.
const POLL: Duration = Duration::from_millis(20);

/// Reads under the shared lock, as Nextcloud does: a writer of the file holds the exclusive one,
/// and empties the file first.
fn read_locked(path: &Path, limit: usize, deadline: Instant) -> io::Result<Vec<u8>> {
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    // Any other file may be empty for good.
    let php = path.extension().is_some_and(|extension| extension == "php");
    let empty_until = Instant::now() + if php { EMPTY } else { Duration::ZERO };
    loop {
        let file = fs::File::open(path)?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {}
            Err(TryLockError::WouldBlock) => return Err(ErrorKind::WouldBlock.into()),
            // A file system without locks: there is nothing to wait for.
            Ok(()) | Err(TryLockError::Error(_)) => {
                let mut bytes = Vec::new();
                (&file).take(most).read_to_end(&mut bytes)?;
                if !bytes.is_empty() || limit == 0 || Instant::now() >= empty_until {
                    return Ok(bytes);
                }
            }
        }
        std::thread::sleep(POLL);
    }
}

/// What evaluation may ask of the file system; a value, so that tests need none.
pub(super) trait Files {
    /// A regular file's content; `FileTooLarge` beyond `limit` bytes.
    fn read(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>>;
    /// Whether this is a regular file.
    fn is_file(&self, path: &Path) -> bool;
    /// Whether this is a directory.
    fn is_directory(&self, path: &Path) -> bool;
    /// The names in a directory, in no particular order; none when it cannot be listed.
    fn names(&self, directory: &Path) -> Vec<String>;
    /// The absolute path without symbolic links.
    fn real(&self, path: &Path) -> io::Result<PathBuf>;
}

/// The real file system.
pub(super) struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
        // Looked at first: opening a pipe would wait for its writer for ever.
        if !fs::metadata(path)?.is_file() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "not a regular file"));
        }
        let bytes = read_locked(path, limit, Instant::now() + WAIT)?;
        if bytes.len() > limit {
            return Err(ErrorKind::FileTooLarge.into());
        }
        Ok(bytes)
    }

    fn is_file(&self, path: &Path) -> bool {
        path.is_file()
    }

    fn is_directory(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn names(&self, directory: &Path) -> Vec<String> {
        // The parent of a bare file name is empty.
        let here = directory.as_os_str().is_empty();
        let directory = if here { Path::new(".") } else { directory };
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }

    fn real(&self, path: &Path) -> io::Result<PathBuf> {
        fs::canonicalize(path)
    }
}

#[cfg(test)]
mod tests {
    use super::{Disk, Files, read_locked};
    use std::{
        fs::{self, File},
        io::{ErrorKind, Write},
        path::Path,
        time::{Duration, Instant},
    };

    #[test]
    fn a_file_that_is_being_written_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.php");
        fs::write(&path, "").unwrap();
        let mut writer = File::options().write(true).open(&path).unwrap();
        writer.lock().unwrap();
        let soon = Instant::now() + Duration::from_millis(50);
        let error = read_locked(&path, 99, soon).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        writer.write_all(b"half").unwrap();
        let writing = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            writer.write_all(b" and half").unwrap();
        });
        assert_eq!(Disk.read(&path, 99).unwrap(), b"half and half");
        writing.join().unwrap();
    }

    #[test]
    fn the_empty_directory_is_the_working_directory() {
        assert!(Disk.names(Path::new("")).contains(&"Cargo.toml".to_owned()));
    }

    #[test]
    fn what_is_no_regular_file_or_too_large_is_not_read() {
        let fault = |path, limit| Disk.read(Path::new(path), limit).unwrap_err().kind();
        assert_eq!(fault("/dev/zero", 10), ErrorKind::InvalidInput);
        assert_eq!(fault("Cargo.toml", 10), ErrorKind::FileTooLarge);
        assert_eq!(fault("/nonexistent", 10), ErrorKind::NotFound);
    }
}
