//! Notifies the service manager: the datagrams of sd_notify(3), written by hand because the
//! environment is a value here and abstract sockets need no C library.

use super::SocketActivation;
use std::{
    ffi::{OsStr, OsString},
    io,
    os::{
        linux::net::SocketAddrExt,
        unix::{ffi::OsStrExt, net},
    },
    time::Duration,
};

/// The service manager that started us, if any.
#[derive(Debug, Default)]
pub struct ServiceManager {
    socket: Option<net::UnixDatagram>,
    watchdog: Option<Duration>,
    sockets: SocketActivation,
}

/// Why the service manager can't be notified.
#[derive(Debug, thiserror::Error)]
pub enum ServiceManagerError {
    /// `NOTIFY_SOCKET` holds neither a path nor `@name`.
    #[error("NOTIFY_SOCKET is {0:?}; only an absolute path or @name can be used")]
    Address(OsString),
    /// The socket can't be reached.
    #[error("can't reach the service manager at NOTIFY_SOCKET={0:?}")]
    Connect(OsString, #[source] io::Error),
}

// The longest delay of the start by a manager that doesn't read.
const WRITE_TIMEOUT: Duration = Duration::from_secs(1);

impl ServiceManager {
    /// Reads `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` (sd_notify(3),
    /// sd_watchdog_enabled(3)); `pid` is our own. Without `NOTIFY_SOCKET` nothing is sent.
    ///
    /// # Errors
    /// [`ServiceManagerError`]: continuing without a manager ([`ServiceManager::default`]) would end in its
    /// start time-out.
    pub fn from_environment(
        environment: impl Fn(&str) -> Option<OsString>,
        pid: u32,
    ) -> Result<Self, ServiceManagerError> {
        let Some(address) = environment("NOTIFY_SOCKET").filter(|text| !text.is_empty()) else {
            return Ok(Self::default());
        };
        let number = |name| environment(name)?.to_str()?.parse::<u64>().ok();
        let ours =
            environment("WATCHDOG_PID").is_none() || number("WATCHDOG_PID") == Some(pid.into());
        let watchdog = number("WATCHDOG_USEC").filter(|usec| ours && *usec > 0);
        let watchdog = watchdog.map(Duration::from_micros);
        Ok(Self {
            socket: Some(connect(&address)?),
            watchdog,
            sockets: SocketActivation::default(),
        })
    }

    /// The same manager with the sockets that it passed.
    #[must_use]
    pub fn with_sockets(self, sockets: SocketActivation) -> Self {
        Self { sockets, ..self }
    }

    /// Takes the sockets that it passed.
    pub fn take_sockets(&mut self) -> SocketActivation {
        std::mem::take(&mut self.sockets)
    }

    /// The interval of its watchdog, if it has one.
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// All listeners are bound (at the start, or again after [`ServiceManager::reloading`]).
    pub fn ready(&self) {
        self.send("READY=1");
    }

    /// One line for `systemctl status`.
    pub fn status(&self, line: &str) {
        self.send(&format!("STATUS={}", line.replace(char::is_control, " ")));
    }

    /// A reload has begun; [`ServiceManager::ready`] must follow.
    pub fn reloading(&self) {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let usec = now.tv_sec * 1_000_000 + now.tv_nsec / 1_000;
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={usec}"));
    }

    /// The shutdown has begun and takes `at_most` this long; the manager extends its own time-out if
    /// necessary.
    pub fn stopping(&self, at_most: Duration) {
        self.send(&format!("STOPPING=1\nEXTEND_TIMEOUT_USEC={}", at_most.as_micros()));
    }

    /// The daemon works; the next notification is due within [`ServiceManager::watchdog`].
    pub fn alive(&self) {
        self.send("WATCHDOG=1");
    }

