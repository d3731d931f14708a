//! What each preset rests on: one line for each, and none without.
//!
//! A vector is a literal signature, in these tests, that the sender's documentation or library published or that a program
//! other than ours computed; an SDK is the vendor's own code, which signs in `tests/flow/signers`, and a judge is code that
//! verifies there what our own signer makes. Where nothing but a computed vector stands, no code of the sender's was run.

use super::super::preset;

/// Why we believe that a preset is what its sender does.
#[derive(Clone, Copy, Debug)]
enum Evidence {
    /// A literal signature from the sender's documentation, standard or library: the test that holds it.
    Vector(&'static str),
    /// The layout is documented, and the literal signature computed with an independent program: the test that holds it.
    Computed(&'static str),
    /// The vendor's own SDK, or that of the scheme it speaks, signs: its name among those of `tests/vendors`.
    Sdk(&'static str),
    /// A library takes what our own signer makes, and not with another byte: the sender's own, or one for many senders.
    Judge(&'static str),
    /// A contract of the project's own documents, whose examples are tried: the test that does.
    Document(&'static str),
    /// Nothing is signed: a token, an origin, or what the user says, by the sender's documentation or a standard.
    Unsigned(&'static str),
}
use Evidence::{Computed, Document, Judge, Sdk, Unsigned, Vector};

/// A library that knows many senders' signatures.
const TERN: Evidence = Judge("@hookflo/tern");

const EVIDENCE: [(&str, &[Evidence]); 60] = [
    ("adyen", &[Vector("adyen_signs_each_item_and_names_each"), Sdk("@adyen/api-library")]),
    ("adyen-platform", &[Computed("adyen_s_platform_signs_the_body_in_a_header"), Sdk("@adyen/api-library")]),
    ("asana", &[Computed("senders_of_a_plain_hmac")]),
    ("aws-sns", &[Computed("sns_signs_the_named_fields_in_both_versions")]),
    ("bearer-jwt", &[Sdk("jose")]),
    ("calendly", &[Computed("twitch_calendly_workos_and_pagerduty")]),
    ("canvas", &[Sdk("jose")]),
    ("clerk", &[Vector("polar_and_gitlab_speak_standard_webhooks"), Sdk("standardwebhooks")]),
    ("cloudevents", &[Unsigned("the CloudEvents HTTP binding, and its abuse protection, sign nothing")]),
    ("discord", &[Computed("fn discord()"), Judge("discord-interactions")]),
    ("doppler", &[Computed("senders_of_a_plain_hmac"), TERN]),
    ("dropbox", &[Computed("senders_of_a_plain_hmac")]),
    ("faithflow", &[Computed("faithflow_with_the_campus_key"), Document("document B's own sender in Python")]),
    ("generic", &[Unsigned("whatever its user types")]),
    ("github", &[Vector("fn github()"), Sdk("@octokit/webhooks-methods")]),
    ("gitlab-signed", &[Vector("polar_and_gitlab_speak_standard_webhooks"), Sdk("standardwebhooks")]),
    ("gitlab-token", &[Unsigned("X-Gitlab-Token is a static token")]),
    ("hubspot-v3", &[Computed("hubspot_and_square")]),
    // That an address is tried with a HEAD: Intercom's guide "Set up Webhooks".
    ("intercom", &[Computed("shopify_linear_and_intercom"), Sdk("x-hub-signature")]),
    ("internal", &[Sdk("jose"), Document("document C")]),
    ("lemonsqueezy", &[Computed("senders_of_a_plain_hmac"), TERN]),
    ("linear", &[Computed("shopify_linear_and_intercom"), Judge("@linear/sdk")]),
    ("lti", &[Document("document C"), Sdk("jose")]),
    ("mailgun", &[Computed("mailgun_signs_its_token_which_is_the_key")]),
    ("meta", &[Computed("senders_of_a_plain_hmac"), Sdk("x-hub-signature")]),
    ("microsoft-graph", &[Unsigned("Graph signs nothing: a token in the URL, and `clientState`")]),
    ("moodle", &[Unsigned("stock Moodle signs nothing: a static token in the body or in a header")]),
    ("openai", &[Vector("polar_and_gitlab_speak_standard_webhooks"), Sdk("standardwebhooks")]),
    ("paddle", &[Computed("paddle_and_typeform"), Judge("@paddle/paddle-node-sdk"), TERN]),
    ("pagerduty", &[Computed("twitch_calendly_workos_and_pagerduty")]),
    ("paypal", &[Computed("paypal_signs_the_checksum_of_the_body_and_our_webhook_s_id")]),
    ("plaid", &[Sdk("jose")]),
    ("platform", &[Computed("fn platform()"), Document("document D")]),
    ("polar", &[Computed("polar_and_gitlab_speak_standard_webhooks"), Sdk("standardwebhooks")]),
    ("razorpay", &[Computed("senders_of_a_plain_hmac"), TERN]),
    ("resend", &[Sdk("svix"), Judge("resend")]),
    // PyJWT is what Saleor itself signs with.
    ("saleor", &[Vector("fn a_detached_payload_is_signed_as_the_standard_s_own_examples"), Sdk("PyJWT"), Sdk("jose")]),
    ("sanity", &[Vector("fn sanity()"), Sdk("@sanity/webhook")]),
    ("sendgrid", &[Vector("fn sendgrid()"), Judge("@sendgrid/eventwebhook")]),
    ("service", &[Document("document C")]),
    ("shopify", &[Computed("shopify_linear_and_intercom"), Sdk("@shopify/shopify-api")]),
    ("slack", &[Vector("fn slack()"), Sdk("slack_sdk")]),
    ("social-share", &[Unsigned("a browser's Origin, by document E")]),
    ("square", &[Computed("hubspot_and_square")]),
    ("standard-webhooks", &[Vector("standard_webhooks_hmac"), Sdk("standardwebhooks")]),
    ("stripe", &[Computed("fn stripe()"), Sdk("stripe")]),
    ("svix", &[Sdk("svix")]),
    ("systeme-church-leader", &[Document("document A")]),
    ("systeme-membership", &[Document("document A")]),
    ("systemeio", &[Computed("systemeio_signs_the_form_that_php_writes")]),
    ("systemeio-automation", &[Unsigned("Systeme.io's automation rules sign nothing: a token in the URL")]),
    ("trello", &[Computed("trello_and_hubspot_sign_the_url_that_they_were_given")]),
    ("twilio", &[Vector("fn twilio()"), Sdk("twilio")]),
    ("twitch", &[Computed("twitch_calendly_workos_and_pagerduty")]),
    ("typeform", &[Computed("paddle_and_typeform")]),
    ("woocommerce", &[Computed("senders_of_a_plain_hmac"), TERN]),
    // WorkOS's own SDKs allow three minutes; here it is the usual tolerance.
    ("workos", &[Computed("twitch_calendly_workos_and_pagerduty"), TERN]),
    ("x", &[Computed("x_signs_activities_and_nothing_of_a_challenge_is_one")]),
    // 200 for what is signed well and 401 for what is not: Xero's guide "Configuring your server".
    ("xero", &[Computed("senders_of_a_plain_hmac")]),
    ("zoom", &[Computed("fn zoom()")]),
];

/// The tests that hold literal signatures.
const TESTS: [&str; 5] = [
    include_str!("vectors.rs"),
    include_str!("providers.rs"),
    include_str!("more_providers.rs"),
    include_str!("certified.rs"),
    include_str!("jws/vouching.rs"),
];

/// The vendors' packages that sign, as they are installed.
const PACKAGES: [&str; 2] = [
    include_str!("../../../../tests/vendors/package.json"),
    include_str!("../../../../tests/vendors/requirements.txt"),
];

#[test]
fn every_preset_names_what_it_rests_on_and_what_it_names_is_there() {
    let mut breaches = Vec::new();
    for preset in preset::ALL {
        let evidence =
            EVIDENCE.iter().find(|(name, _)| *name == preset.name).map_or(&[][..], |(_, evidence)| *evidence);
        if evidence.is_empty() {
            breaches.push(format!("{}: say what it rests on: a vector, an SDK, a document", preset.name));
        }
        // As Rust writes it, and as settings within a string do.
        let names = [format!("\"{}\"", preset.name), format!("\\\"{}\\\"", preset.name)];
        for one in evidence {
            let there = match one {
                Vector(test) | Computed(test) => {
                    TESTS.iter().any(|text| text.contains(test) && names.iter().any(|name| text.contains(name)))
                }
                Sdk(package) | Judge(package) => PACKAGES.iter().any(|list| list.contains(package)),
                Document(what) | Unsigned(what) => !what.is_empty(),
            };
            if !there {
                breaches.push(format!("{}: {one:?} is not there", preset.name));
            }
        }
    }
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
    assert_eq!(EVIDENCE.len(), preset::ALL.len(), "a preset that is no more");
}
