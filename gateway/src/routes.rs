//! Method and path to door: the one list of what the public listener answers.

use std::{collections::HashMap, sync::Arc};

use hyper::{Method, Uri};
use lychgate_common::{event::EventId, source::Source};

use crate::{refusal::Refusal, webhooks::Page};

/// A path's named parameters.
pub(crate) type Params = Vec<(Arc<str>, String)>;

/// A door of the public listener.
#[derive(Debug)]
pub(crate) enum Door<'a> {
    /// A webhook for this source, or a handshake.
    Ingest(&'a Source, Params),
    /// A browser that asks whether its page may call this source.
    Preflight(&'a Source),
    /// What became of an event.
    Receipt(EventId),
    /// The description of this interface.
    OpenApi,
    /// How everything is.
    HealthMonitor,
    /// Signing in with a magic token.
    Magic,
    /// What would a payload do?
    Simulation,
    /// Who is told of which events.
    Webhooks(Page<'a>),
}

/// The table of doors.
#[derive(Debug)]
pub(crate) struct Routes {
    sources: Vec<Source>,
    /// Paths without parameters, to the index of their source.
    fixed: HashMap<Arc<str>, usize>,
}

impl Routes {
    pub(crate) fn new(sources: Vec<Source>) -> Self {
        let fixed = sources
            .iter()
            .enumerate()
            .filter(|(_, source)| source.path().params().next().is_none())
            .map(|(index, source)| (Arc::from(source.path().as_str()), index))
            .collect();
        Self { sources, fixed }
    }

    pub(crate) fn source(&self, name: &str) -> Option<&Source> {
        self.sources.iter().find(|source| source.name().as_ref() == name)
    }

    /// Finds the door, or says why there is none: 404, or 405 with what is allowed.
    pub(crate) fn door<'a>(&'a self, method: &Method, uri: &'a Uri) -> Result<Door<'a>, Refusal> {
        let path = uri.path();
        if let Some((source, params)) = self.matching(path) {
            return match source.methods().contains(method) {
                true => Ok(Door::Ingest(source, params)),
                false if method == Method::OPTIONS && source.origins().is_some() => Ok(Door::Preflight(source)),
                false if source.greets(method) => Ok(Door::Ingest(source, params)),
                false => Err(Refusal::MethodNotAllowed(allowed(source))),
            };
        }
        if let Some(page) = Page::of(path) {
            return match page.methods().contains(method) {
                true => Ok(Door::Webhooks(page)),
                false => Err(Refusal::MethodNotAllowed(listed(page.methods()))),
            };
        }
        let (door, right) = match (path, path.strip_prefix("/events/")) {
            (_, Some(id)) => (Door::Receipt(id.parse().map_err(|_| Refusal::NotFound)?), Method::GET),
            ("/openapi.json", None) => (Door::OpenApi, Method::GET),
            ("/webhooks/health-monitor", None) => (Door::HealthMonitor, Method::GET),
            ("/auth/magic", None) => (Door::Magic, Method::POST),
            ("/webhooks/test-simulation", None) => (Door::Simulation, Method::POST),
            (_, None) => return Err(Refusal::NotFound),
        };
        if *method == right { Ok(door) } else { Err(Refusal::MethodNotAllowed(right.to_string())) }
    }

    fn matching(&self, path: &str) -> Option<(&Source, Params)> {
        if let Some(source) = self.fixed.get(path).and_then(|index| self.sources.get(*index)) {
            return Some((source, Params::new()));
        }
        self.sources.iter().find_map(|source| source.path().matches(path).map(|params| (source, params)))
    }
}

/// The methods of a source's events, for whoever used another.
pub(crate) fn allowed(source: &Source) -> String {
    listed(source.methods())
}

fn listed(methods: &[Method]) -> String {
    methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ")
}
