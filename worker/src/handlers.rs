//! The sync handlers, one file or folder per source preset, and the registry that picks among them.
//!
//! A handler is picked by the preset that an event's source is made from. What a handler may do stands in
//! [`crate::handler`].

pub mod faithflow;
pub mod fields;
pub mod platform;

use std::{collections::BTreeMap, sync::Arc};

use crate::handler::Handler;

/// Handlers by preset.
#[derive(Clone, Debug, Default)]
pub struct Registry(BTreeMap<&'static str, Arc<dyn Handler>>);

impl Registry {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more; a handler that was there for this preset is replaced.
    #[must_use]
    pub fn with(mut self, preset: &'static str, handler: impl Handler + 'static) -> Self {
        self.0.insert(preset, Arc::new(handler));
        self
    }

    /// The handler for events of sources made from this preset.
    pub fn handler(&self, preset: &str) -> Option<&Arc<dyn Handler>> {
        self.0.get(preset)
    }
}
