//! Parameters of a database URL, in the spelling of the common drivers for PostgreSQL and MySQL.

use super::{
    settings::{ConnectionOptions, DatabaseTls, DatabaseTlsMode},
    tls_mode::tls_mode,
};
use crate::config::url::{normalize_parameter, parameter_switch};

/// What the parameters say. Those without an effect are collected, since they stop nothing.
#[derive(Debug, Default)]
pub(super) struct UrlParameters {
    pub(super) socket: Option<String>,
    pub(super) host: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) database: Option<String>,
    pub(super) tls: DatabaseTls,
    pub(super) options: ConnectionOptions,
    pub(super) ignored: Vec<String>,
}

impl UrlParameters {
    /// Takes one parameter in.
    ///
    /// # Errors
    /// A known parameter has a value that can't be used.
    pub(super) fn take(&mut self, name: &str, value: &str) -> Result<(), String> {
        let key = normalize_parameter(name);
        let known = self.address(&key, value)?
            || self.tls_files(&key, value)
            || self.tls_mode(&key, value)?
            || self.session(&key, name, value)
            || is_satisfied(&key, value);
        if !known {
            self.ignored.push(name.to_owned());
        }
        Ok(())
    }

    fn address(&mut self, key: &str, value: &str) -> Result<bool, String> {
        let text = || Some(value.to_owned());
        match key {
            "socket" | "unixsocket" | "socketpath" => self.socket = text(),
            // Both may be given: libpq connects to the address and verifies the name.
            "hostaddr" if self.host.is_some() => return Ok(false),
            "host" | "hostaddr" => self.host = text(),
            "port" => {
                let port = value.parse().map_err(|_| "expected port to be a port number")?;
                self.port = Some(port);
            }
            "user" | "username" => self.user = text(),
            "password" => self.password = text(),
            "dbname" | "database" => self.database = text(),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn tls_files(&mut self, key: &str, value: &str) -> bool {
        match key {
            // libpq's name for the system's authorities, which are trusted anyway.
            "sslrootcert" if value == "system" => {
                self.require(DatabaseTlsMode::VerifyFull);
            }
            "sslca" | "sslcafile" | "sslrootcert" => self.tls.ca = Some(value.into()),
            "sslcert" => self.tls.cert = Some(value.into()),
            "sslkey" => self.tls.key = Some(value.into()),
            _ => return false,
        }
        true
    }

    fn tls_mode(&mut self, key: &str, value: &str) -> Result<bool, String> {
        let switch = parameter_switch(value);
        match (key, switch) {
            ("sslmode", _) => self.tls.mode = tls_mode(value)?,
            // libpq reads ssl=true as sslmode=require, for URLs of JDBC.
            ("ssl" | "usessl" | "requiressl", Some(true)) => self.require(DatabaseTlsMode::Require),
            ("ssl" | "usessl" | "tls", Some(false)) | ("ssldisabled", Some(true)) => {
                self.tls.mode = DatabaseTlsMode::Disable;
            }
            ("requiressl" | "ssldisabled", Some(false)) => {}
            ("ssl", None) => return Ok(self.tls_mode("sslmode", value).unwrap_or(false)),
            ("tls", Some(true)) => self.require(DatabaseTlsMode::VerifyFull),
            ("tls", None) => return Ok(self.go_tls(value)),
            ("sslaccept", _) if value == "strict" => self.require(DatabaseTlsMode::VerifyFull),
            ("sslaccept", _) if value == "accept_invalid_certs" => {}
            ("verifyservercertificate" | "sslverifycert" | "sslverifyservercert", Some(on)) => {
                if on {
                    self.require(DatabaseTlsMode::VerifyCa);
                }
            }
            ("sslcheckhostname" | "sslverifyidentity", Some(on)) => {
                if on {
                    self.require(DatabaseTlsMode::VerifyFull);
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// `tls=` of Go's driver for MySQL.
    fn go_tls(&mut self, value: &str) -> bool {
        match value {
            "skip-verify" => self.require(DatabaseTlsMode::Require),
            "preferred" => self.tls.mode = DatabaseTlsMode::Prefer,
            _ => return false,
        }
        true
    }

    /// Raises the mode; another parameter may have raised it further.
    fn require(&mut self, mode: DatabaseTlsMode) {
        self.tls.mode = self.tls.mode.max(mode);
    }

    fn session(&mut self, key: &str, name: &str, value: &str) -> bool {
        let options = &mut self.options;
        match key {
            "searchpath" | "currentschema" | "schema" => {
                options.session.push(("search_path".to_owned(), value.to_owned()));
            }
            "options" => {
                let (settings, unknown) = command_line_options(value);
                options.session.extend(settings);
                self.ignored.extend(unknown.into_iter().map(|word| format!("{name} {word}")));
            }
            "applicationname" | "fallbackapplicationname" => {
                options.application_name = Some(value.to_owned());
            }
            "statementcachecapacity" | "statementcachesize" | "preparedstatementcachequeries" => {
                let Ok(number) = value.parse() else { return false };
                options.statement_cache = Some(number);
            }
            "connectionlimit" | "maxconnections" | "poolsize" | "maxpoolsize" => {
                let Ok(number) = value.parse() else { return false };
                if number == 0 {
                    return false;
                }
                options.max_connections = Some(number);
            }
            _ => return false,
        }
        true
    }
}

/// Parameters that ask for what is so anyway.
fn is_satisfied(key: &str, value: &str) -> bool {
    match key {
        // No prepared statement and no setting outlives a query in PostgreSQL.
        "pgbouncer" | "allowpublickeyretrieval" | "sslsni" => true,
        "charset" | "characterencoding" | "clientencoding" => {
            ["utf8", "utf-8", "utf8mb4", "unicode"].contains(&&*value.to_ascii_lowercase())
        }
        "channelbinding" => matches!(value, "prefer" | "disable"),
        "gssencmode" => matches!(value, "prefer" | "disable"),
        "targetsessionattrs" => matches!(value, "any" | "prefer-standby"),
        "sslcompression" => parameter_switch(value) == Some(false),
        _ => false,
    }
}

/// The settings in libpq's `options`, as in `-c name=value --name=value`, and the other words.
/// A backslash keeps the next character, such as a space.
fn command_line_options(text: &str) -> (Vec<(String, String)>, Vec<String>) {
    let mut words = vec![String::new()];
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (letter, words.last_mut()) {
            ('\\', Some(word)) => word.extend(letters.next()),
            (letter, _) if letter.is_whitespace() => words.push(String::new()),
            (letter, Some(word)) => word.push(letter),
            (_, None) => {}
        }
    }
    let mut words = words.into_iter().filter(|word| !word.is_empty());
    let (mut settings, mut unknown) = (Vec::new(), Vec::new());
    while let Some(word) = words.next() {
        let assignment = match word.strip_prefix("--").or_else(|| word.strip_prefix("-c")) {
            Some("") if word == "-c" => words.next().unwrap_or_default(),
            Some(assignment) => assignment.to_owned(),
            None => String::new(),
        };
        match assignment.split_once('=') {
            Some((name, value)) if !name.is_empty() => {
                settings.push((name.replace('-', "_"), value.to_owned()));
            }
            _ => unknown.push(word),
        }
    }
    (settings, unknown)
}

#[cfg(test)]
mod tests {
    use super::{DatabaseTlsMode, UrlParameters, command_line_options};

    fn taken(name: &str, value: &str) -> UrlParameters {
        let mut parameters = UrlParameters::default();
        parameters.take(name, value).unwrap();
        parameters
    }

    #[test]
    fn tls_parameters_of_other_drivers_are_interpreted() {
        for (name, value, mode) in [
            ("sslmode", "no-verify", DatabaseTlsMode::Require),
            ("sslMode", "VERIFY_IDENTITY", DatabaseTlsMode::VerifyFull),
            ("ssl", "true", DatabaseTlsMode::Require),
            ("ssl", "0", DatabaseTlsMode::Disable),
            ("ssl", "verify-ca", DatabaseTlsMode::VerifyCa),
            ("useSSL", "true", DatabaseTlsMode::Require),
            ("useSSL", "false", DatabaseTlsMode::Disable),
            ("ssl_disabled", "True", DatabaseTlsMode::Disable),
            ("tls", "true", DatabaseTlsMode::VerifyFull),
            ("tls", "skip-verify", DatabaseTlsMode::Require),
            ("tls", "preferred", DatabaseTlsMode::Prefer),
            ("sslaccept", "strict", DatabaseTlsMode::VerifyFull),
            ("verifyServerCertificate", "true", DatabaseTlsMode::VerifyCa),
            ("sslrootcert", "system", DatabaseTlsMode::VerifyFull),
        ] {
            let parameters = taken(name, value);
            assert_eq!(parameters.tls.mode, mode, "{name}={value}");
            assert_eq!(parameters.ignored, [""; 0], "{name}={value}");
        }
    }

    #[test]
    fn a_parameter_never_lowers_what_another_requires() {
        let mut parameters = taken("sslmode", "verify-full");
        parameters.take("ssl", "true").unwrap();
        assert_eq!(parameters.tls.mode, DatabaseTlsMode::VerifyFull);
    }

    #[test]
    fn parameters_without_an_effect_are_named_as_written() {
        for (name, value) in [
            ("channel_binding", "require"),
            ("parseTime", "true"),
            ("ssl", "{\"rejectUnauthorized\":true}"),
            ("target_session_attrs", "read-write"),
            ("connection_limit", "many"),
            ("nonsense", ""),
        ] {
            assert_eq!(taken(name, value).ignored, [name], "{name}={value}");
        }
        for (name, value) in [("pgbouncer", "true"), ("charset", "utf8mb4")] {
            assert_eq!(taken(name, value).ignored, [""; 0], "{name}={value}");
        }
    }

    #[test]
    fn options_of_the_command_line_are_settings() {
        let (settings, unknown) =
            command_line_options("-c search_path=a,b --work-mem=1MB -cgeqo=off -c x=a\\ b -d 5");
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let expected = [
            pair("search_path", "a,b"),
            pair("work_mem", "1MB"),
            pair("geqo", "off"),
            pair("x", "a b"),
        ];
        assert_eq!(settings, expected);
        assert_eq!(unknown, ["-d", "5"]);
        assert_eq!(taken("schema", "nc").options.session, [pair("search_path", "nc")]);
    }
}
