//! What the gateway counts.
//!
//! Placeholder until the declared table.

use std::time::Duration;

use hyper::StatusCode;
use lychgate_common::queue::Published;

use crate::refusal::Refusal;

/// The gateway's metrics.
#[derive(Clone, Debug, Default)]
pub struct Metrics;

impl Metrics {
    pub(crate) fn accepted(&self, _source: &str, _kind: &str) {}
    pub(crate) fn duplicate(&self, _source: &str) {}
    pub(crate) fn refused(&self, _source: &str, _refusal: &Refusal) {}
    pub(crate) fn answered(&self, _source: &str, _status: StatusCode, _took: Duration) {}
    pub(crate) fn published(&self, _verdict: Published) {}
    pub(crate) fn log_lost(&self) {}
}
