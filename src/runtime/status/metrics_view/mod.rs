//! `notify_push metrics`: the live figures for a person, grouped, aligned, with rates.

mod figure_groups;
mod number_format;
mod scrape;

pub use scrape::{MetricSample, MetricsScrape};

use figure_groups::{FigureKind, GROUPS, HIDDEN_METRICS};
use number_format::{bytes, rate, span, whole};
use std::{collections::BTreeSet, fmt::Write as _};

const PREFIX: &str = "notify_push_";

/// The page in 80 columns. `before` was read `seconds` before `now`; the difference gives the rates.
/// Zero values of a family with several members are omitted.
pub fn view(before: &MetricsScrape, now: &MetricsScrape, seconds: f64) -> String {
    let mut text = String::new();
    let version = now.all("notify_push_build_info").find_map(|info| info.label("version"));
    let version = version.unwrap_or("of unknown version");
    line(&mut text, &format!("notify_push {version}, rates over {}", span(seconds)));
    let mut shown: BTreeSet<String> =
        HIDDEN_METRICS.iter().map(|name| (*name).to_owned()).collect();
    for (title, figures) in GROUPS {
        let mut group = String::new();
        for (name, label, kind) in *figures {
            let name = full(name);
            rows(&mut group, &FamilyRows { before, now, seconds, name: &name, label, kind: *kind });
            shown.insert(name);
        }
        heading(&mut text, title, &group);
    }
    let mut others = String::new();
    for name in now.names() {
        let family = family(name);
        if name.starts_with(PREFIX) && !shown.contains(family) {
            let kind =
                if name.ends_with("_total") { FigureKind::Counter } else { FigureKind::Gauge };
            let label = family.trim_start_matches(PREFIX);
            rows(&mut others, &FamilyRows { before, now, seconds, name, label, kind });
        }
    }
    heading(&mut text, "Others", &others);
    text
}

fn full(name: &str) -> String {
    if name.starts_with("process_") { name.to_owned() } else { format!("{PREFIX}{name}") }
}

/// A histogram's name without the suffix of a part.
fn family(name: &str) -> &str {
    let part = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
    part.unwrap_or(name)
}

fn heading(text: &mut String, title: &str, group: &str) {
    if !group.is_empty() {
        let columns = if group.contains('\u{1}') {
            format!("{title:<34}{:>12}{:>14}{:>10}{:>10}", "count", "rate", "median", "99 %")
        } else {
            title.to_owned()
        };
        line(text, &format!("\n{columns}"));
        text.push_str(&group.replace('\u{1}', ""));
    }
}

/// One family on two pages.
struct FamilyRows<'a> {
    before: &'a MetricsScrape,
    now: &'a MetricsScrape,
    seconds: f64,
    name: &'a str,
    label: &'a str,
    kind: FigureKind,
}

fn rows(text: &mut String, rows: &FamilyRows<'_>) {
    let FamilyRows { now, name, label, kind, .. } = *rows;
    let counted =
        if kind == FigureKind::Histogram { format!("{name}_count") } else { name.to_owned() };
    let members: Vec<&MetricSample> = now.all(&counted).collect();
    let [first, ..] = members.as_slice() else { return };
    if members.len() == 1 && first.labels.is_empty() {
        return line(text, &rows.row(2, label, first));
    }
    let all = matches!(kind, FigureKind::State | FigureKind::Gauge);
    if all || kind == FigureKind::Histogram {
        line(text, &format!("  {label}"));
    } else {
        line(text, &rows.sum(&counted));
    }
    for member in members.iter().filter(|member| all || member.value > 0.0) {
        line(text, &rows.row(4, &member.key(""), member));
    }
}

