//! The list of metrics: every one there is, with its labels and its meaning.

use std::{collections::BTreeMap, fmt::Write};

use lychgate_common::metrics::{MetricRow, ProcessMetrics};
use lychgate_gateway::GatewayMetrics;
use lychgate_worker::WorkerMetrics;

use super::follows;

/// The tables, by who has them.
const TABLES: [(&str, &[MetricRow]); 3] = [
    ("Every process", ProcessMetrics::TABLE),
    ("The gateway", GatewayMetrics::TABLE),
    ("The worker", WorkerMetrics::TABLE),
];

/// Every metric by its name.
pub(super) fn all() -> BTreeMap<&'static str, &'static MetricRow> {
    TABLES.iter().flat_map(|(_, rows)| rows.iter()).map(|row| (row.name, row)).collect()
}

fn expected() -> String {
    let mut text = "# Metrics\n\nServed in Prometheus's text format at `/metrics` of each process's ops listener. `lychgate up` serves the\n\
                    gateway's and the worker's together. This list follows from the code; a test compares them.\n"
        .to_owned();
    for (who, rows) in TABLES {
        write!(text, "\n## {who}\n\n| metric | kind | labels | meaning |\n|---|---|---|---|\n").unwrap();
        for row in rows {
            let labels: Vec<_> = row.labels.iter().map(|label| format!("`{label}`")).collect();
            writeln!(text, "| `{}` | {} | {} | {} |", row.name, row.kind.name(), labels.join(", "), row.help())
                .unwrap();
        }
    }
    text
}

#[test]
fn the_list_of_metrics_is_the_code_s() {
    follows("deploy/metrics.md", &expected());
}

#[test]
fn no_metric_has_two_meanings() {
    assert_eq!(all().len(), TABLES.iter().map(|(_, rows)| rows.len()).sum::<usize>());
}
