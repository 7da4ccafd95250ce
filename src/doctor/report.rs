//! The report as text of 80 columns and as JSON: a pure function of the findings.

use super::wrap;
use crate::{
    config::ServiceName,
    doctor::finding::{CheckFinding, FindingState, RemedyStep},
};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// The width of a terminal.
const WIDTH: usize = 80;
/// The column of the check's name.
const NAME: usize = 2;
/// The column of the observation; a longer name moves it to the next line.
const TEXT: usize = 15;
/// The column of lines to paste: they are long, and further left they are easier to select.
const PASTED: usize = 4;

/// SGR parameters of a terminal: ECMA-48 section 8.3.117.
#[derive(Clone, Copy)]
enum ReportColour {
    Bold = 1,
    Dim = 2,
    Red = 31,
    Green = 32,
    Yellow = 33,
}

/// How the text looks.
#[derive(Debug, Clone, Copy)]
pub struct ReportStyle {
    /// Whether it is for a terminal that takes colours.
    pub colours: bool,
}

impl ReportStyle {
    /// The heading of the report.
    pub fn heading(self) -> String {
        let title = concat!("notify_push ", env!("CARGO_PKG_VERSION"), " doctor");
        format!("{}\n\n", self.inked(ReportColour::Bold, title))
    }

    /// The text of one finding.
    pub fn finding(self, finding: &CheckFinding) -> String {
        let (mark, ink) = mark(finding.state);
        let mut name = format!("{:<1$}", finding.check.name(), TEXT - NAME);
        if !name.ends_with(' ') {
            name += &format!("\n{:TEXT$}", "");
        }
        let dim = finding.state == FindingState::Skipped;
        let mut text =
            format!("{} {}", self.inked(ink, mark), self.inked(ReportColour::Bold, &name));
        let observed = wrap::prose(&finding.observed, WIDTH - TEXT);
        self.hang(&mut text, &observed, if dim { Some(ReportColour::Dim) } else { None });
        for detail in &finding.details {
            self.block(
                &mut text,
                TEXT,
                &wrap::prose(detail, WIDTH - TEXT),
                Some(ReportColour::Dim),
            );
        }
        if !finding.why.is_empty() {
            let why = format!("Why: {}", finding.why);
            self.block(&mut text, TEXT, &wrap::prose(&why, WIDTH - TEXT), None);
        }
        self.remedy(&mut text, &finding.remedy);
        text
    }

    /// The counts in the last line.
    pub fn summary<'f>(self, findings: impl IntoIterator<Item = &'f CheckFinding>) -> String {
        let (mut fine, mut hints, mut wrong, mut skipped) = (0, 0, 0, 0);
        for finding in findings {
            *match finding.state {
                FindingState::Fine => &mut fine,
                FindingState::Hint => &mut hints,
                FindingState::Wrong => &mut wrong,
                FindingState::Skipped => &mut skipped,
            } += 1;
        }
        let (ink, verdict) = match wrong {
            0 => (ReportColour::Green, "No problems found"),
            _ => (ReportColour::Red, "Problems found"),
        };
        let verdict = self.inked(ink, verdict);
        let s = if hints == 1 { "" } else { "s" };
        format!("\n{verdict}: {fine} fine, {hints} hint{s}, {wrong} wrong, {skipped} skipped.\n")
    }

    /// The complete report.
    pub fn text(self, findings: &[CheckFinding]) -> String {
        let body: String = findings.iter().map(|finding| self.finding(finding)).collect();
        self.heading() + &body + &self.summary(findings)
    }

    fn remedy(self, text: &mut String, remedy: &[RemedyStep]) {
        let mut pasted = false;
        for (number, step) in remedy.iter().enumerate() {
            let width = WIDTH - PASTED;
            let lines = match step {
                RemedyStep::Do(words) => {
                    let words = if number == 0 { format!("Do: {words}") } else { words.clone() };
                    let close = if pasted { "\n" } else { "" };
                    text.push_str(close);
                    pasted = false;
                    self.block(text, TEXT, &wrap::prose(&words, WIDTH - TEXT), None);
                    continue;
                }
                RemedyStep::Shell(command) => wrap::shell(command, width),
                RemedyStep::Sql(statement) => wrap::sql(statement, width),
                RemedyStep::Lines(lines) => lines.lines().map(str::to_owned).collect(),
            };
            let open = if pasted { "" } else { "\n" };
            text.push_str(open);
            pasted = true;
            self.block(text, PASTED, &lines, Some(ReportColour::Bold));
        }
        if pasted {
            text.push('\n');
        }
    }

    /// Adds lines; the first continues the current line.
    fn hang(self, text: &mut String, lines: &[String], ink: Option<ReportColour>) {
        let (first, rest) = lines.split_first().map_or(("", lines), |(first, rest)| (first, rest));
        let first = ink.map_or_else(|| first.to_owned(), |ink| self.inked(ink, first));
        // Writing to a String can't fail.
        let _ = writeln!(text, "{first}");
        self.block(text, TEXT, rest, ink);
    }

    fn block(self, text: &mut String, indent: usize, lines: &[String], ink: Option<ReportColour>) {
        for line in lines {
            let line = ink.map_or_else(|| line.clone(), |ink| self.inked(ink, line));
            let _ = writeln!(text, "{:indent$}{line}", "");
        }
    }

    fn inked(self, ink: ReportColour, text: &str) -> String {
        match self.colours {
            true => format!("\x1b[{}m{text}\x1b[0m", ink as u8),
            false => text.to_owned(),
        }
    }
}