impl FamilyRows<'_> {
    fn row(&self, indent: usize, label: &str, sample: &MetricSample) -> String {
        let label = format!("{:indent$}{label}", "");
        let value = match self.kind {
            FigureKind::State => if sample.value > 0.0 { "yes" } else { "no" }.to_owned(),
            FigureKind::Bytes => bytes(sample.value),
            _ => whole(sample.value),
        };
        let mut row = format!("{label:<34}{value:>12}");
        if matches!(self.kind, FigureKind::Counter | FigureKind::Histogram) {
            let grown = sample.value - self.before.same(sample).unwrap_or(0.0);
            row += &format!("{:>14}", rate(grown, self.seconds));
        }
        if self.kind == FigureKind::Histogram {
            let key = sample.key("le");
            let quantile = |share| self.now.quantile(self.name, &key, share).map(span);
            let [median, high] = [0.5, 0.99].map(|share| quantile(share).unwrap_or_default());
            row += &format!("{median:>10}{high:>10}\u{1}");
        }
        row
    }

    fn sum(&self, name: &str) -> String {
        let label = format!("  {}", self.label);
        let sum = self.now.sum(name);
        let grown = rate(sum - self.before.sum(name), self.seconds);
        format!("{label:<34}{:>12}{grown:>14}", whole(sum))
    }
}

fn line(text: &mut String, line: &str) {
    // Writing to a String can't fail.
    let _ = writeln!(text, "{}", line.trim_end());
}

#[cfg(test)]
mod tests {
    use super::{GROUPS, MetricsScrape, family, full, view};
    use crate::{
        push::{AuthDecision, LoginResult, notice::TopicId},
        runtime::MetricsPage,
        services::{MetricLabelNames, ServiceMetrics},
    };
    use std::time::Duration;

    fn observers() -> ServiceMetrics {
        ServiceMetrics::register(MetricLabelNames {
            service: None,
            topics: &["file", "activity", "notification"],
            channels: &["notify_activity"],
            methods: &["ticket", "database"],
        })
        .unwrap()
    }

    fn page(observers: &ServiceMetrics) -> String {
        let mut page = MetricsPage::new("1.2.3").unwrap();
        page.add(None, observers.metrics().clone(), None);
        page.text().unwrap()
    }

    #[test]
    fn what_has_a_name_for_people_is_still_counted_and_what_has_none_is_shown_all_the_same() {
        let page = page(&observers());
        // Read from owners that don't exist here, or from the process.
        let elsewhere = |name: &str| {
            let gauges = ["ready", "dependency_up", "pending_notices", "clients_blocked"];
            name.starts_with("process_") || name.starts_with("queue_") || gauges.contains(&name)
        };
        let scrape = MetricsScrape::parse(&page);
        let counted: Vec<&str> = scrape.names().into_iter().map(family).collect();
        for (name, ..) in GROUPS.iter().flat_map(|(_, figures)| *figures) {
            assert!(elsewhere(name) || counted.contains(&&*full(name)), "{name}");
        }
        let new = page + "notify_push_news_total{kind=\"good\"} 7\n";
        let shown = view(&scrape, &MetricsScrape::parse(&new), 1.0);
        assert!(
            shown.contains("\nOthers\n  news_total  ") && shown.contains("    good  "),
            "{shown}"
        );
    }

    #[test]
    fn totals_rates_and_quantiles_are_aligned_and_zeros_are_left_out() {
        let observers = observers();
        let wait = Duration::from_millis(100);
        observers.hub.notified(TopicId(0), 12_000, wait, Duration::ZERO);
        let before = MetricsScrape::parse(&page(&observers));
        observers.hub.notified(TopicId(0), 345, wait, Duration::ZERO);
        observers.auth.outcomes.inc(LoginResult::Accepted(()));
        observers.auth.checked("database", AuthDecision::Accept(()), Duration::from_millis(3));
        let shown = view(&before, &MetricsScrape::parse(&page(&observers)), 2.0);
        for line in [
            "notify_push 1.2.3, rates over 2.0 s\n",
            "  messages sent                         12 345         173/s\n",
            "    file                                12 345         173/s\n",
            "How long it takes                        count          rate    median      99 %\n",
            "    file                                12 345         173/s     75 ms    100 ms\n",
            "    accepted                                 1         0.5/s\n",
        ] {
            assert!(shown.contains(line), "{line}\n{shown}");
        }
        assert!(!shown.contains("rejected"), "{shown}");
        assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    }
}
