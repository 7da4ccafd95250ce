//! What the demo looks like: 80 columns, colours only where somebody sees them.

use super::users::DemoPerson;
use std::{
    fmt::Display,
    io::{self, Write},
    net::SocketAddr,
    time::Duration,
};

/// Where the demo is shown.
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
A daemon, a database and two clients in one process. Only Redis is played: what
Nextcloud would publish comes from memory. Each line shows the time from the
change to the message, who hears it, and the text frame as it is on the wire.
";

const FINDING: &str = "\
notification and custom. bob heard of the shared folder, and nothing of the
diary.";

impl DemoScreen {
    /// Writes to `out`, which is a terminal that takes colours or isn't.
    pub fn new(out: impl Write + Send + 'static, colours: bool) -> Self {
        Self { out: Box::new(out), colours }
    }

    /// The first lines.
    pub fn introduction(&mut self, address: SocketAddr, page: SocketAddr) -> io::Result<()> {
        let title = format!("notify_push demo on ws://{address}/push/ws");
        let title = self.inked(ScreenColour::Bold, &title);
        let page = self.inked(ScreenColour::Bold, &format!("http://{page}/status"));
        writeln!(self.out, "{title}\nIts status page: {page}\n\n{INTRODUCTION}")?;
        self.out.flush()
    }

    /// How to listen oneself.
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

    /// A heading and what is to be said below it.
    pub fn title(&mut self, title: &str, text: &str) -> io::Result<()> {
        let title = self.inked(ScreenColour::Bold, title);
        writeln!(self.out, "{title}\n\n{text}")?;
        self.out.flush()
    }

    /// A line.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{text}")?;
        self.out.flush()
    }

    /// What arrived.
    pub fn good(&mut self, text: &str) -> io::Result<()> {
        let text = self.inked(ScreenColour::Green, text);
        self.line(&text)
    }

    /// Something happens.
    pub fn step(&mut self, what: &str) -> io::Result<()> {
        writeln!(self.out, "{what}")?;
        self.out.flush()
    }

    /// Somebody heard of it so long after it.
    pub fn heard(&mut self, after: Duration, who: DemoPerson, text: &str) -> io::Result<()> {
        let text = self.inked(ScreenColour::Green, text);
        writeln!(self.out, "{:>7} ms  {:<5}  {text}", after.as_millis(), who.name())?;
        self.out.flush()
    }

    /// Somebody heard nothing of it, which is right.
    pub fn silence(&mut self, who: DemoPerson) -> io::Result<()> {
        let nothing = self.inked(ScreenColour::Dim, "(nothing)");
        writeln!(self.out, "{:>10}  {:<5}  {nothing}", "", who.name())?;
        self.out.flush()
    }

    /// What should not have happened.
    pub fn fault(&mut self, fault: &dyn Display) -> io::Result<()> {
        let text = self.inked(ScreenColour::Red, &format!("WRONG: {fault}"));
        writeln!(self.out, "{text}")?;
        self.out.flush()
    }

    /// All is well.
    pub fn success(&mut self) -> io::Result<()> {
        let good =
            self.inked(ScreenColour::Green, "Each kind of message was heard by those concerned");
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
        screen.heard(Duration::from_millis(101), DemoPerson::Bob, "notify_file_id [12]").unwrap();
        screen.silence(DemoPerson::Bob).unwrap();
        screen.success().unwrap();
        screen.connect_instructions(address, address).unwrap();
        drop(screen);
        String::from_utf8(bytes.into_iter().flatten().collect()).unwrap()
    }

    #[test]
    fn it_fits_80_columns_and_is_plain_where_colours_are_not_wanted() {
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
