//! The findings of checks: plain values from which the report is made.

/// A check; the order is that of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CheckId {
    /// The daemon's settings and their sources.
    Settings,
    /// The limit of open files and connections.
    Descriptors,
    /// Redis answers and accepts the login.
    Redis,
    /// Messages published in Redis arrive here.
    Events,
    /// The database answers and accepts the login.
    Database,
    /// The database has Nextcloud's tables, and they are readable.
    Tables,
    /// The account can do nothing but read.
    Rights,
    /// The users of a storage can be looked up.
    Mounts,
    /// Nextcloud answers HTTP.
    Nextcloud,
    /// Its app is enabled, uses the same Redis, and has a compatible version.
    App,
    /// All clocks agree.
    Clock,
    /// A daemon listens at the configured address.
    Daemon,
    /// Clients can reach the daemon through the public address.
    Endpoint,
    /// Nextcloud and the daemon trust the reverse proxies.
    Proxies,
    /// An event travels from Redis to a client.
    Delivery,
    /// A real account can log in.
    Login,
    /// A silent connection stays open.
    Idle,
    /// A check of one kind of service, by its name in the report.
    Own(&'static str),
}

impl CheckId {
    /// All checks in order, except those of one kind of service.
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

    /// The name in the report and in JSON; it is stable across versions.
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
            Self::Login => "login",
            Self::Idle => "idle",
            Self::Own(name) => name,
        }
    }
}

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FindingState {
    /// Everything is as it should be.
    Fine,
    /// It works but could be better.
    Hint,
    /// Something does not work.
    Wrong,
    /// The check did not run.
    Skipped,
}

/// One step of a remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemedyStep {
    /// Instructions in words.
    Do(String),
    /// A shell command to run as it is.
    Shell(String),
    /// An SQL statement to run as it is.
    Sql(String),
    /// Lines to paste into a file as they are.
    Lines(String),
}

/// The result of one check about one thing; contains no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckFinding {
    /// The check that made it.
    pub check: CheckId,
    /// The result of a check.
    pub state: FindingState,
    /// What the check observed.
    pub observed: String,
    /// Details, each for a line of its own.
    pub details: Vec<String>,
    /// Why it matters; empty if nothing is wrong.
    pub why: Box<str>,
    /// How to fix it.
    pub remedy: Vec<RemedyStep>,
}

impl CheckFinding {
    fn new(check: CheckId, state: FindingState, observed: impl Into<String>) -> Self {
        let (why, remedy) = (Box::default(), Vec::new());
        Self { check, state, observed: observed.into(), details: Vec::new(), why, remedy }
    }

    /// A finding that everything is as it should be.
    pub fn fine(check: CheckId, observed: impl Into<String>) -> Self {
        Self::new(check, FindingState::Fine, observed)
    }

    /// A finding that something works but could be better.
    pub fn hint(check: CheckId, observed: impl Into<String>) -> Self {
        Self::new(check, FindingState::Hint, observed)
    }

    /// A finding that something does not work.
    pub fn wrong(check: CheckId, observed: impl Into<String>) -> Self {
        Self::new(check, FindingState::Wrong, observed)
    }

    /// A finding that the check did not run: `because` completes "skipped because …".
    pub fn skipped(check: CheckId, because: impl AsRef<str>) -> Self {
        Self::new(check, FindingState::Skipped, format!("skipped because {}", because.as_ref()))
    }

    /// Adds a line of detail.
    pub fn detail(mut self, line: impl Into<String>) -> Self {
        self.details.push(line.into());
        self
    }

    /// Sets why it matters.
    pub fn why(mut self, why: impl Into<Box<str>>) -> Self {
        self.why = why.into();
        self
    }

    /// Adds instructions in words to the remedy.
    pub fn advise(self, text: impl Into<String>) -> Self {
        self.step(RemedyStep::Do(text.into()))
    }

    /// Adds a shell command to the remedy.
    pub fn run(self, command: impl Into<String>) -> Self {
        self.step(RemedyStep::Shell(command.into()))
    }

    /// Adds an SQL statement to the remedy.
    pub fn sql(self, statement: impl Into<String>) -> Self {
        self.step(RemedyStep::Sql(statement.into()))
    }

    /// Adds lines of a file to the remedy.
    pub fn paste(self, lines: impl Into<String>) -> Self {
        self.step(RemedyStep::Lines(lines.into()))
    }

    fn step(mut self, step: RemedyStep) -> Self {
        self.remedy.push(step);
        self
    }
}
