//! The demo's output: 80 columns, with colours only on a terminal.

use super::users::DemoPerson;
use std::{
    fmt::Display,
    io::{self, Write},
    net::SocketAddr,
    time::Duration,
};

/// Writes the demo's output.
pub struct DemoScreen {
    out: Box<dyn Write + Send>,
    colours: bool,
}

/// SGR parameters of a terminal: ECMA-48 section 8.3.117.
#[derive(Clone, Copy)]
enum ScreenColour {
    Bold = 1,
    Dim = 2,
    Red = 31,
    Green = 32,
}

const INTRODUCTION: &str = "\
A daemon, a database and two clients in one process. Only Redis is replaced: the
events that Nextcloud would publish come from memory. Each line shows the time
from the change to the message, the user, and the text frame as sent.
";

const FINDING: &str = "\
notification and custom. bob received the changes in the shared folder, and
nothing about the diary.";

impl DemoScreen {
    /// Writes to `out`, with colours if it is a terminal that shows them.
    pub fn new(out: impl Write + Send + 'static, colours: bool) -> Self {
        Self { out: Box::new(out), colours }
    }

    /// Writes the introduction.
    pub fn introduction(&mut self, address: SocketAddr, page: SocketAddr) -> io::Result<()> {
        let title = format!("notify_push demo on ws://{address}/push/ws");
        let title = self.inked(ScreenColour::Bold, &title);
        let page = self.inked(ScreenColour::Bold, &format!("http://{page}/status"));
        writeln!(self.out, "{title}\nIts status page: {page}\n\n{INTRODUCTION}")?;
        self.out.flush()
    }

    /// Writes how to connect another client.
    pub fn connect_instructions(
        &mut self,
        address: SocketAddr,
        page: SocketAddr,
    ) -> io::Result<()> {
        let (url, bob) = (format!("ws://{address}/push/ws"), DemoPerson::Bob);
        let (name, password) = (bob.name(), bob.password());
        let title = self
            .inked(ScreenColour::Bold, "Listen as bob from another terminal, with any of these:");
        writeln!(
            self.out,
            "{title}\n\n  \
             NEXTCLOUD_PASSWORD={password} \\\n    \
             cargo run --release -p test_client -- {url} {name}\n\n  \
             (printf '{name}\\n{password}\\nlisten notify_file_id\\n'; cat) |\n    \
             websocat {url}\n\n  \
             wscat -c {url}\n    \
             and type the lines: {name} / {password}\n\n\
             Or open http://{page}/status in a browser and change files yourself.\n\
             A file changes every few seconds from now on. Ctrl-C ends the demo.\n"
        )?;
        self.out.flush()
    }

    /// Writes a heading and a text.
    pub fn title(&mut self, title: &str, text: &str) -> io::Result<()> {
        let title = self.inked(ScreenColour::Bold, title);
        writeln!(self.out, "{title}\n\n{text}")?;
        self.out.flush()
    }

    /// Writes a plain line.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{text}")?;
        self.out.flush()
    }

    /// Writes a received message.
    pub fn good(&mut self, text: &str) -> io::Result<()> {
        let text = self.inked(ScreenColour::Green, text);
        self.line(&text)
    }

    /// Writes the title of a step.
    pub fn step(&mut self, title: &str) -> io::Result<()> {
        writeln!(self.out, "{title}")?;
        self.out.flush()
    }

    /// Writes which user received a text after which time.
    pub fn received(&mut self, after: Duration, user: DemoPerson, text: &str) -> io::Result<()> {
        let text = self.inked(ScreenColour::Green, text);
        writeln!(self.out, "{:>7} ms  {:<5}  {text}", after.as_millis(), user.name())?;
        self.out.flush()
    }

    /// Writes that a user rightly received nothing.
    pub fn silence(&mut self, user: DemoPerson) -> io::Result<()> {
        let nothing = self.inked(ScreenColour::Dim, "(nothing)");
        writeln!(self.out, "{:>10}  {:<5}  {nothing}", "", user.name())?;
        self.out.flush()
    }

    /// Writes a fault.
    pub fn fault(&mut self, fault: &dyn Display) -> io::Result<()> {
        let text = self.inked(ScreenColour::Red, &format!("WRONG: {fault}"));
        writeln!(self.out, "{text}")?;
        self.out.flush()
    }

    /// Writes that the tour had no faults.
    pub fn success(&mut self) -> io::Result<()> {
        let good = self.inked(ScreenColour::Green, "Each kind of message reached the right users");
        writeln!(self.out, "\n{good}: file, file_id, activity,\n{FINDING}")?;
        self.out.flush()
    }

    fn inked(&self, ink: ScreenColour, text: &str) -> String {
        match self.colours {
            true => format!("\x1b[{}m{text}\x1b[0m", ink as u8),
            false => text.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{DemoPerson, DemoScreen};
    use std::{
        io::{self, Write},
        sync::mpsc,
        time::Duration,
    };

    struct ScreenCapture(mpsc::Sender<Vec<u8>>);

    impl Write for ScreenCapture {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn shown(colours: bool) -> String {
        let (sender, bytes) = mpsc::channel();
        let mut screen = DemoScreen::new(ScreenCapture(sender), colours);
        let address = "127.0.0.1:65535".parse().unwrap();
        screen.introduction(address, address).unwrap();
        screen
            .received(Duration::from_millis(101), DemoPerson::Bob, "notify_file_id [12]")
            .unwrap();
        screen.silence(DemoPerson::Bob).unwrap();
        screen.success().unwrap();
        screen.connect_instructions(address, address).unwrap();
        drop(screen);
        String::from_utf8(bytes.into_iter().flatten().collect()).unwrap()
    }

    #[test]
    fn it_fits_80_columns_and_can_be_plain() {
        let text = shown(false);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(
            text.lines().any(|line| line == "    101 ms  bob    notify_file_id [12]"),
            "{text}"
        );
        assert!(!text.contains('\x1b'));
        assert!(shown(true).contains("\x1b[32mnotify_file_id [12]\x1b[0m"));
    }
}
