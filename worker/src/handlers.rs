//! The sync handlers, one file or folder per source preset, and the registry that picks among them.
//!
//! A handler is picked by the event's source where one is registered for it (a source that forwards), else by the preset
//! that the source is made from. What a handler may do stands in [`crate::handler`].

pub mod atomic_guide;
pub mod faithflow;
pub mod fields;
pub mod forward;
pub mod mail;
pub mod platform;
pub mod social_share;
pub mod stripe;
pub mod systemeio;
pub mod webhooks;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use lychgate_common::event::Event;

use crate::handler::Handler;

/// Handlers by source and by preset, and which sources this worker's settings name.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    known: BTreeSet<Arc<str>>,
    by_source: BTreeMap<Arc<str>, Arc<dyn Handler>>,
    by_preset: BTreeMap<&'static str, Arc<dyn Handler>>,
}

impl Registry {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more; a handler that was there for this preset is replaced.
    #[must_use]
    pub fn with(mut self, preset: &'static str, handler: impl Handler + 'static) -> Self {
        self.by_preset.insert(preset, Arc::new(handler));
        self
    }

    /// One more for a single source, whatever its preset.
    #[must_use]
    pub fn with_source(mut self, source: &Arc<str>, handler: impl Handler + 'static) -> Self {
        self.by_source.insert(Arc::clone(source), Arc::new(handler));
        self
    }

    /// A source is known: an event of it that no handler wants is rightly ignored.
    #[must_use]
    pub fn knowing(mut self, source: &Arc<str>) -> Self {
        self.known.insert(Arc::clone(source));
        self
    }

    /// Whether this worker's settings name the source. Another one may be new, and its handler with it.
    pub fn knows(&self, source: &str) -> bool {
        self.known.contains(source)
    }

    /// The handler for an event.
    pub fn handler(&self, event: &Event) -> Option<&Arc<dyn Handler>> {
        self.by_source.get(&event.source).or_else(|| self.by_preset.get(event.preset.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::future::BoxFuture;
    use jiff::Timestamp;
    use lychgate_common::event::EventId;

    use super::*;
    use crate::handler::{Failure, Handled};

    #[derive(Debug)]
    struct Says(&'static str);

    impl Handler for Says {
        fn handle<'a>(&'a self, _event: &'a Event) -> BoxFuture<'a, Result<Handled, Failure>> {
            Box::pin(std::future::ready(Ok(Handled::ignored(self.0))))
        }
    }

    #[tokio::test]
    async fn a_sources_own_handler_comes_before_its_presets() {
        let registry = Registry::new().with("github", Says("preset")).with_source(&"ci".into(), Says("source"));
        let event = |source: &str, preset: &str| Event {
            id: EventId::new(Timestamp::UNIX_EPOCH),
            source: source.into(),
            preset: preset.into(),
            tenant: "".into(),
            kind: "push".into(),
            subject: None,
            occurred_at: None,
            received_at: Timestamp::UNIX_EPOCH,
            body: Bytes::new(),
        };
        for (source, preset, says) in [("ci", "github", "source"), ("other", "github", "preset")] {
            let event = event(source, preset);
            let handled = registry.handler(&event).unwrap().handle(&event).await.unwrap();
            assert_eq!(handled.ignored.as_deref(), Some(says));
        }
        assert!(registry.handler(&event("other", "generic")).is_none());
    }
}
