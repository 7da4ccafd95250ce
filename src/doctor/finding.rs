//! What was found when something was looked over: plain values, of which the doctor's report is made.

/// A check, in the order in which they are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CheckId {
    /// What the daemon is told, and by whom.
    Settings,
    /// How many files and connections a process may have open.
    Descriptors,
    /// Redis answers and lets us in.
    Redis,
    /// What is published there arrives here.
    Events,
    /// The database answers and lets us in.
    Database,
    /// It holds Nextcloud's tables, and they may be read.
    Tables,
    /// They may be read and nothing else.
    Rights,
    /// Who sees a storage can be looked up.
    Mounts,
    /// Nextcloud answers HTTP.
    Nextcloud,
    /// Its app is enabled, uses our Redis, and goes with us.
    App,
    /// All agree on the time.
    Clock,
    /// A daemon listens where the settings say.
    Daemon,
    /// Clients reach it from outside.
    Endpoint,
    /// Everybody believes the proxies in between.
    Proxies,
    /// An event comes out at the other end.
    Delivery,
    /// A real account is let in.
    Login,
    /// A silent connection stays.
    Idle,
    /// What only one kind of host has, by its name in the report.
    Own(&'static str),
}

impl CheckId {
    /// All of them but the kinds' own, in order.
    pub const ALL: [Self; 17] = [
        Self::Settings,
        Self::Descriptors,
        Self::Redis,
        Self::Events,
        Self::Database,
        Self::Tables,
        Self::Rights,
        Self::Mounts,
        Self::Nextcloud,
        Self::App,
        Self::Clock,
        Self::Daemon,
        Self::Endpoint,
        Self::Proxies,
        Self::Delivery,
        Self::Login,
        Self::Idle,
    ];

    /// Its name in the report and in JSON, where it stays the same from version to version.
    pub fn name(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Descriptors => "descriptors",
            Self::Redis => "redis",
            Self::Events => "events",
            Self::Database => "database",
            Self::Tables => "tables",
            Self::Rights => "rights",
            Self::Mounts => "mounts",
            Self::Nextcloud => "nextcloud",
            Self::App => "app",
            Self::Clock => "clock",
            Self::Daemon => "daemon",
            Self::Endpoint => "endpoint",
            Self::Proxies => "proxies",
            Self::Delivery => "delivery",
            Self::Login => "log-in",
            Self::Idle => "idle",
            Self::Own(name) => name,
        }
    }
}

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FindingState {
    /// As it should be.
    Fine,
    /// It works, and could be better.
    Hint,
    /// Something doesn't work.
    Wrong,
    /// Not looked at.
    Skipped,
}

/// A piece of a remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemedyStep {
    /// In words.
    Do(String),
    /// A command for a shell, exactly as it is to be run.
    Shell(String),
    /// A statement for the database's client.
    Sql(String),
    /// Lines of a file, exactly as they are to be pasted.
    Lines(String),
}

/// What one check found out about one thing. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckFinding {
    /// Which check.
    pub check: CheckId,
    /// How it is.
    pub state: FindingState,
    /// What was seen.
    pub seen: String,
    /// Particulars of it, each for a line of its own.
    pub details: Vec<String>,
    /// Why it matters; empty where all is well.
    pub why: Box<str>,
    /// What mends it.
    pub remedy: Vec<RemedyStep>,
}

impl CheckFinding {
    fn new(check: CheckId, state: FindingState, seen: impl Into<String>) -> Self {
        let (why, remedy) = (Box::default(), Vec::new());
        Self { check, state, seen: seen.into(), details: Vec::new(), why, remedy }
    }

    /// All is well.
    pub fn fine(check: CheckId, seen: impl Into<String>) -> Self {
        Self::new(check, FindingState::Fine, seen)
    }

    /// It works, and could be better.
    pub fn hint(check: CheckId, seen: impl Into<String>) -> Self {
        Self::new(check, FindingState::Hint, seen)
    }

    /// It doesn't work.
    pub fn wrong(check: CheckId, seen: impl Into<String>) -> Self {
        Self::new(check, FindingState::Wrong, seen)
    }

    /// Not looked at: `because` completes "skipped because …".
    pub fn skipped(check: CheckId, because: impl AsRef<str>) -> Self {
        Self::new(check, FindingState::Skipped, format!("skipped because {}", because.as_ref()))
    }

    /// The same with a particular more.
    pub fn detail(mut self, line: impl Into<String>) -> Self {
        self.details.push(line.into());
        self
    }

    /// The same with why it matters.
    pub fn why(mut self, why: impl Into<Box<str>>) -> Self {
        self.why = why.into();
        self
    }

    /// The same with something to do, in words.
    pub fn advise(self, text: impl Into<String>) -> Self {
        self.step(RemedyStep::Do(text.into()))
    }

    /// The same with a command to run.
    pub fn run(self, command: impl Into<String>) -> Self {
        self.step(RemedyStep::Shell(command.into()))
    }

    /// The same with a statement for the database.
    pub fn sql(self, statement: impl Into<String>) -> Self {
        self.step(RemedyStep::Sql(statement.into()))
    }

    /// The same with lines to paste into a file.
    pub fn paste(self, lines: impl Into<String>) -> Self {
        self.step(RemedyStep::Lines(lines.into()))
    }

    fn step(mut self, step: RemedyStep) -> Self {
        self.remedy.push(step);
        self
    }
}
