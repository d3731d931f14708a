//! Why a source cannot be built from its settings.

use std::sync::Arc;

use thiserror::Error;

use super::KeyFault;

/// A source that cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SourceFault {
    /// Nobody could ever be authenticated.
    #[error("source `{source_name}` has no secret: set `secrets`")]
    NoSecret {
        /// The source.
        source_name: Arc<str>,
    },
    /// No page may call it.
    #[error("source `{source_name}` has no origin: set `origins`")]
    NoOrigin {
        /// The source.
        source_name: Arc<str>,
    },
    /// Nothing says what is meant for it.
    #[error("source `{source_name}` has no `{setting}`: {why}")]
    Unbound {
        /// The source.
        source_name: Arc<str>,
        /// What must be set.
        setting: &'static str,
        /// Why.
        why: &'static str,
    },
    /// A secret is of no use.
    #[error("source `{source_name}`: secret {number} {fault}")]
    Secret {
        /// The source.
        source_name: Arc<str>,
        /// Which one, counted from 1.
        number: usize,
        /// What is wrong with it.
        fault: KeyFault,
    },
}
