//! The description of the public listener: a path for every preset and every page, each with what the code really takes.

use lychgate_common::source::{
    Accepted, Algorithm, ContentTypes, Hash, JwsAt, JwsPayload, Place, ReplyBody, Verifier,
    preset::{self, Preset},
};
use serde_json::{Map, Value, json};

use super::{follows, read};

const FILE: &str = "gateway/openapi.json";

/// The listener's own pages; everything else is a source's.
const PAGES: [&str; 12] = [
    "/events/{id}",
    "/openapi.json",
    "/auth/magic",
    "/webhooks/health-monitor",
    "/webhooks/test-simulation",
    "/v2/webhooks",
    "/v2/webhooks/test",
    "/v2/webhooks/{id}",
    "/v2/webhooks/{id}/rotate-secret",
    "/v2/webhooks/{id}/deliveries",
    "/v2/webhooks/{id}/deliveries/{delivery_id}",
    "/v2/webhooks/{id}/deliveries/{delivery_id}/resend",
];

fn reference(kind: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{kind}/{name}") })
}

/// Where each of a source's credentials may stand.
fn places(verifier: &Verifier) -> Vec<Place> {
    match verifier {
        Verifier::Signed(scheme) => scheme.at.clone(),
        Verifier::Token(token) => token.at.clone(),
        Verifier::Jws(jws) => match &jws.at {
            JwsAt::Body => Vec::new(),
            JwsAt::Places(places) => places.clone(),
        },
        Verifier::Certified(certified) => vec![certified.at()],
        Verifier::Origin(_) => vec![Place::header("origin")],
        Verifier::Any(ways) => ways.iter().flat_map(places).collect(),
    }
}

fn algorithm(accepted: &Accepted) -> &'static str {
    match accepted.algorithm {
        Algorithm::Hmac(Hash::Sha1) => "HMAC-SHA1",
        Algorithm::Hmac(Hash::Sha256) => "HMAC-SHA256",
        Algorithm::Hmac(Hash::Sha512) => "HMAC-SHA512",
        Algorithm::Ed25519 => "Ed25519",
        Algorithm::EcdsaP256 => "ECDSA P-256",
    }
}

fn credential(verifier: &Verifier) -> String {
    match verifier {
        Verifier::Token(_) => "A token shared with the sender.".to_owned(),
        Verifier::Jws(jws) if jws.payload == JwsPayload::Claims => "A JSON Web Token.".to_owned(),
        Verifier::Jws(_) => "A JSON Web Token that vouches for the body.".to_owned(),
        Verifier::Signed(scheme) => {
            let kinds: Vec<_> = scheme.accepted.iter().map(algorithm).collect();
            format!("A signature of the request: {}.", kinds.join(" or "))
        }
        Verifier::Certified(certified) => {
            format!("An RSA signature, by a key whose certificate is on {}.", certified.hosts())
        }
        Verifier::Origin(_) => "A page on the source's list, called from a browser.".to_owned(),
        Verifier::Any(ways) => ways.iter().map(credential).collect::<Vec<_>>().join(" Or: "),
    }
}

/// A security scheme for each place where the credential may stand, as far as OpenAPI has a word for it.
fn schemes(preset: &Preset) -> Vec<(String, Value)> {
    let profile = (preset.profile)();
    let mut schemes: Vec<(String, Value)> = Vec::new();
    for place in places(&profile.verifier) {
        let name =
            if schemes.is_empty() { preset.name.to_owned() } else { format!("{}.{}", preset.name, schemes.len() + 1) };
        let description = credential(&profile.verifier);
        let scheme = match place {
            Place::Header(header) => {
                json!({"type": "apiKey", "in": "header", "name": header.as_str(), "description": description})
            }
            Place::Query(query) => {
                json!({"type": "apiKey", "in": "query", "name": query.as_ref(), "description": description})
            }
            Place::Bearer => json!({"type": "http", "scheme": "bearer", "description": description}),
            Place::Field(_) | Place::Path(_) => continue,
        };
        schemes.push((name, scheme));
    }
    schemes
}

