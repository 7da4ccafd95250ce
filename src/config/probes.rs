//! What the settings look at outside the process, handed in so that tests decide what is there.

use std::{
    fs::File,
    io::{self, Read as _},
    net::{IpAddr, ToSocketAddrs as _},
    path::Path,
    sync::mpsc,
    time::Duration,
};

/// Reads a small text file; see [`read_text`].
pub type ReadFile<'a> = &'a dyn Fn(&Path) -> io::Result<String>;

/// In bytes: a services file with a thousand services of a kilobyte each; no secret is longer.
const MAX_FILE: u64 = 1 << 20;

/// The longest wait for the addresses of one name: a container's own resolver answers at once.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(2);

/// The most names of a folder that are compared with a mistyped one.
const MAX_SIBLINGS: usize = 1000;

/// Files and names outside the process.
#[derive(Clone, Copy)]
pub struct SystemProbes<'a> {
    /// Reads a file.
    pub read: ReadFile<'a>,
    /// Whether there is a file, a folder or a socket at a path.
    pub exists: &'a dyn Fn(&Path) -> bool,
    /// The names of the files in the folder of a path.
    pub siblings: &'a dyn Fn(&Path) -> Vec<String>,
    /// The addresses of a host name; empty if it doesn't resolve.
    pub resolve: &'a dyn Fn(&str) -> Vec<IpAddr>,
}

impl SystemProbes<'static> {
    /// A system without files and names.
    pub const NONE: Self = Self {
        read: &|_| Err(io::ErrorKind::NotFound.into()),
        exists: &|_| false,
        siblings: &|_| Vec::new(),
        resolve: &|_| Vec::new(),
    };

    /// The system that the process runs on.
    pub const SYSTEM: Self = Self {
        read: &read_text,
        exists: &|path| path.exists(),
        siblings: &siblings,
        resolve: &resolve,
    };
}

/// Reads a small text file from disk.
///
/// # Errors
/// When it can't be read, is larger than a mebibyte or isn't UTF-8.
pub fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_FILE + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(text)
}

fn siblings(path: &Path) -> Vec<String> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().take(MAX_SIBLINGS);
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// Asks the system's resolver in a thread of its own, since it may wait for half a minute.
fn resolve(name: &str) -> Vec<IpAddr> {
    let (sender, receiver) = mpsc::channel();
    let name = name.to_owned();
    let lookup = move || {
        let addresses = (name.as_str(), 0).to_socket_addrs();
        let addresses = addresses.into_iter().flatten().map(|address| address.ip()).collect();
        // The receiver is gone after the time limit.
        let _ = sender.send(addresses);
    };
    match std::thread::Builder::new().name("resolve".into()).spawn(lookup) {
        Ok(_) => receiver.recv_timeout(RESOLVE_TIMEOUT).unwrap_or_default(),
        Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::{SystemProbes, read_text};
    use crate::config::{services_file, services_file::MAX_SERVICES};
    use std::{fmt::Write as _, net::Ipv4Addr};

    #[test]
    fn a_file_without_an_end_is_read_up_to_the_limit() {
        let error = read_text("/dev/zero".as_ref()).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn a_services_file_with_the_maximum_of_services_fits_the_limit() {
        let mut text = String::new();
        for number in 0..MAX_SERVICES {
            let settings = format!("database_url = \"mysql://user:{:x<700}@db/name\"", "");
            write!(text, "[[service]]\nname = \"n{number}\"\npath = \"/n{number}\"\n{settings}\n")
                .unwrap();
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &text).unwrap();
        let text = read_text(file.path()).unwrap();
        let parsed =
            services_file::parse(file.path(), &text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(parsed.services.len(), MAX_SERVICES);
    }

    #[test]
    fn the_system_lists_siblings_and_resolves_names() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("environment"), "").unwrap();
        let names = (SystemProbes::SYSTEM.siblings)(&folder.path().join("enviroment"));
        assert_eq!(names, ["environment"]);
        let addresses = (SystemProbes::SYSTEM.resolve)("127.0.0.1");
        assert_eq!(addresses, [Ipv4Addr::LOCALHOST]);
    }
}
