//! Document E, "Integration & Webhook Functions": it shows no payload, but a chart of what is checked, in which order.
//!
//! The chart parses before it verifies; we verify before we parse, which answers the same to each single fault.

use lychgate_tests::{
    sender::{now, stripe, stripe_body},
    settings::secrets::STRIPE,
    stage::{QueueKind, Stage},
};
use serde_json::json;

use super::ends;

#[tokio::test]
async fn document_e_shows_no_payload_and_its_checks_answer_as_in_its_chart() {
    let stage = Stage::set(QueueKind::Store).await;
    let intent = json!({"id": "pi_1", "object": "payment_intent", "amount": 2000, "currency": "usd"});
    let good = || stripe(STRIPE, now(), stripe_body("evt_1", "payment_intent.succeeded", &intent));
    let answers = [
        ("Content-Type: application/json? No", good().replacing("Content-Type", "text/plain"), 415),
        ("Parse JSON Payload", stripe(STRIPE, now(), b"{\"id\": \"evt_1\"".to_vec()), 400),
        ("Validate Payload Structure: Invalid", stripe(STRIPE, now(), b"[]".to_vec()), 400),
        ("Required field checks", stripe(STRIPE, now(), stripe_body("evt_1", "invoice.paid", &json!({}))), 400),
        (
            "Verify Signature: Invalid",
            stripe("whsec_another", now(), stripe_body("evt_1", "invoice.paid", &intent)),
            401,
        ),
        ("Size limits enforcement", stripe(STRIPE, now(), vec![b' '; 2 << 20]), 413),
    ];
    for (step, request, status) in answers {
        let reply = stage.send(&request).await;
        assert_eq!(reply.status, status, "{step}: {reply:?}");
        assert!(!reply.detail().is_empty(), "{step}");
    }
    assert_eq!(stage.database.count("select count(*) from event").await, 0);
    let first = ends(&stage, "Check Idempotency Key", &good(), "succeeded").await;
    let again = stage.send(&good()).await;
    assert_eq!((again.status, &again.body), (first.status, &first.body), "the original response");
    assert_eq!((again.event_id(), again.header("idempotent-replayed")), (first.event_id(), Some("true")));
    assert_eq!(stage.database.column("select status from \"order\"").await, ["confirmed"]);
}
