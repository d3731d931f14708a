//! One declared table of metrics per process.
//!
//! [`metrics!`](crate::metrics!) turns a struct with doc comments into registered metrics; the doc is the help text, and
//! the same rows are there as data, so that the documentation and the alerts can be checked against them. Label values
//! come from closed sets; where the set is known at the start, it is created at zero, so that a rate never misses the
//! first event. Nothing here decides what is counted.

mod declared;

pub use self::declared::{Counters, Gauges, Histograms, Kind, MetricRow};

/// Buckets for times in seconds, from a group commit's half millisecond to a handler's half minute.
pub const SECONDS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Buckets for how many at once: batches of events, rows, acknowledgements.
pub const COUNTS: &[f64] = &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0];

/// Buckets for sizes in bytes.
pub const BYTES: &[f64] = &[256.0, 1024.0, 4096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0, 4_194_304.0];

/// Why a table could not be registered: a name twice, or one that Prometheus does not allow.
#[derive(Debug, thiserror::Error)]
#[error("the metrics cannot be registered: {0}")]
pub struct MetricsError(#[from] prometheus::Error);

/// Where the tables of a process come together.
#[derive(Clone, Debug, Default)]
pub struct Registry(prometheus::Registry);

impl Registry {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Everything in Prometheus's text format.
    pub fn text(&self) -> Result<String, MetricsError> {
        Ok(prometheus::TextEncoder::new().encode_to_string(&self.0.gather())?)
    }
}

/// Declares a process's table of metrics.
///
/// ```
/// lychgate_common::metrics! {
///     /// What the gateway counts.
///     pub struct GatewayMetrics {
///         /// Events made durable.
///         pub accepted: counter "lychgate_accepted_total" [source, type];
///         /// Time from a request's head to its answer.
///         pub answer: histogram "lychgate_answer_seconds" [source] in lychgate_common::metrics::SECONDS;
///         /// Requests between head and answer.
///         pub in_flight: gauge "lychgate_in_flight" [];
///     }
/// }
/// let registry = lychgate_common::metrics::Registry::new();
/// let metrics = GatewayMetrics::new(&registry)?;
/// metrics.accepted.zero([&["platform"], &["user.created", "other"]]);
/// metrics.accepted.with(["platform", "user.created"]).inc();
/// assert!(registry.text()?.contains(r#"lychgate_accepted_total{source="platform",type="user.created"} 1"#));
/// assert_eq!(GatewayMetrics::TABLE[0].help(), "Events made durable.");
/// # Ok::<(), lychgate_common::metrics::MetricsError>(())
/// ```
#[macro_export]
macro_rules! metrics {
    (
        $(#[doc = $about:literal])+
        $vis:vis struct $name:ident {
            $(
                $(#[doc = $help:literal])+
                $field_vis:vis $field:ident: $kind:ident $metric:literal [$($label:ident),*] $(in $buckets:expr)?;
            )+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug)]
        $vis struct $name {
            $($(#[doc = $help])+ $field_vis $field: $crate::metrics!(@type $kind, [$($label),*]),)+
        }

        impl $name {
            /// The table as data, in the order declared.
            $vis const TABLE: &'static [$crate::metrics::MetricRow] = &[$(
                $crate::metrics!(@row $kind $metric [$($label),*] [$($help),+] [$($buckets)?])
            ),+];

            /// Registers the table.
            $vis fn new(registry: &$crate::metrics::Registry) -> Result<Self, $crate::metrics::MetricsError> {
                Ok(Self {
                    $($field: registry.declare(
                        &$crate::metrics!(@row $kind $metric [$($label),*] [$($help),+] [$($buckets)?])
                    )?,)+
                })
            }
        }
    };
    (@row $kind:ident $metric:literal [$($label:ident),*] [$($help:literal),+] [$($buckets:expr)?]) => {
        $crate::metrics::MetricRow {
            name: $metric,
            kind: $crate::metrics!(@kind $kind),
            labels: &[$(stringify!($label)),*],
            doc: concat!($($help),+),
            buckets: $crate::metrics!(@buckets $($buckets)?),
        }
    };
    (@type counter, [$($label:ident),*]) => { $crate::metrics::Counters<{ <[&str]>::len(&[$(stringify!($label)),*]) }> };
    (@type gauge, [$($label:ident),*]) => { $crate::metrics::Gauges<{ <[&str]>::len(&[$(stringify!($label)),*]) }> };
    (@type histogram, [$($label:ident),*]) => { $crate::metrics::Histograms<{ <[&str]>::len(&[$(stringify!($label)),*]) }> };
    (@kind counter) => { $crate::metrics::Kind::Counter };
    (@kind gauge) => { $crate::metrics::Kind::Gauge };
    (@kind histogram) => { $crate::metrics::Kind::Histogram };
    (@buckets) => { &[] };
    (@buckets $buckets:expr) => { $buckets };
}

metrics! {
    /// What every process says of itself.
    pub struct ProcessMetrics {
        /// Always 1; the labels say which version and build is running.
        pub build: gauge "lychgate_build_info" [version, build];
        /// When the process started, in seconds since 1970.
        pub started: gauge "lychgate_start_time_seconds" [];
        /// 1 from the first signal until the process has ended.
        pub stopping: gauge "lychgate_stopping" [];
        /// Health checks by name: 1 up, 0.5 degraded, 0 down; renewed with every question for `/readyz`.
        pub check: gauge "lychgate_check_state" [check];
    }
}
