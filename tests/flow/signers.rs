//! Vendors' own SDKs sign, the gateway verifies: what their libraries make is accepted, one flipped byte is not.

mod adyen;
mod jose;
mod judges;
mod plaid;
mod saleor;

use lychgate_tests::{
    http::Request,
    sender::now,
    stage::{QUICK, QueueKind, Stage},
    unique,
    vendors::{Draft, Sdk},
};

/// A vendor: its SDK's name, its preset, a secret in its form, and a body of its shape.
struct Vendor {
    provider: &'static str,
    preset: &'static str,
    secret: &'static str,
    body: fn(id: &str) -> String,
}

const PUBLIC: &str = "https://hooks.example.com";
const WHSEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

const NODE: [Vendor; 15] = [
    Vendor {
        provider: "stripe",
        preset: "stripe",
        secret: "whsec_0123456789abcdef0123456789abcdef",
        body: |id| {
            format!(
                r#"{{"id":"{id}","object":"event","created":{},"type":"payment_intent.succeeded","data":{{"object":{{"id":"pi_1","object":"payment_intent","amount":1,"currency":"usd"}}}}}}"#,
                now()
            )
        },
    },
    Vendor { provider: "standard-webhooks", preset: "standard-webhooks", secret: WHSEC, body: standard },
    Vendor { provider: "svix", preset: "svix", secret: WHSEC, body: standard },
    Vendor {
        provider: "github",
        preset: "github",
        secret: "It's a Secret to Everybody",
        body: |id| format!(r#"{{"ref":"refs/heads/main","after":"{id}","repository":{{"id":1}},"emoji":"é ☃"}}"#),
    },
    Vendor {
        provider: "shopify",
        preset: "shopify",
        secret: "shpss_0123456789abcdef",
        body: |id| format!(r#"{{"id":820982911946154508,"note":"{id}"}}"#),
    },
    Vendor {
        provider: "twilio",
        preset: "twilio",
        secret: "0123456789abcdef0123456789abcdef",
        body: |id| format!("To=%2B18005551212&From=%2B14158675309&MessageStatus=delivered&Body=a+b&MessageSid={id}"),
    },
    Vendor {
        provider: "twilio-json",
        preset: "twilio",
        secret: "0123456789abcdef0123456789abcdef",
        body: |id| format!(r#"{{"EventType":"onMessageAdded","MessageSid":"{id}","Body":"é ☃"}}"#),
    },
    Vendor { provider: "clerk", preset: "clerk", secret: WHSEC, body: standard },
    Vendor { provider: "openai", preset: "openai", secret: WHSEC, body: standard },
    Vendor { provider: "polar", preset: "polar", secret: "polar_whs_0123456789", body: standard },
    Vendor {
        provider: "gitlab-signed",
        preset: "gitlab-signed",
        secret: WHSEC,
        body: |id| format!(r#"{{"object_kind":"push","checkout_sha":"{id}","project":{{"id":15}}}}"#),
    },
    Vendor {
        provider: "meta",
        preset: "meta",
        secret: "meta-app-secret",
        body: |id| {
            format!(
                r#"{{"object":"page","entry":[{{"id":"1","time":{},"changes":[{{"field":"feed","value":"{id}"}}]}}]}}"#,
                now()
            )
        },
    },
    Vendor {
        provider: "sanity",
        preset: "sanity",
        secret: "sanity-secret",
        body: |id| format!(r#"{{"_id":"{id}","_type":"page","title":"é ☃"}}"#),
    },
    Vendor {
        provider: "adyen-platform",
        preset: "adyen-platform",
        secret: adyen::KEY,
        body: |id| {
            format!(r#"{{"type":"balancePlatform.transfer.created","data":{{"id":"{id}"}},"environment":"test"}}"#)
        },
    },
    Vendor {
        provider: "intercom",
        preset: "intercom",
        secret: "intercom-client-secret",
        body: |id| {
            format!(r#"{{"type":"notification_event","id":"{id}","topic":"user.created","app_id":"a","data":{{}}}}"#)
        },
    },
];

const PYTHON: [Vendor; 4] = [
    Vendor {
        provider: "slack",
        preset: "slack",
        secret: "8f742231b10e8888abcd99yyyzzz85a5",
        body: |id| {
            format!(
                r#"{{"type":"event_callback","event_id":"{id}","event_time":{},"team_id":"T1","event":{{"type":"message","user":"U1"}}}}"#,
                now()
            )
        },
    },
    Vendor { provider: "standard-webhooks", preset: "standard-webhooks", secret: WHSEC, body: standard },
    Vendor {
        provider: "stripe",
        preset: "stripe",
        secret: "whsec_0123456789abcdef0123456789abcdef",
        body: |id| {
            format!(
                r#"{{"id":"{id}","object":"event","created":{},"type":"charge.succeeded","data":{{"object":{{"id":"ch_1","object":"charge","amount":1,"currency":"usd"}}}}}}"#,
                now()
            )
        },
    },
    Vendor {
        provider: "twilio",
        preset: "twilio",
        secret: "0123456789abcdef0123456789abcdef",
        body: |id| format!("To=%2B18005551212&From=%2B14158675309&Body=&MessageSid={id}"),
    },
];

fn standard(id: &str) -> String {
    format!(r#"{{"type":"invoice.paid","timestamp":"{}","data":{{"id":"{id}"}}}}"#, lychgate_tests::sender::now_text())
}

/// A source per vendor, at a path of its own.
fn sources(vendors: &[Vendor]) -> String {
    let source = |Vendor { provider, preset, secret, .. }: &Vendor| {
        format!(
            "[[source]]\nname = \"v-{provider}\"\npreset = \"{preset}\"\npath = \"/v/{provider}\"\nsecrets = [{secret:?}]\n"
        )
    };
    vendors.iter().map(source).collect()
}

async fn what_an_sdk_signs_is_accepted_and_nothing_else(sdk: &Sdk, vendors: &[Vendor]) {
    let quick = QUICK.replace("[gateway]\n", &format!("[gateway]\npublic_url = \"{PUBLIC}\"\n"));
    let stage = Stage::set_with(QueueKind::Store, &format!("{quick}{}", sources(vendors))).await;
    for vendor in vendors {
        let Vendor { provider, secret, body, .. } = vendor;
        let (id, path) = (unique(), format!("/v/{provider}"));
        let (body, url) = (body(&id), format!("{PUBLIC}{path}"));
        let draft = Draft { secret, id: &id, time: now(), url: &url, body: &body };
        let sent = sdk.send(provider, &draft);
        let path = sent.query.map_or_else(|| path.clone(), |query| format!("{path}?{query}"));
        let signed = |body: &[u8]| {
            sent.headers
                .iter()
                .fold(Request::post(&path, body), |request, (name, value)| request.replacing(name, value.as_bytes()))
        };
        // The last letter or digit of the id: whatever the body's form, it stays of that form.
        let at = body.rfind(id.as_str()).unwrap() + id.len() - 1;
        let mut flipped = body.clone().into_bytes();
        flipped[at] = if flipped[at] == b'0' { b'1' } else { b'0' };
        let refused = stage.send(&signed(&flipped)).await;
        assert_eq!(refused.status, 401, "{provider}: {}", refused.detail());
        let other = Draft {
            secret: if secret.starts_with("whsec_") { "whsec_b3RoZXItb3RoZXItb3RoZXItb3RoZXIh" } else { "other" },
            ..draft
        };
        let forged =
            sdk.sign(provider, &other).iter().fold(Request::post(&path, body.as_bytes()), |request, (name, value)| {
                request.replacing(name, value.as_bytes())
            });
        assert_eq!(stage.send(&forged).await.status, 401, "{provider}: another secret");
        let accepted = stage.send(&signed(body.as_bytes())).await;
        assert!(accepted.is_success(), "{provider}: {} {}", accepted.status, accepted.detail());
        let event = accepted.event_id();
        let stored = format!("select convert_from(body, 'UTF8') from event where id = '{event}'");
        assert_eq!(stage.database.column(&stored).await, std::slice::from_ref(&body), "{provider}: byte for byte");
        let again = stage.send(&signed(body.as_bytes())).await;
        assert_eq!(again.header("idempotent-replayed"), Some("true"), "{provider}");
    }
}

#[tokio::test]
async fn what_the_vendors_sdks_for_node_sign_is_accepted_and_a_flipped_byte_is_not() {
    what_an_sdk_signs_is_accepted_and_nothing_else(&Sdk::node(), &NODE).await;
}

#[tokio::test]
async fn what_the_vendors_sdks_for_python_sign_is_accepted_and_a_flipped_byte_is_not() {
    what_an_sdk_signs_is_accepted_and_nothing_else(&Sdk::python(), &PYTHON).await;
}