fn content(types: &ContentTypes) -> Map<String, Value> {
    let names = match types {
        ContentTypes::Any => vec!["*/*"],
        ContentTypes::Json => vec!["application/json"],
        ContentTypes::Only(these) => these.to_vec(),
    };
    names.into_iter().map(|name| (name.to_owned(), json!({}))).collect()
}

/// A source's path as it is described.
fn item(preset: &Preset) -> Value {
    let profile = (preset.profile)();
    let mut parameters: Vec<Value> = profile
        .path
        .params()
        .map(|name| json!({"name": name.as_ref(), "in": "path", "required": true, "schema": {"type": "string", "minLength": 1}}))
        .collect();
    parameters.push(reference("parameters", "Prefer"));
    let mut responses = Map::new();
    let accepted = match (&profile.reply.body, profile.reply.content_type.as_ref()) {
        (ReplyBody::Accepted, "application/json") => reference("responses", "Accepted"),
        (ReplyBody::MemberAccepted, "application/json") => reference("responses", "MemberAccepted"),
        (_, content_type) => json!({
            "description": "Durable. The same key and body again: the same answer.",
            "headers": json!({"Lychgate-Event-Id": reference("headers", "EventId"), "Location": reference("headers", "Location"),
                "Idempotent-Replayed": reference("headers", "Replayed")}),
            "content": {content_type: {"schema": {"type": "string"}}},
        }),
    };
    if profile.wait.is_some() {
        // Whatever its standing answer is, the outcome it waits for is this.
        responses.insert("200".to_owned(), accepted.clone());
    }
    responses.insert(profile.reply.status.as_str().to_owned(), accepted);
    if !responses.contains_key("202") {
        responses.insert("202".to_owned(), reference("responses", "StillWorking"));
    }
    let tenant = if profile.keys_by_tenant { &["404", "502"][..] } else { &[] };
    for status in ["400", "401", "403", "408", "413", "415", "422", "429", "503"].iter().chain(tenant) {
        responses.insert((*status).to_owned(), reference("responses", &format!("Refused{status}")));
    }
    responses.sort_keys();
    let name = preset.name.replace('-', "_");
    let security: Vec<Value> = schemes(preset).iter().map(|(name, _)| json!({name.as_str(): []})).collect();
    let methods = profile.methods.iter().map(|method| {
        let method = method.as_str().to_lowercase();
        let operation = json!({
            "operationId": format!("{method}_{name}"),
            "summary": format!("A webhook for a source with the preset `{}`", preset.name),
            "description": format!("{} At most {} bytes, and never more than `gateway.max_body`. The path is the preset's default; a source may have another.", credential(&profile.verifier), profile.max_body),
            "tags": ["sources"],
            "parameters": parameters,
            "security": security,
            "requestBody": {"required": true, "content": content(&profile.content_types)},
            "responses": responses,
        });
        (method, operation)
    });
    let mut operations: Map<String, Value> = methods.collect();
    for rule in profile.handshakes.iter().filter(|rule| !profile.methods.contains(&rule.method)) {
        let method = rule.method.as_str().to_lowercase();
        let operation = json!({
            "operationId": format!("{method}_{name}_handshake"),
            "summary": format!("How the sender of the preset `{}` tries the address", preset.name),
            "tags": ["sources"],
            "responses": {
                "200": {"description": "What the sender wants to read; no event comes of it."},
                "400": reference("responses", "Refused400"),
                "403": reference("responses", "Refused403"),
                "429": reference("responses", "Refused429"),
            },
        });
        operations.insert(method, operation);
    }
    Value::Object(operations)
}

