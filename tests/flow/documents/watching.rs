//! Alerts and dashboard ask only for metrics and labels that exist, and every alert leads to a page that helps.

use std::collections::BTreeSet;

use lychgate_common::metrics::{Kind, MetricRow};
use serde_json::Value;

use super::{metrics::all, read, words};

fn in_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Labels that Prometheus or its scraping adds.
const FOREIGN: [&str; 6] = ["le", "job", "instance", "namespace", "pod", "severity"];

/// The metric that a series' name belongs to.
fn metric(series: &str) -> &'static MetricRow {
    let all = all();
    let parts = ["_bucket", "_sum", "_count"].iter().find_map(|part| all.get(series.strip_suffix(part)?).copied());
    match (all.get(series), parts) {
        (Some(row), _) if row.kind != Kind::Histogram => row,
        (None, Some(row)) if row.kind == Kind::Histogram => row,
        (Some(_), _) => panic!("{series} is a histogram: ask for its _bucket, _sum or _count"),
        (None, _) => panic!("{series} is no metric"),
    }
}

/// Looks at one expression's metrics, selectors and groupings.
fn check(expression: &str) {
    let series = words(expression, "lychgate_", in_name);
    let mut labels: BTreeSet<&str> = FOREIGN.into();
    for name in &series {
        labels.extend(metric(name).labels);
    }
    for (at, name) in series.iter().map(|name| (name.as_ptr() as usize - expression.as_ptr() as usize, *name)) {
        let rest = &expression[at + name.len()..];
        let Some(selector) = rest.strip_prefix('{').and_then(|rest| rest.split('}').next()) else { continue };
        for matcher in selector.split("\",").filter(|matcher| !matcher.trim().is_empty()) {
            let label = matcher.trim().split(|c| !in_name(c)).next().unwrap();
            let row = metric(name);
            assert!(row.labels.contains(&label) || label == "le", "{name} has no label {label}: {expression}");
        }
    }
    for grouping in ["by (", "without (", "on (", "ignoring ("] {
        for group in expression.split(grouping).skip(1) {
            for label in group.split(')').next().unwrap().split(',').map(str::trim) {
                assert!(labels.contains(label), "nothing here has a label {label}: {expression}");
            }
        }
    }
}

/// `{{ $labels.x }}` and `{{x}}` in texts.
fn templates(text: &str) -> Vec<&str> {
    let inner = text.split("{{").skip(1).map(|rest| rest.split("}}").next().unwrap().trim());
    inner.map(|inner| inner.rsplit('.').next().unwrap().trim()).collect()
}

/// How GitHub makes a heading's anchor.
fn anchor(heading: &str) -> String {
    let kept = heading
        .trim()
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .collect::<String>();
    kept.replace(' ', "-")
}

fn anchors(document: &str) -> BTreeSet<String> {
    let text = read(document);
    text.lines()
        .filter_map(|line| line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#')))
        .map(anchor)
        .collect()
}

/// The alerts' fields, by a reading that knows how this file is laid out.
fn alerts() -> Vec<(String, String, String)> {
    let text = read("deploy/alerts.yaml");
    let alerts = text.split("- alert: ").skip(1).map(|alert| {
        let field = |name: &str| {
            let start = alert.find(name).unwrap_or_else(|| panic!("no {name} in {alert}")) + name.len();
            let folded = alert[start..]
                .lines()
                .enumerate()
                .take_while(|(number, line)| *number == 0 || line.starts_with("          "));
            let joined: Vec<_> = folded.map(|(_, line)| line.trim().trim_start_matches(">-").trim()).collect();
            joined.join(" ").trim().trim_matches('"').to_owned()
        };
        (alert.lines().next().unwrap().trim().to_owned(), field("expr: "), field("runbook_url: "))
    });
    alerts.collect()
}

#[test]
fn alerts_ask_only_for_what_there_is() {
    let alerts = alerts();
    assert!(alerts.len() >= 15, "{alerts:#?}");
    for (name, expression, _) in alerts {
        assert!(!words(&expression, "lychgate_", in_name).is_empty(), "{name}: {expression:?}");
        check(&expression);
    }
}

#[test]
fn every_alert_leads_to_a_section_of_the_runbook() {
    let known = anchors("deploy/runbook.md");
    for (name, _, url) in alerts() {
        let (page, section) = url.split_once('#').unwrap_or_else(|| panic!("{name}: {url}"));
        assert!(page.ends_with("deploy/runbook.md"), "{name}: {url}");
        assert!(known.contains(section), "{name}: the runbook has no section #{section}");
    }
}

#[test]
fn links_within_the_documents_lead_somewhere() {
    for document in ["README.md", "deploy/runbook.md", "deploy/rabbitmq.md", "deploy/postgres.md"] {
        let text = read(document);
        for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            if link.starts_with("http") {
                continue;
            }
            let (page, section) = link.split_once('#').unwrap_or((link, ""));
            let folder = document.rsplit_once('/').map_or("", |(folder, _)| folder);
            let page = if page.is_empty() {
                document.to_owned()
            } else {
                format!("{folder}/{page}").trim_start_matches('/').to_owned()
            };
            assert!(super::path(&page).exists(), "{document}: {link}");
            assert!(section.is_empty() || anchors(&page).contains(section), "{document}: {link}");
        }
    }
}

#[test]
fn the_runbook_names_only_metrics_and_labels_that_exist() {
    for document in ["deploy/runbook.md", "README.md"] {
        for series in words(&read(document), "lychgate_", in_name) {
            metric(series);
        }
    }
}

#[test]
fn the_dashboard_asks_only_for_what_there_is() {
    let dashboard: Value = serde_json::from_str(&read("deploy/dashboard.json")).unwrap();
    let mut asked = 0;
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expression = target["expr"].as_str().unwrap();
            check(expression);
            for label in templates(target["legendFormat"].as_str().unwrap_or_default()) {
                assert!(expression.contains(label) || FOREIGN.contains(&label), "{label}: {expression}");
            }
            asked += 1;
        }
    }
    assert!(asked >= 10, "a dashboard shows something");
}
