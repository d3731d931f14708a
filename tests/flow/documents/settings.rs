//! The example settings: every setting there is, with its default, and nothing else.

use std::fmt::Write;

use lychgate_common::{
    settings::{Input, Row, Settings, SettingsFile, reference},
    source::preset,
};

use super::{follows, read};

const FILE: &str = "deploy/lychgate.example.toml";

/// Above it the file follows from the code; below it is written by hand.
const SOURCES: &str = "# ---- Sources";

const HEAD: &str = "\
# Every setting of Lychgate. A line `#key = value` shows a default; take the `#` away to set it.
#
# Any setting can also be an environment variable: `gateway.max_body` is LYCHGATE_GATEWAY__MAX_BODY. A variable wins over
# this file, an option of the command line over both. Durations and sizes have units: \"250ms\", \"15s\", \"5m\", \"1h\",
# \"14d\"; \"64KiB\", \"1MiB\". Secrets are references, \"env:NAME\" or \"file:PATH\"; they may stand here literally only if
# nobody else can read this file (chmod 600). `lychgate check` says everything that is wrong, each with its line.
";

/// What is set in the example, because nothing works without it.
const SET: [(&str, &str); 3] = [
    ("database.url", "\"env:DATABASE_URL\""),
    ("broker.url", "\"env:AMQP_URL\""),
    ("secrets.encryption_key", "\"env:ENCRYPTION_KEY\""),
];

/// What settings without a default may look like.
const EXAMPLES: [(&str, &str); 18] = [
    ("embeddings.url", "\"https://api.openai.com/v1/embeddings\""),
    ("embeddings.key", "\"env:EMBEDDINGS_KEY\""),
    ("database.binaries", "\"/usr/lib/postgresql/17/bin\""),
    ("gateway.public_url", "\"https://hooks.example.com/\""),
    ("worker.prefetch", "128"),
    ("ops.operator_token", "\"env:OPERATOR_TOKEN\""),
    ("supabase.url", "\"https://abc.supabase.co/\""),
    ("supabase.service_key", "\"env:SUPABASE_SERVICE_KEY\""),
    ("mail.by", "\"smtp\""),
    ("mail.from", "\"Acme Textiles <orders@example.com>\""),
    ("mail.reply_to", "\"help@example.com\""),
    ("mail.smtp_host", "\"smtp.example.com\""),
    ("mail.smtp_port", "2525"),
    ("mail.smtp_user", "\"lychgate\""),
    ("mail.smtp_password", "\"env:SMTP_PASSWORD\""),
    ("mail.api_key", "\"env:MAIL_API_KEY\""),
    ("mail.per_minute", "120"),
    ("ibam.magic_link", "\"https://ibam.example.com/enter\""),
];

const ENVIRONMENT: [(&str, &str); 23] = [
    ("SMTP_PASSWORD", "smtp-password-0123456789"),
    ("MAIL_API_KEY", "re_0123456789"),
    ("EMBEDDINGS_KEY", "sk-0123456789"),
    ("META_APP_SECRET", "meta-app-secret-0123456789"),
    ("META_VERIFY_TOKEN", "meta-verify-token"),
    ("SQUARE_KEY", "square-key-0123456789"),
    ("BILLING_VERIFY_TOKEN", "billing-verify-token"),
    ("LTI_SECRET", "lti-secret-0123456789"),
    ("MOODLE_TOKEN", "moodle-token-0123456789"),
    ("TRANSCRIBER_KEY", "transcriber-key-0123456789"),
    ("DATABASE_URL", "postgres://lychgate@db/lychgate"),
    ("AMQP_URL", "amqp://lychgate@mq/lychgate"),
    ("ENCRYPTION_KEY", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="),
    ("OPERATOR_TOKEN", "operator-token-0123456789"),
    ("SUPABASE_SERVICE_KEY", "service-key-0123456789"),
    ("PLAID_SECRET", "plaid-secret"),
    ("PLATFORM_SECRET", "platform-secret-0123456789"),
    ("PLATFORM_SECRET_OLD", "platform-secret-9876543210"),
    ("STRIPE_SECRET", "whsec_0123456789"),
    ("GITHUB_SECRET", "github-secret-0123456789"),
    ("FORWARD_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    ("BILLING_SECRET", "billing-secret-0123456789"),
    ("SENSORS_TOKEN", "sensors-token-0123456789abcdef"),
];

fn said(table: &[(&str, &'static str)], name: &str) -> Option<&'static str> {
    table.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

fn line(row: &Row) -> String {
    let (_, key) = row.name.split_once('.').unwrap();
    match (said(&SET, &row.name), row.default.as_str()) {
        (Some(value), _) => format!("{key} = {value}"),
        (None, "unset") => {
            let example = said(&EXAMPLES, &row.name);
            let example = example.unwrap_or_else(|| panic!("give an example of {}, which has no default", row.name));
            format!("#{key} = {example}  # no default")
        }
        (None, default) => format!("#{key} = {default}"),
    }
}

fn wrapped(text: &str) -> String {
    let mut lines = vec!["#".to_owned()];
    for word in text.split_whitespace() {
        if lines.last().unwrap().len() + word.len() >= 120 {
            lines.push("#".to_owned());
        }
        write!(lines.last_mut().unwrap(), " {word}").unwrap();
    }
    lines.join("\n")
}

fn expected() -> String {
    let mut text = HEAD.to_owned();
    let mut section = String::new();
    for row in reference() {
        let (name, _) = row.name.split_once('.').unwrap();
        if name != section {
            section = name.to_owned();
            write!(text, "\n[{section}]\n").unwrap();
        }
        writeln!(text, "{}\n{}", wrapped(&row.meaning), line(&row)).unwrap();
    }
    text
}

fn settings(text: &str) -> Settings {
    let environment = ENVIRONMENT.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let file = SettingsFile { path: FILE.into(), text: text.to_owned(), private: false };
    Settings::read(&Input { file: Some(file), environment, options: Vec::new() })
        .unwrap_or_else(|faults| panic!("{FILE}: {faults:#?}"))
}

#[test]
fn the_example_settings_are_all_settings_with_their_defaults() {
    let written = std::fs::read_to_string(super::path(FILE)).unwrap_or_default();
    let by_hand = written.split_once(SOURCES).map_or("\n", |(_, sources)| sources);
    follows(FILE, &format!("{}\n{SOURCES}{by_hand}", expected()));
}

#[test]
fn the_example_settings_are_good_as_they_stand_and_with_every_default_written_out() {
    let text = read(FILE);
    let plain = settings(&text);
    assert!(plain.sources.len() >= 4, "the example shows how sources are written");
    let setting =
        |line: &str| line.strip_prefix('#').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
    let all: Vec<_> = text.lines().map(|line| if setting(line) { &line[1..] } else { line }).collect();
    let written = settings(&all.join("\n"));
    for (default, written) in plain.effective().iter().zip(written.effective()) {
        let has_example = said(&EXAMPLES, &default.name).is_some();
        assert!(!written.default, "{} is not in the example", default.name);
        assert!(
            has_example || default.value == written.value,
            "{}: {} is not {}",
            default.name,
            written.value,
            default.value
        );
    }
}

#[test]
fn the_example_lists_every_preset() {
    let text = read(FILE);
    for preset in preset::ALL {
        assert!(
            text.contains(&format!("{} ", preset.name)) || text.contains(&format!("{}\n", preset.name)),
            "{}",
            preset.name
        );
    }
}
