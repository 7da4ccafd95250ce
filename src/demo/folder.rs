//! A folder for the time of the demo.

use std::{
    fs::DirBuilder,
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// A new folder that only we can enter; removed with everything in it when dropped.
#[derive(Debug)]
pub struct DemoFolder(PathBuf);

impl DemoFolder {
    /// Makes one in `parent`, under a name that nobody knows beforehand.
    ///
    /// # Errors
    /// When `parent` can't be written to.
    pub fn new(parent: &Path, rng: &mut fastrand::Rng) -> io::Result<Self> {
        let name: String = (0..12).map(|_| rng.alphanumeric()).collect();
        let path = parent.join(format!("notify_push-demo-{name}"));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for DemoFolder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!("the demo's folder could not be removed: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::DemoFolder;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn it_is_ours_alone_and_gone_afterwards() {
        let parent = tempfile::tempdir().unwrap();
        let folder = DemoFolder::new(parent.path(), &mut fastrand::Rng::with_seed(1)).unwrap();
        let path = folder.path().to_owned();
        std::fs::write(path.join("file"), "x").unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        drop(folder);
        assert!(!path.exists());
    }
}
