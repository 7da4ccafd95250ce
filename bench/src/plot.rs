//! Draws what the group `growth` measured, as SVG, beside the original's published figures.

use crate::{
    groups::growth::{ALL, STEPS},
    report::progress,
};
use serde_json::Value;
use std::{collections::BTreeMap, error::Error, fmt::Write as _, fs, path::Path};

/// The original, 1.4.0, on two cores (issue 4 of this project): memory before anybody is there and
/// for each connection, processor time for each connection and second.
const ORIGINAL: OriginalSlope = OriginalSlope { base_mb: 13.0, kb_each: 12.6, micros_each: 6.8 };
const ORIGINAL_NAME: &str = "Nextcloud's daemon 1.4.0 (line from its measured slope, another run)";
const OUR_NAME: &str = "this daemon (measured)";

struct OriginalSlope {
    base_mb: f64,
    kb_each: f64,
    micros_each: f64,
}

/// A line with its name and colour.
struct PlotLine {
    name: &'static str,
    colour: &'static str,
    points: Vec<(f64, f64)>,
    /// Whether the points themselves were measured.
    measured: bool,
}

/// Writes `memory.svg` and `processor.svg`.
pub fn draw(lines: &Path, folder: &Path) -> Result<(), Box<dyn Error>> {
    let figures = growth(&fs::read_to_string(lines)?)?;
    let get = |name: &str| figures.get(name).copied().ok_or_else(|| format!("no figure {name:?}"));
    let all = get(ALL)?;
    let (mut memory, mut cpu) = (Vec::new(), Vec::new());
    for step in &STEPS {
        memory.push((all * step.part, get(step.memory)?));
        cpu.push((all * step.part, get(step.cpu)?));
    }
    let original = |at: f64, each: f64| vec![(0.0, at), (all, at + each * all)];
    let drawings = [
        (
            "memory.svg",
            "Memory (MB, proportional set size) against idle connections",
            original(ORIGINAL.base_mb, ORIGINAL.kb_each / 1e3),
            memory,
        ),
        (
            "processor.svg",
            "Processor time (ms a second) against idle connections",
            original(0.0, ORIGINAL.micros_each / 1e3),
            cpu,
        ),
    ];
    for (file, title, theirs, ours) in drawings {
        let theirs =
            PlotLine { name: ORIGINAL_NAME, colour: "#b3541e", points: theirs, measured: false };
        let ours = PlotLine { name: OUR_NAME, colour: "#1e6fb3", points: ours, measured: true };
        let path = folder.join(file);
        fs::write(&path, svg(title, &[theirs, ours])?)?;
        progress(&format!("{} written", path.display()));
    }
    Ok(())
}

/// The last value of each figure of the group, of our own daemon.
fn growth(lines: &str) -> Result<BTreeMap<String, f64>, Box<dyn Error>> {
    let mut figures = BTreeMap::new();
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line)?;
        if line["group"] == "growth" && line["binary"] == "ours" {
            let name = line["figure"].as_str().ok_or("a figure without a name")?;
            figures
                .insert(name.to_owned(), line["value"].as_f64().ok_or("a figure without value")?);
        }
    }
    Ok(figures)
}

/// The drawing's size and the place of its axes.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 60.0;
const BOTTOM: f64 = 320.0;
const TOP: f64 = 70.0;
const RIGHT: f64 = 700.0;

fn svg(title: &str, lines: &[PlotLine]) -> Result<String, std::fmt::Error> {
    let points = || lines.iter().flat_map(|line| &line.points);
    let right = round_up(points().map(|(x, _)| *x).fold(1.0, f64::max));
    let top = round_up(points().map(|(_, y)| *y).fold(f64::MIN_POSITIVE, f64::max));
    let place =
        |(x, y): (f64, f64)| (LEFT + x / right * (RIGHT - LEFT), BOTTOM - y / top * (BOTTOM - TOP));
    let mut out = String::new();
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<title>{title}</title>\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"20\" font-size=\"14\">{title}</text>"
    )?;
    axes(&mut out, right, top, place)?;
    for (line, y) in lines.iter().zip([38.0, 56.0]) {
        legend(&mut out, line, y)?;
        curve(&mut out, line, place)?;
    }
    out.push_str("</svg>\n");
    Ok(out)
}

