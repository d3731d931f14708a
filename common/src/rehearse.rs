//! The seam through which the gateway can ask what an event would do, in a process that has handlers.
//!
//! `lychgate up` wires the worker's handlers in; a gateway alone has none, and says so.

use std::fmt;

use futures_util::future::BoxFuture;
use serde_json::Value;

use crate::event::Event;

/// Runs an event's handler without effect.
pub trait Rehearse: Send + Sync + fmt::Debug {
    /// What the handler would return: the outcome, the changes, the error. Nothing is written anywhere.
    fn rehearse<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Value>;
}