#[test]
fn the_description_has_every_preset_s_path_and_every_page() {
    let mut document: Value = serde_json::from_str(&read(FILE)).unwrap();
    let mut paths = Map::new();
    for page in PAGES {
        let item = document["paths"].get(page).unwrap_or_else(|| panic!("{FILE} has no {page}")).clone();
        paths.insert(page.to_owned(), item);
    }
    let mut known = Map::new();
    for preset in preset::ALL {
        let path = (preset.profile)().path.as_str().to_owned();
        assert!(paths.insert(path.clone(), item(preset)).is_none(), "two presets listen at {path}");
        known.extend(schemes(preset));
    }
    document["paths"] = Value::Object(paths);
    for scheme in ["operator", "management"] {
        known.insert(scheme.to_owned(), document["components"]["securitySchemes"][scheme].clone());
    }
    document["components"]["securitySchemes"] = Value::Object(known);
    follows(FILE, &(serde_json::to_string_pretty(&document).unwrap() + "\n"));
}

#[test]
fn the_description_refers_to_nothing_that_is_not_there() {
    let text = read(FILE);
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    for target in text.split("\"$ref\": \"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(document.pointer(target).is_some(), "{target}");
    }
}

#[test]
fn a_webhook_and_its_deliveries_are_described_field_by_field() {
    let at = jiff::Timestamp::UNIX_EPOCH;
    let id = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
    let webhook = lychgate_common::webhook::Webhook {
        id: "webhook_1".into(),
        url: "https://a.example/".into(),
        events: vec!["*".into()],
        sources: None,
        description: None,
        active: true,
        status: lychgate_common::webhook::Health::Active,
        failing_since: None,
        disabled_at: None,
        disabled_reason: None,
        previous_secret_until: None,
        created_at: at,
        updated_at: at,
    };
    let attempt = lychgate_common::store::DeliveryAttempt {
        attempt: 1,
        started_at: at,
        seconds: 0.1,
        outcome: "succeeded".into(),
        response_status: Some(200),
        class: None,
        error: None,
    };
    let delivery = lychgate_common::store::DeliveryLine {
        id,
        webhook_id: "webhook_1".into(),
        event_id: Some(id),
        event: "user.created".into(),
        status: lychgate_common::status::Status::Succeeded,
        created_at: at,
        next_attempt_at: None,
        finished_at: None,
        attempts: vec![attempt],
    };
    let document: Value = serde_json::from_str(&read(FILE)).unwrap();
    let schemas = &document["components"]["schemas"];
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<std::collections::BTreeSet<_>>();
    let delivery = serde_json::to_value(delivery).unwrap();
    assert_eq!(names(&serde_json::to_value(webhook).unwrap()), names(&schemas["Webhook"]["properties"]));
    assert_eq!(names(&delivery), names(&schemas["Delivery"]["properties"]));
    let attempts = &schemas["Delivery"]["properties"]["attempts"]["items"]["properties"];
    assert_eq!(names(&delivery["attempts"][0]), names(attempts));
    let health = lychgate_common::webhook::Health::ALL.map(lychgate_common::webhook::Health::name);
    assert_eq!(schemas["Webhook"]["properties"]["status"]["enum"], json!(health));
}

#[test]
fn the_receipt_is_described_field_by_field() {
    let line = lychgate_common::store::EventLine {
        id: "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap(),
        source: String::new(),
        tenant: String::new(),
        kind: String::new(),
        subject: None,
        status: lychgate_common::status::Status::Accepted,
        attempt: 1,
        received_at: jiff::Timestamp::UNIX_EPOCH,
        next_attempt_at: None,
        finished_at: None,
        last_error: None,
    };
    let line = serde_json::to_value(line).unwrap();
    let document: Value = serde_json::from_str(&read(FILE)).unwrap();
    let described = &document["components"]["schemas"]["Receipt"]["properties"];
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<std::collections::BTreeSet<_>>();
    assert_eq!(names(&line), names(described));
    let statuses = &document["components"]["schemas"]["Status"]["enum"];
    assert_eq!(*statuses, json!(lychgate_common::status::Status::ALL.map(lychgate_common::status::Status::name)));
}