fn axes(
    out: &mut String,
    right: f64,
    top: f64,
    place: impl Fn((f64, f64)) -> (f64, f64),
) -> std::fmt::Result {
    for step in 0..=5 {
        let part = f64::from(step) / 5.0;
        let (x, y) = place((right * part, top * part));
        writeln!(
            out,
            "<path d=\"M{LEFT} {y:.1}H{RIGHT}M{x:.1} {BOTTOM}v4\" stroke=\"#ccc\"/>\n\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\n\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            LEFT - 6.0,
            y + 4.0,
            short(top * part),
            BOTTOM + 18.0,
            short(right * part),
        )?;
    }
    Ok(())
}

fn legend(out: &mut String, PlotLine { name, colour, .. }: &PlotLine, y: f64) -> std::fmt::Result {
    writeln!(
        out,
        "<rect x=\"{LEFT}\" y=\"{:.1}\" width=\"14\" height=\"4\" fill=\"{colour}\"/>\n\
         <text x=\"{:.1}\" y=\"{y}\">{name}</text>",
        y - 6.0,
        LEFT + 20.0,
    )
}

fn curve(
    out: &mut String,
    line: &PlotLine,
    place: impl Fn((f64, f64)) -> (f64, f64),
) -> std::fmt::Result {
    let places: Vec<_> = line.points.iter().map(|point| place(*point)).collect();
    let path: Vec<_> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let (colour, dash) = (line.colour, if line.measured { "none" } else { "6 4" });
    writeln!(
        out,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" \
         stroke-dasharray=\"{dash}\"/>",
        path.join(" ")
    )?;
    for (x, y) in places.iter().filter(|_| line.measured) {
        writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{colour}\"/>")?;
    }
    Ok(())
}

/// To the next number that five steps divide well.
fn round_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.5, 10.0];
    steps.iter().map(|step| step * power).find(|step| *step >= value).unwrap_or(value)
}

fn short(value: f64) -> String {
    if value.fract() == 0.0 || value >= 100.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.1}")
    }
}

#[cfg(test)]
mod tests {
    use super::{PlotLine, growth, round_up, svg};

    #[test]
    fn only_our_own_growth_is_read_and_the_last_run_counts() {
        let line = |binary, group, value| {
            format!(
                "{{\"binary\":\"{binary}\",\"group\":\"{group}\",\"figure\":\"f\",\"value\":{value}}}"
            )
        };
        let lines = [line("ours", "growth", 1), line("ours", "growth", 2)].join("\n");
        let others = [line("1: other", "growth", 3), line("ours", "idle", 4)].join("\n");
        let read = growth(&format!("{lines}\n{others}\n")).unwrap();
        assert_eq!(read.into_iter().collect::<Vec<_>>(), [("f".to_owned(), 2.0)]);
    }

    #[test]
    fn axes_end_at_round_numbers() {
        let rounded = [0.7, 19_500.0, 258.7, 1000.0].map(round_up);
        assert_eq!(rounded, [0.75, 20_000.0, 300.0, 1000.0]);
    }

    #[test]
    fn every_measured_point_is_drawn_inside_the_axes() {
        let points = vec![(0.0, 0.0), (10.0, 5.0)];
        let line = PlotLine { name: "n", colour: "red", points, measured: true };
        let drawn = svg("t", &[line]).unwrap();
        assert_eq!(drawn.matches("<circle").count(), 2);
        assert!(
            drawn.contains("cx=\"60.0\" cy=\"320.0\"")
                && drawn.contains("cx=\"700.0\" cy=\"70.0\"")
        );
    }
}
