//! What each event does to a member, asked of a small core system over real HTTP, without a database.

use std::{net::Ipv4Addr, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use lychgate_common::{campus::SyncMethod, change::Change, event::EventId, secret::Secret, store::KnownMember};
use serde_json::json;
use tokio::net::TcpListener;
use uuid::Uuid;

use super::{decide::DELETED_IN_CORE, *};
use crate::{
    breaker::{BreakerSettings, Breakers},
    core_api::CoreApiSettings,
    http::{Destinations, Http, HttpLimits},
};

/// A core system with one answer to everything; the base URL is returned.
async fn core_that_answers(status: u16, body: Value) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let body = body.clone();
            let answer = service_fn(move |request: Request<Incoming>| {
                let known = request.headers().get("authorization").is_some_and(|given| given == "Bearer token")
                    && request.uri().path() == "/base/api/members/m%2F1";
                let (status, body) = if known { (status, body.to_string()) } else { (400, String::new()) };
                let response = Response::builder().status(status).header("retry-after", "7");
                async move { response.body(Full::new(Bytes::from(body))) }
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
        }
    });
    url
}

fn campus(url: &str, filters: Value) -> Campus {
    Campus {
        id: Uuid::from_u128(7),
        church_id: "church".into(),
        name: "Campus".into(),
        enabled: true,
        sync_method: SyncMethod::Webhook,
        secrets: vec![],
        core_api_url: format!("{url}/base/"),
        core_token: Secret::from("token"),
        filters,
        initial_engagement: "active".into(),
        time_zone: "UTC".into(),
    }
}

fn core(destinations: Destinations) -> CoreApi {
    let limits = HttpLimits { total: Duration::from_secs(20), body: 4096 };
    let breakers = Breakers::new(BreakerSettings::new(3, Duration::from_secs(60)));
    let http = Http::new(Duration::from_secs(5), destinations).unwrap();
    CoreApi::new(http, breakers, CoreApiSettings { limits, retries: 0, page_size: 2 })
}

fn stamp() -> Stamp {
    let at = "2025-11-20T01:40:00Z".parse().unwrap();
    Stamp { at, version: Version::at(at, EventId::from_uuid(Uuid::nil())) }
}

fn known(archived_reason: Option<&str>) -> KnownMember {
    KnownMember {
        member_id: "m/1".into(),
        name: Some("OLD NAME".into()),
        phone: None,
        gender: None,
        birth_date: None,
        photo_url: None,
        is_archived: archived_reason.is_some(),
        archived_reason: archived_reason.map(str::to_owned),
        synced_at: None,
    }
}

async fn asked(
    happened: Happened,
    member: Value,
    filters: Value,
    known: Option<KnownMember>,
) -> Result<Handled, Failure> {
    let campus = campus(&core_that_answers(200, member).await, filters);
    let member = core(Destinations::Any).member(&campus, "m/1", stamp().at).await.map_err(of_core)?;
    decide::changed(happened, &campus, &member, known.as_ref(), &stamp())
}

fn merged(change: &Change) -> (&Value, Value, Value, bool) {
    let Change::Merge { row, initial, only_existing, .. } = change else { unreachable!("sync only merges") };
    (&row["member_id"], Value::Object(row.clone()), Value::Object(initial.clone()), *only_existing)
}

fn member() -> Value {
    json!({"id": "m/1", "name": "SUMARNI NINGSIH", "phone": "+62", "gender": "Female", "birth_date": "1980-05-17",
           "photo_url": "https://p/1", "notes": "not ours", "engagement_status": "not ours"})
}

#[tokio::test]
async fn an_update_sets_the_profile_and_nothing_else() {
    let handled = asked(Happened::Updated, member(), json!({}), Some(known(Some("moved")))).await.unwrap();
    let [change] = handled.changes.as_slice() else { panic!("one change") };
    let (_, row, ..) = merged(change);
    assert_eq!(
        row,
        json!({"campus_id": Uuid::from_u128(7), "member_id": "m/1", "name": "SUMARNI NINGSIH", "phone": "+62",
               "gender": "Female", "photo_url": "https://p/1", "birth_date": "1980-05-17",
               "synced_at": "2025-11-20T01:40:00Z"})
    );
    let reply = json!({"success": true, "message": "Member updated: SUMARNI NINGSIH", "member_id": "m/1"});
    assert_eq!(handled.reply, Some(reply));
}

#[tokio::test]
async fn an_update_of_a_member_we_do_not_have_creates_it_with_its_initial_engagement() {
    let handled = asked(Happened::Updated, member(), json!({}), None).await.unwrap();
    let (_, row, initial, only_existing) = merged(&handled.changes[0]);
    assert!(!only_existing);
    assert_eq!(row["is_archived"], false, "versioned: a late deletion from before does not take hold");
    assert_eq!(initial["engagement_status"], "active");
    assert_eq!(handled.reply.unwrap()["message"], "Member updated: SUMARNI NINGSIH");
}

