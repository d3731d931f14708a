//! *Rehearse*: what would become of an event if it were handled now.
//!
//! Runs the real handler, which may read, and shows what it returns. Writes nothing: handlers never do, and the
//! applier is not called. A handler that calls others (forwarding) has a rehearsal of its own, which does not.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;
use lychgate_common::{
    change::Change,
    event::{Event, EventId},
    store::{Store, StoreError},
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    handler::{Failure, Handled},
    handlers::Registry,
};

/// How long a rehearsed handler may take.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// What a handler made of an event, without effect.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Rehearsal {
    /// The event.
    pub id: EventId,
    /// `succeeded`, `ignored`, `temporary`, `permanent` or `ours`.
    pub outcome: &'static str,
    /// What would be written: table, kind, row.
    pub changes: Vec<Value>,
    /// Why nothing would be done.
    pub ignored: Option<String>,
    /// What a waiting sender would be answered with.
    pub reply: Option<Value>,
    /// `{class, message, stack}` of a failure.
    pub error: Option<Value>,
}

/// Rehearses a stored event, whatever its status; `None` where there is none.
pub async fn rehearse(store: &Store, registry: &Registry, id: EventId) -> Result<Option<Rehearsal>, StoreError> {
    match store.message_of(id).await? {
        Some(message) => Ok(Some(rehearse_event(registry, &message.event).await)),
        None => Ok(None),
    }
}

/// Rehearses an event that need not be stored.
pub async fn rehearse_event(registry: &Registry, event: &Event) -> Rehearsal {
    let handled = match registry.handler(event) {
        None => Err(Failure::permanent("no_handler", format!("no handler for the preset `{}`", event.preset))),
        Some(handler) => {
            let run = AssertUnwindSafe(handler.rehearse(event)).catch_unwind();
            match tokio::time::timeout(DEADLINE, run).await {
                Ok(Ok(handled)) => handled,
                Ok(Err(_)) => Err(Failure::permanent("panicked", "the handler panicked")),
                Err(_) => Err(Failure::temporary("deadline", format!("no result after {} s", DEADLINE.as_secs()))),
            }
        }
    };
    match handled {
        Ok(handled) => foreseen(event.id, handled),
        Err(failure) => failed(event.id, &failure),
    }
}

fn foreseen(id: EventId, handled: Handled) -> Rehearsal {
    Rehearsal {
        id,
        outcome: if handled.ignored.is_some() { "ignored" } else { "succeeded" },
        changes: handled.changes.iter().map(shown).collect(),
        ignored: handled.ignored,
        reply: handled.reply,
        error: None,
    }
}

fn failed(id: EventId, failure: &Failure) -> Rehearsal {
    let outcome = match failure {
        Failure::Permanent(_) => "permanent",
        Failure::Temporary { .. } => "temporary",
        Failure::Ours(_) => "ours",
        Failure::Deferred { .. } => "deferred",
    };
    let cause = failure.cause();
    let error = json!({"class": cause.class, "message": cause.message, "stack": cause.stack()});
    Rehearsal { id, outcome, changes: Vec::new(), ignored: None, reply: None, error: Some(error) }
}

fn shown(change: &Change) -> Value {
    match change {
        Change::Merge { table, row, initial, version, only_existing } => json!({
            "table": table.name,
            "kind": if *only_existing { "update" } else { "merge" },
            "row": row,
            "initial": initial,
            "version": version.as_str(),
        }),
        Change::Append { table, row } => json!({"table": table.name, "kind": "append", "row": row}),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::future::BoxFuture;
    use jiff::Timestamp;

    use super::*;
    use crate::{handler::Handler, handlers::platform::Platform};

    #[derive(Debug)]
    struct Panics;

    impl Handler for Panics {
        fn handle<'a>(&'a self, _event: &'a Event) -> BoxFuture<'a, Result<Handled, Failure>> {
            Box::pin(async { panic!("a bug") })
        }
    }

    fn event(preset: &str, body: &'static [u8]) -> Event {
        Event {
            id: EventId::new(Timestamp::UNIX_EPOCH),
            source: "s".into(),
            preset: preset.into(),
            tenant: "".into(),
            kind: "user.deleted".into(),
            subject: None,
            occurred_at: None,
            received_at: Timestamp::UNIX_EPOCH,
            body: Bytes::from_static(body),
        }
    }

    #[tokio::test]
    async fn a_rehearsal_shows_changes_failures_and_panics() {
        let registry = Registry::new().with("platform", Platform).with("panics", Panics);
        let good = rehearse_event(&registry, &event("platform", br#"{"data":{"user":{"id":"u"}}}"#)).await;
        assert_eq!((good.outcome, good.changes[0]["table"].as_str()), ("succeeded", Some("platform_user")));
        let bad = rehearse_event(&registry, &event("platform", br#"{"data":{}}"#)).await;
        assert_eq!((bad.outcome, bad.error.unwrap()["message"].as_str()), ("permanent", Some("/data/user is missing")));
        assert_eq!(rehearse_event(&registry, &event("panics", b"")).await.outcome, "permanent");
        assert_eq!(rehearse_event(&registry, &event("unknown", b"")).await.error.unwrap()["class"], "no_handler");
    }
}
