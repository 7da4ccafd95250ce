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
type Rows = Vec<((&'static str, &'static str, &'static str), BTreeMap<String, Vec<f64>>)>;

/// Everything measured so far.
pub struct Report {
    json: Option<File>,
    labels: Vec<String>,
    rows: Rows,
}

impl Report {
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

    /// Prints the medians, one column for each binary.
    pub fn table(&self) {
        let mut out = io::stdout().lock();
        let mut print = || -> io::Result<()> {
            write!(out, "{:58}", "")?;
            for label in &self.labels {
                write!(out, "{:>16}", tail(label, 15))?;
            }
            writeln!(out)?;
            for ((group, name, unit), values) in &self.rows {
                write!(out, "{:58}", format!("{group} · {name} ({unit})"))?;
                for label in &self.labels {
                    let median = values.get(label).map_or(f64::NAN, |values| median(values));
                    write!(out, "{median:>16.3}")?;
                }
                writeln!(out)?;
            }
            Ok(())
        };
        if let Err(error) = print() {
            progress(&format!("table not printed: {error}"));
        }
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