#[tokio::test]
async fn a_created_member_that_fails_the_filters_is_recorded_as_filtered_and_not_stored() {
    let filters = json!({"rules": [{"field": "gender", "operator": "equals", "value": "Male"}]});
    let handled = asked(Happened::Created, member(), filters.clone(), None).await.unwrap();
    assert_eq!(handled.ignored.as_deref(), Some("filtered: gender equals \"Male\" does not hold"));
    let [change] = handled.changes.as_slice() else { panic!("one change") };
    assert_eq!(change.table().name, "filtered_members");
    let handled = asked(Happened::Updated, member(), filters, Some(known(None))).await.unwrap();
    assert_eq!(handled.changes[0].table().name, "members", "who is stored already stays in step");
}

#[tokio::test]
async fn a_member_created_anew_is_restored_unless_it_was_archived_here() {
    let restored = asked(Happened::Created, member(), json!({}), Some(known(Some(DELETED_IN_CORE)))).await.unwrap();
    assert_eq!(merged(&restored.changes[1]).1["is_archived"], false);
    let left = asked(Happened::Created, member(), json!({}), Some(known(Some("moved away")))).await.unwrap();
    assert_eq!(left.changes.len(), 1);
}

#[test]
fn a_deleted_member_is_archived_and_one_we_do_not_have_is_not_created() {
    let campus = campus("http://core", json!({}));
    let handled = decide::deleted(&campus, "m/1", Some(&known(None)), &stamp());
    let (_, row, _, only_existing) = merged(&handled.changes[0]);
    assert!(only_existing);
    assert_eq!(row["archived_reason"], "Deleted in core system");
    assert_eq!(row.as_object().unwrap().len(), 5, "key, is_archived, archived_reason, archived_at");
    assert_eq!(handled.reply.unwrap()["message"], "Member archived: OLD NAME");
    let handled = decide::deleted(&campus, "m/1", None, &stamp());
    assert!(handled.ignored.is_some() && merged(&handled.changes[0]).3);
}

#[tokio::test]
async fn the_core_systems_answers_are_told_apart_in_permanent_and_temporary() {
    for (status, body, class, temporary) in [
        (404, json!({}), "member_not_found", false),
        (403, json!({}), "core_refused", false),
        (302, json!({}), "core_refused", false),
        (429, json!({}), "core_busy", true),
        (503, json!({}), "core_busy", true),
        (200, json!([]), "core_answer_malformed", false),
        (200, json!({"name": "x".repeat(5000)}), "core_answer_too_large", false),
    ] {
        let campus = campus(&core_that_answers(status, body).await, json!({}));
        let error = core(Destinations::Any).member(&campus, "m/1", stamp().at).await.unwrap_err();
        let failure = of_core(error);
        assert_eq!(failure.cause().class, class);
        match failure {
            Failure::Temporary { retry_after, .. } => {
                assert!(temporary, "{status}");
                assert_eq!(retry_after, Some(Duration::from_secs(7)));
            }
            Failure::Permanent(cause) => {
                assert!(!temporary, "{status}");
                assert!(status != 404 || cause.message == "Member not found");
            }
            Failure::Ours(_) | Failure::Deferred { .. } => panic!("{status} is not our fault"),
        }
    }
}

#[tokio::test]
async fn a_core_system_that_is_away_is_temporary_and_after_a_few_times_not_asked_at_all() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let campus = campus(&format!("http://{}", listener.local_addr().unwrap()), json!({}));
    drop(listener);
    let core = core(Destinations::Any);
    for _ in 0..3 {
        let error = core.member(&campus, "m/1", stamp().at).await.unwrap_err();
        assert!(matches!(error, CoreError::Unreachable(_)), "{error:?}");
    }
    let error = core.member(&campus, "m/1", stamp().at).await.unwrap_err();
    assert!(matches!(error, CoreError::CircuitOpen(_)) && error.is_temporary() && error.retry_after().is_some());
}

#[tokio::test]
async fn ids_that_would_lead_elsewhere_and_private_addresses_are_not_asked_for() {
    let campus = campus("http://127.0.0.1:9", json!({}));
    for id in ["", ".", "..", "a\nb"] {
        let error = core(Destinations::Any).member(&campus, id, stamp().at).await.unwrap_err();
        assert!(matches!(error, CoreError::MemberId(_)), "{id:?}");
    }
    let error = core(Destinations::Public).member(&campus, "m/1", stamp().at).await.unwrap_err();
    assert!(matches!(error, CoreError::Url(_)) && !error.is_temporary(), "{error:?}");
}
