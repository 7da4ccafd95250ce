//! The demo's temporary folder.

use std::{
    fs::DirBuilder,
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// A private folder that is removed with its contents when dropped.
#[derive(Debug)]
pub struct DemoFolder(PathBuf);

impl DemoFolder {
    /// Creates a folder with a random name in `parent`.
    ///
    /// # Errors
    /// The system's error, for instance if `parent` is not writable.
    pub fn new(parent: &Path, rng: &mut fastrand::Rng) -> io::Result<Self> {
        let name: String = (0..12).map(|_| rng.alphanumeric()).collect();
        let path = parent.join(format!("notify_push-demo-{name}"));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    /// The path of the folder.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for DemoFolder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!("failed to remove the demo's folder: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::DemoFolder;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn it_is_private_and_removed_at_the_end() {
        let parent = tempfile::tempdir().unwrap();
        let folder = DemoFolder::new(parent.path(), &mut fastrand::Rng::with_seed(1)).unwrap();
        let path = folder.path().to_owned();
        std::fs::write(path.join("file"), "x").unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        drop(folder);
        assert!(!path.exists());
    }
}