fn mark(state: FindingState) -> (&'static str, ReportColour) {
    match state {
        FindingState::Fine => ("✓", ReportColour::Green),
        FindingState::Hint => ("!", ReportColour::Yellow),
        FindingState::Wrong => ("✗", ReportColour::Red),
        FindingState::Skipped => ("–", ReportColour::Dim),
    }
}

/// The report as JSON, each finding with the name of its service if it has one. Names and types are stable;
/// fields may be added.
pub fn json(findings: &[(Option<ServiceName>, CheckFinding)]) -> String {
    let wrong = is_wrong(findings.iter().map(|(_, finding)| finding));
    let report = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "fine": !wrong,
        "findings": findings.iter().map(|(service, finding)| value(service.as_ref(), finding)).collect::<Vec<_>>(),
    });
    format!("{report:#}\n")
}

fn value(service: Option<&ServiceName>, finding: &CheckFinding) -> Value {
    let state = match finding.state {
        FindingState::Fine => "fine",
        FindingState::Hint => "hint",
        FindingState::Wrong => "wrong",
        FindingState::Skipped => "skipped",
    };
    let step = |step: &RemedyStep| match step {
        RemedyStep::Do(text) => json!({ "do": text }),
        RemedyStep::Shell(text) => json!({ "shell": text }),
        RemedyStep::Sql(text) => json!({ "sql": text }),
        RemedyStep::Lines(text) => json!({ "lines": text }),
    };
    let mut value = json!({
        "check": finding.check.name(),
        "state": state,
        "observed": finding.observed,
        "details": finding.details,
        "why": finding.why,
        "remedy": finding.remedy.iter().map(step).collect::<Vec<_>>(),
    });
    if let Some(service) = service {
        value["service"] = service.as_str().into();
    }
    value
}

/// Whether any finding is wrong.
pub fn is_wrong<'f>(findings: impl IntoIterator<Item = &'f CheckFinding>) -> bool {
    findings.into_iter().any(|finding| finding.state == FindingState::Wrong)
}

#[cfg(test)]
mod tests {
    use super::{ReportStyle, ServiceName, json};
    use crate::doctor::finding::{CheckFinding, CheckId};

    fn findings() -> Vec<CheckFinding> {
        vec![
            CheckFinding::fine(CheckId::Redis, "127.0.0.1:6379 answers"),
            CheckFinding::hint(CheckId::Clock, "Redis is 7 s ahead").why("app passwords expire").advise("Run NTP"),
            CheckFinding::wrong(CheckId::Proxies, "a very long description of what was observed")
                .detail("client → 10.0.0.7 → daemon")
                .why("Nextcloud throttles logins by address")
                .advise("Let Nextcloud believe the proxy:")
                .run("sudo -u www-data php /var/www/nextcloud/occ config:system:set trusted_proxies 3 --value=10.0.0.7")
                .advise("Then run this again."),
            CheckFinding::skipped(CheckId::Idle, "endpoint failed"),
            CheckFinding::fine(CheckId::Own("registrations"), "they are in Redis"),
        ]
    }

    const TEXT: &str = "\
notify_push 0.1.0 doctor

✓ redis        127.0.0.1:6379 answers
! clock        Redis is 7 s ahead
               Why: app passwords expire
               Do: Run NTP
✗ proxies      a very long description of what was observed
               client → 10.0.0.7 → daemon
               Why: Nextcloud throttles logins by address
               Do: Let Nextcloud believe the proxy:

    sudo -u www-data php /var/www/nextcloud/occ config:system:set \\
      trusted_proxies 3 --value=10.0.0.7

               Then run this again.
– idle         skipped because endpoint failed
✓ registrations
               they are in Redis

Problems found: 2 fine, 1 hint, 1 wrong, 1 skipped.
";

    #[test]
    fn the_text_is_aligned_and_plain_without_colours() {
        assert_eq!(ReportStyle { colours: false }.text(&findings()), TEXT);
    }

    #[test]
    fn colours_change_no_text() {
        let coloured = ReportStyle { colours: true }.text(&findings());
        assert!(coloured.contains("\x1b[31m✗\x1b[0m"));
        let mut plain = String::new();
        for (number, part) in coloured.split('\x1b').enumerate() {
            plain += if number == 0 { part } else { part.split_once('m').unwrap().1 };
        }
        assert_eq!(plain, TEXT);
    }

    #[test]
    fn json_has_all_fields() {
        let service = ServiceName::parse("a");
        let named: Vec<_> = findings().into_iter().map(|found| (service.clone(), found)).collect();
        let read: serde_json::Value = serde_json::from_str(&json(&named)).unwrap();
        assert_eq!(read["fine"], false);
        assert_eq!(read["findings"][2]["remedy"][1]["shell"].as_str().map(str::len), Some(96));
        assert_eq!(read["findings"][3]["state"], "skipped");
        assert_eq!(read["findings"][3]["service"], "a");
    }
}
