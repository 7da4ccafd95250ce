//! Progress on stderr, JSON lines in a file, a table with medians at the end.

use crate::{figures::Figures, options::Binary};
use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
    time::Duration,
};

/// Says what is going on.
pub fn progress(line: &str) {
    // Nobody may be listening.
    let _ = writeln!(io::stderr(), "{line}");
}

/// Group and figure, in the order they were first measured, to the values by binary.
type MeasuredRows = Vec<((&'static str, &'static str, &'static str), BTreeMap<String, Vec<f64>>)>;

/// Everything measured so far.
pub struct BenchReport {
    json: Option<File>,
    labels: Vec<String>,
    rows: MeasuredRows,
}

impl BenchReport {
    /// Opens the file for JSON lines, if there is to be one.
    pub fn new(json: Option<&Path>, binaries: &[Binary]) -> io::Result<Self> {
        let open = |path| OpenOptions::new().create(true).append(true).open(path);
        let labels = binaries.iter().map(|binary| binary.label.clone()).collect();
        Ok(Self { json: json.map(open).transpose()?, labels, rows: Vec::new() })
    }

    /// Takes in a measurement, during which others used so much of the machine.
    pub fn add(
        &mut self,
        label: &str,
        group: &'static str,
        figures: &Figures,
        disturbed: &Duration,
    ) -> io::Result<()> {
        progress(&format!("    others used {:.1} s of processor time", disturbed.as_secs_f64()));
        for figure in &figures.0 {
            progress(&format!("    {:44} {:>12.3} {}", figure.name, figure.value, figure.unit));
            self.line(label, group, figure.name, figure.unit, figure.value, disturbed)?;
            let key = (group, figure.name, figure.unit);
            let row = match self.rows.iter_mut().find(|(known, _)| *known == key) {
                Some((_, row)) => row,
                None => {
                    self.rows.push((key, BTreeMap::new()));
                    let Some((_, row)) = self.rows.last_mut() else { continue };
                    row
                }
            };
            row.entry(label.to_owned()).or_default().push(figure.value);
        }
        Ok(())
    }

    fn line(
        &mut self,
        label: &str,
        group: &str,
        name: &str,
        unit: &str,
        value: f64,
        disturbed: &Duration,
    ) -> io::Result<()> {
        let Some(json) = &mut self.json else { return Ok(()) };
        let line = serde_json::json!({
            "binary": label, "group": group, "figure": name, "unit": unit, "value": value,
            "others_cpu_s": disturbed.as_secs_f64(),
        });
        writeln!(json, "{line}")
    }

    /// Prints the medians, one column for each binary, and how ours compares with each other one.
    pub fn table(&self) {
        if let Err(error) = self.write_table(&mut io::stdout().lock()) {
            progress(&format!("table not printed: {error}"));
        }
    }

    fn write_table(&self, out: &mut impl Write) -> io::Result<()> {
        write!(out, "{:66}", "median")?;
        for (position, label) in self.labels.iter().enumerate() {
            write!(out, "{:>16}", tail(label, 15))?;
            if position > 0 {
                write!(out, "{:>8}", "ours ÷")?;
            }
        }
        writeln!(out)?;
        for ((group, name, unit), values) in &self.rows {
            write!(out, "{:66}", format!("{group} · {name}{}", in_brackets(unit)))?;
            let medians = self.labels.iter().map(|label| values.get(label).map(|all| median(all)));
            let mut ours = None;
            for (position, value) in medians.enumerate() {
                write!(out, "{:>16}", value.map_or("–".into(), |value| format!("{value:.3}")))?;
                if position == 0 {
                    ours = value;
                } else {
                    write!(out, "{:>8}", ratio(ours, value))?;
                }
            }
            writeln!(out)?;
        }
        Ok(())
    }
}

fn in_brackets(unit: &str) -> String {
    if unit.is_empty() { String::new() } else { format!(" ({unit})") }
}

/// Of two medians of the same run; nothing where one is missing or the other is nothing.
fn ratio(ours: Option<f64>, other: Option<f64>) -> String {
    match (ours, other) {
        (Some(ours), Some(other)) if other != 0.0 => format!("{:.2}", ours / other),
        _ => String::new(),
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

fn tail(text: &str, length: usize) -> &str {
    text.char_indices().rev().nth(length - 1).map_or(text, |(index, _)| &text[index..])
}

#[cfg(test)]
mod tests {
    use super::BenchReport;
    use crate::{figures::Figures, options::Binary};
    use std::time::Duration;

    #[test]
    fn the_table_shows_medians_and_how_ours_compares() {
        let binaries =
            ["ours", "1: other"].map(|label| Binary { path: "/".into(), label: label.into() });
        let mut report = BenchReport::new(None, &binaries).unwrap();
        for (label, values) in [("ours", [9.0, 1.0, 2.0]), ("1: other", [4.0, 8.0, 0.0])] {
            for value in values {
                let mut figures = Figures::default();
                figures.add("time", "µs", value);
                report.add(label, "work", &figures, &Duration::ZERO).unwrap();
            }
        }
        let mut table = Vec::new();
        report.write_table(&mut table).unwrap();
        let table = String::from_utf8(table).unwrap();
        let row: Vec<_> = table.lines().last().unwrap().split_whitespace().collect();
        assert_eq!(row, ["work", "·", "time", "(µs)", "2.000", "4.000", "0.50"]);
    }
}
