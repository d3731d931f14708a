//! What a sender is told once its event is safe.
//!
//! 200 unless a preset says otherwise: some senders take 202 or 204 for a failure.

use std::sync::Arc;

use bytes::Bytes;
use hyper::StatusCode;
use serde_json::{Value, json};

use crate::event::EventId;

/// JSON's content type.
pub const JSON: &str = "application/json";

/// The answer to an accepted request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its content type.
    pub content_type: Arc<str>,
    /// Its body.
    pub body: ReplyBody,
}

/// The body of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplyBody {
    /// `{"id": "…", "status": "accepted"}`; `ids` where a request brought several events or none.
    Accepted,
    /// Always the same.
    Fixed(Bytes),
    /// FaithFlow's, while the member's name is not known yet.
    MemberAccepted,
}

impl Default for Reply {
    fn default() -> Self {
        Self { status: StatusCode::OK, content_type: JSON.into(), body: ReplyBody::Accepted }
    }
}

impl Reply {
    /// The body for these events; `subject` is what a single one is about.
    pub fn body(&self, ids: &[EventId], subject: Option<&str>) -> Bytes {
        let body = match (&self.body, ids) {
            (ReplyBody::Fixed(body), _) => return body.clone(),
            (ReplyBody::Accepted, [id]) => json!({"id": id, "status": "accepted"}),
            (ReplyBody::Accepted, ids) => json!({"ids": ids, "status": "accepted"}),
            (ReplyBody::MemberAccepted, ids) => json!({
                "success": true,
                "message": "Member update accepted",
                "member_id": subject,
                "id": ids.first(),
            }),
        };
        Bytes::from(Value::to_string(&body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_event_has_an_id_and_several_have_ids() {
        let id: EventId = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        let reply = Reply::default();
        let one = r#"{"id":"01890a5d-ac96-774b-bcce-b302099a8057","status":"accepted"}"#;
        assert_eq!(reply.body(&[id], None), one);
        assert_eq!(reply.body(&[], None), r#"{"ids":[],"status":"accepted"}"#);
    }
}