    fn send(&self, state: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.send(state.as_bytes()) {
            tracing::warn!(state, %error, "cannot notify the service manager");
        }
    }
}

fn connect(address: &OsStr) -> Result<net::UnixDatagram, ServiceManagerError> {
    let target = match address.as_bytes() {
        [b'@', name @ ..] => net::SocketAddr::from_abstract_name(name),
        [b'/', ..] => net::SocketAddr::from_pathname(address),
        _ => return Err(ServiceManagerError::Address(address.to_owned())),
    };
    let failed = |error| ServiceManagerError::Connect(address.to_owned(), error);
    let socket = net::UnixDatagram::unbound().map_err(failed)?;
    socket.connect_addr(&target.map_err(failed)?).map_err(failed)?;
    socket.set_write_timeout(Some(WRITE_TIMEOUT)).map_err(failed)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::{ServiceManager, ServiceManagerError};
    use std::{
        ffi::OsString,
        os::{
            linux::net::SocketAddrExt,
            unix::net::{SocketAddr, UnixDatagram},
        },
        time::Duration,
    };

    fn manager(variables: &[(&str, &str)]) -> Result<ServiceManager, ServiceManagerError> {
        let of = |name: &str| variables.iter().find(|(known, _)| *known == name);
        ServiceManager::from_environment(|name| of(name).map(|(_, text)| OsString::from(text)), 77)
    }

    fn heard(socket: &UnixDatagram) -> String {
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut buffer = [0; 256];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    #[test]
    fn every_state_is_one_datagram() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let manager = manager(&[("NOTIFY_SOCKET", path.to_str().unwrap())]).unwrap();
        manager.ready();
        manager.status("3 clients\nREADY=0");
        manager.alive();
        manager.stopping(Duration::from_secs(9));
        let told = [(); 4].map(|()| heard(&socket));
        let stopping = "STOPPING=1\nEXTEND_TIMEOUT_USEC=9000000";
        assert_eq!(told, ["READY=1", "STATUS=3 clients READY=0", "WATCHDOG=1", stopping]);
    }

    #[test]
    fn reloading_says_when_on_the_monotonic_clock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        manager(&[("NOTIFY_SOCKET", path.to_str().unwrap())]).unwrap().reloading();
        let told = heard(&socket);
        let usec = told.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        assert!(usec.parse::<u64>().unwrap() > 0);
    }

    #[test]
    fn abstract_sockets_are_reached() {
        let name = format!("notify-push-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        manager(&[("NOTIFY_SOCKET", &format!("@{name}"))]).unwrap().ready();
        assert_eq!(heard(&socket), "READY=1");
    }

    #[test]
    fn without_a_manager_nothing_happens() {
        let nobody = manager(&[("WATCHDOG_USEC", "30000000")]).unwrap();
        nobody.ready();
        assert_eq!(nobody.watchdog(), None);
    }

    #[test]
    fn the_watchdog_counts_only_when_it_is_meant_for_this_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let _socket = UnixDatagram::bind(&path).unwrap();
        let notify = ("NOTIFY_SOCKET", path.to_str().unwrap());
        let usec = ("WATCHDOG_USEC", "30000000");
        let watchdog = |variables: &[_]| manager(variables).unwrap().watchdog();
        assert_eq!(watchdog(&[notify, usec]), Some(Duration::from_secs(30)));
        assert_eq!(
            watchdog(&[notify, usec, ("WATCHDOG_PID", "77")]),
            Some(Duration::from_secs(30))
        );
        assert_eq!(watchdog(&[notify, usec, ("WATCHDOG_PID", "78")]), None);
        assert_eq!(watchdog(&[notify, ("WATCHDOG_USEC", "0")]), None);
    }

    #[test]
    fn an_address_that_can_not_be_used_is_named() {
        let wrong = manager(&[("NOTIFY_SOCKET", "vsock:2:1")]).unwrap_err();
        assert!(wrong.to_string().contains("\"vsock:2:1\""), "{wrong}");
        let gone = manager(&[("NOTIFY_SOCKET", "/nowhere/notify")]).unwrap_err();
        assert!(gone.to_string().contains("/nowhere/notify"), "{gone}");
    }
}
