//! Unix socket listeners and their files.

use super::{BACKLOG, ListenError};
use socket2::{Domain, SockAddr, Socket, Type};
use std::{
    fs, io,
    os::unix::{
        fs::{FileTypeExt, MetadataExt, PermissionsExt},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
};

/// The file of a listening socket, removed on drop unless it has been replaced.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|found| found == self.identity)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::debug!(%error, path = %self.path.display(), "cannot remove the socket file");
        }
    }
}

/// Replaces a dead socket file; anything else at the path is an error.
pub(super) fn bind(
    path: &Path,
    permissions: u32,
) -> Result<(UnixListener, SocketFile), ListenError> {
    clear(path)?;
    open(path, permissions).map_err(|source| ListenError::Unix { path: path.into(), source })
}

fn open(path: &Path, permissions: u32) -> io::Result<(UnixListener, SocketFile)> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::unix(path)?)?;
    let file = SocketFile { path: path.into(), identity: identity(path)? };
    // No client can connect before `listen`, so none meets the wrong permissions.
    fs::set_permissions(path, fs::Permissions::from_mode(permissions))?;
    socket.listen(BACKLOG)?;
    Ok((socket.into(), file))
}

fn clear(path: &Path) -> Result<(), ListenError> {
    let error = |source| ListenError::Unix { path: path.into(), source };
    match fs::symlink_metadata(path) {
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(error(source)),
        Ok(found) if !found.file_type().is_socket() => {
            Err(ListenError::NotASocket { path: path.into() })
        }
        Ok(_) => match UnixStream::connect(path) {
            Err(refused) if refused.kind() == io::ErrorKind::ConnectionRefused => {
                fs::remove_file(path).map_err(error)
            }
            // The state is unknown, but it isn't dead: leave it.
            Ok(_) | Err(_) => Err(ListenError::UnixInUse { path: path.into() }),
        },
    }
}

/// Device and inode of the file.
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}
