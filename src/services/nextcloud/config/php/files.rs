//! The file system as a `config.php` may see it: to read, never to write.

use std::{
    fs,
    io::{self, ErrorKind, Read},
    path::{Path, PathBuf},
};

/// The largest file that is run or read into a value, in bytes.
pub(super) const MAX_FILE: usize = 1 << 20;

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
        let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        let mut bytes = Vec::new();
        fs::File::open(path)?.take(most).read_to_end(&mut bytes)?;
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
    use super::{Disk, Files};
    use std::{io::ErrorKind, path::Path};

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
