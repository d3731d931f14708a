//! A campus of FaithFlow, set up as an operator does it, for the tests that need one.

use lychgate_tests::{
    core_api::CoreApi,
    sender::now_text,
    stage::{QUICK, QueueKind, Stage},
};
use serde_json::json;

/// The church of document B's examples.
pub(crate) const CHURCH: &str = "3880a17d-f858-4622-87c2-96eaa7b25c83";
/// The member of document B's examples.
pub(crate) const MEMBER: &str = "8655d76b-9be0-4681-bd2c-35cd5e09a809";

/// A stage with one campus and its core API.
#[derive(Debug)]
pub(crate) struct Campus {
    pub(crate) stage: Stage,
    pub(crate) core: CoreApi,
    pub(crate) secret: String,
}

impl Campus {
    pub(crate) async fn set(kind: QueueKind) -> Self {
        Self::set_with(kind, QUICK).await
    }

    pub(crate) async fn set_with(kind: QueueKind, more: &str) -> Self {
        let core = CoreApi::start("core-token").await;
        core.put(MEMBER, "SUMARNI NINGSIH", CHURCH);
        let stage = Stage::set_with(kind, more).await;
        let add = ["campus", "add", "--church-id", CHURCH, "--core-url", &core.url(), "--core-token", "core-token"];
        let added = stage.lychgate(&add);
        assert_eq!(added.code, 0, "{added:?}");
        let secret = secret_in(&added.out);
        assert_eq!(secret.len(), 32, "32 characters, as the document says: {added:?}");
        // Known from the moment the command has ended: what a gateway remembers of campuses must not outlive that.
        Self { stage, core, secret }
    }

    /// A member event's body; `n` tells one from the next.
    pub(crate) fn body(&self, kind: &str, member: &str, n: usize) -> Vec<u8> {
        let body =
            json!({"event_type": kind, "church_id": CHURCH, "member_id": member, "timestamp": now_text(), "n": n});
        body.to_string().into_bytes()
    }
}

/// The secret in the output of `campus add` or `rotate-secret`: what follows the words `webhook_secret`.
pub(crate) fn secret_in(output: &str) -> String {
    let after = output.split("webhook_secret").nth(1).unwrap_or_else(|| panic!("no webhook_secret in:\n{output}"));
    let is_secret = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let found = after.split(|c: char| !is_secret(c)).find(|word| !word.is_empty());
    found.unwrap_or_else(|| panic!("no secret in:\n{output}")).to_owned()
}
