//! The kinds of metric, each with its labels counted by the type, so that a forgotten label does not compile.
//!
//! Thin coats over the `prometheus` crate, which panics where the number of labels is wrong; here it cannot be.

use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, core::Collector,
};

use super::{MetricsError, Registry};

/// What a metric does over time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts values by size.
    Histogram,
}

impl Kind {
    /// As Prometheus names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One line of a table of metrics.
#[derive(Clone, Copy, Debug)]
pub struct MetricRow {
    /// The full name, unit included.
    pub name: &'static str,
    /// The kind.
    pub kind: Kind,
    /// The labels' names, in the order in which values are given.
    pub labels: &'static [&'static str],
    /// The doc comment as written; [`MetricRow::help`] has it in shape.
    pub doc: &'static str,
    /// A histogram's upper bounds; empty for the others.
    pub buckets: &'static [f64],
}

impl MetricRow {
    /// The help text.
    pub fn help(&self) -> &'static str {
        self.doc.trim()
    }

    fn opts(&self) -> Opts {
        Opts::new(self.name, self.help())
    }
}

/// A kind of metric that a row can be made into.
pub trait Declare: Sized {
    /// Makes and registers it.
    fn declare(row: &MetricRow, registry: &prometheus::Registry) -> Result<Self, prometheus::Error>;
}

impl Registry {
    /// Registers one row; used by [`metrics!`](crate::metrics!).
    pub fn declare<M: Declare>(&self, row: &MetricRow) -> Result<M, MetricsError> {
        Ok(M::declare(row, &self.0)?)
    }
}

/// Makes a coat of one kind.
macro_rules! kind {
    ($(#[doc = $about:literal])+ $name:ident, $vec:ident, $one:ident, |$row:ident| $make:expr) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug)]
        pub struct $name<const N: usize>($vec);

        impl<const N: usize> $name<N> {
            /// The one with these label values, in the order declared. Keep it where the way is hot.
            pub fn with(&self, labels: [&str; N]) -> $one {
                // Panics only where the number of labels is wrong, and N is the number declared.
                self.0.with_label_values(&labels)
            }

            /// Creates every combination of these values at zero.
            pub fn zero(&self, values: [&[&str]; N]) {
                each(&values, &mut |labels| {
                    // As in `with`: one value for each of the N labels.
                    self.0.with_label_values(labels);
                });
            }
        }

        impl<const N: usize> Declare for $name<N> {
            fn declare($row: &MetricRow, registry: &prometheus::Registry) -> Result<Self, prometheus::Error> {
                let metric: $vec = $make?;
                registry.register(Box::new(metric.clone()) as Box<dyn Collector>)?;
                if N == 0 {
                    metric.with_label_values::<&str>(&[]);
                }
                Ok(Self(metric))
            }
        }
    };
}

kind!(
    /// Counters by `N` labels.
    Counters, IntCounterVec, IntCounter, |row| IntCounterVec::new(row.opts(), row.labels)
);
kind!(
    /// Gauges by `N` labels.
    Gauges, GaugeVec, Gauge, |row| GaugeVec::new(row.opts(), row.labels)
);
kind!(
    /// Histograms by `N` labels.
    Histograms, HistogramVec, Histogram, |row| {
        HistogramVec::new(HistogramOpts::from(row.opts()).buckets(row.buckets.to_vec()), row.labels)
    }
);

impl<const N: usize> Gauges<N> {
    /// Forgets every combination, before a whole set is written anew.
    pub fn clear(&self) {
        self.0.reset();
    }
}

/// Calls `with` for every combination of the labels' values.
fn each(values: &[&[&str]], with: &mut dyn FnMut(&[&str])) {
    fn step<'v>(values: &[&'v [&'v str]], chosen: &mut Vec<&'v str>, with: &mut dyn FnMut(&[&str])) {
        let Some((first, rest)) = values.split_first() else { return with(chosen) };
        for value in *first {
            chosen.push(value);
            step(rest, chosen, with);
            chosen.pop();
        }
    }
    step(values, &mut Vec::with_capacity(values.len()), with);
}

#[cfg(test)]
mod tests {
    use crate::metrics::{COUNTS, ProcessMetrics, Registry};

    crate::metrics! {
        /// One of each.
        struct Sample {
            /// Counted,
            /// over two lines.
            counted: counter "lychgate_counted_total" [source, outcome];
            /// Up and down.
            level: gauge "lychgate_level" [];
            /// How many.
            sizes: histogram "lychgate_sizes" [lane] in COUNTS;
        }
    }

    #[test]
    fn a_closed_set_is_there_at_zero_and_the_doc_is_the_help() {
        let registry = Registry::new();
        let sample = Sample::new(&registry).unwrap();
        sample.counted.zero([&["a", "b"], &["ok", "bad"]]);
        sample.counted.with(["a", "ok"]).inc_by(2);
        sample.sizes.with(["fresh"]).observe(3.0);
        sample.level.with([]).set(0.5);
        let text = registry.text().unwrap();
        for line in [
            "# HELP lychgate_counted_total Counted, over two lines.",
            "# TYPE lychgate_sizes histogram",
            r#"lychgate_counted_total{outcome="ok",source="a"} 2"#,
            r#"lychgate_counted_total{outcome="bad",source="b"} 0"#,
            r#"lychgate_sizes_bucket{lane="fresh",le="5"} 1"#,
            "lychgate_level 0.5",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }

    #[test]
    fn a_table_registered_twice_is_an_error() {
        let registry = Registry::new();
        ProcessMetrics::new(&registry).unwrap();
        assert!(ProcessMetrics::new(&registry).is_err());
    }

    #[test]
    fn every_name_is_ours_and_says_its_unit() {
        assert_eq!(Sample::TABLE[0].labels, ["source", "outcome"]);
        for row in ProcessMetrics::TABLE.iter().chain(Sample::TABLE) {
            assert!(row.name.starts_with("lychgate_") && row.help().ends_with('.'), "{row:?}");
        }
    }
}
