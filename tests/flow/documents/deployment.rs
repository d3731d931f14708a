//! Images, units and manifests: their variables are settings, their flags exist, and nobody is killed before the drain.

use lychgate_common::settings::{Input, Settings, SettingsFile, reference};

use super::{files, first_cells, read, words};

fn in_variable(c: char) -> bool {
    c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'
}

fn deployments() -> Vec<(String, String)> {
    let mut all = files("deploy/systemd", ".service");
    all.extend(files("deploy/kubernetes", ".yaml"));
    for name in [
        "deploy/compose.yaml",
        "deploy/Dockerfile",
        "deploy/runbook.md",
        "deploy/rabbitmq.md",
        "deploy/postgres.md",
        "README.md",
    ] {
        all.push((name.to_owned(), read(name)));
    }
    all
}

#[test]
fn every_variable_of_the_deployments_is_a_setting() {
    let settings: Vec<_> = reference().iter().map(lychgate_common::settings::Row::variable).collect();
    for (file, text) in deployments() {
        for variable in words(&text, "LYCHGATE_", in_variable) {
            let known = settings.iter().any(|setting| setting == variable);
            let ours = ["LYCHGATE_CONFIG", "LYCHGATE_BUILD", "LYCHGATE_SECTION__KEY"].contains(&variable);
            assert!(known || ours, "{file}: {variable} is no setting");
        }
    }
}

/// The settings that stand indented in a manifest, from the line that holds `start` on.
fn embedded(manifest: &str, start: &str) -> String {
    let text = read(manifest);
    let mut lines = text.lines().skip_while(|line| !line.contains(start)).skip(1).peekable();
    let indent = lines.peek().unwrap().find(|c| c != ' ').unwrap();
    let inside = lines.take_while(|line| line.trim().is_empty() || line.find(|c| c != ' ').unwrap() >= indent);
    inside.map(|line| line.get(indent..).unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_settings_within_the_manifests_are_good() {
    for (manifest, start) in
        [("deploy/compose.yaml", "content: |"), ("deploy/kubernetes/settings.yaml", "lychgate.toml: |")]
    {
        // The secrets' files are where the manifests run.
        let text = embedded(manifest, start).replace("file:/run/secrets/", "env:");
        let environment = words(&text, "env:", |c| c.is_ascii_alphanumeric() || matches!(c, ':' | '_' | '-'));
        let secret = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
        let given = |name: &str| match name {
            "database_url" => "postgres://lychgate:word@postgres/lychgate".to_owned(),
            "broker_url" => "amqp://lychgate:word@rabbitmq/lychgate".to_owned(),
            _ => secret.to_owned(),
        };
        let environment = environment.iter().map(|name| &name["env:".len()..]);
        let environment = environment.map(|name| (name.to_owned(), given(name))).collect();
        let file = SettingsFile { path: manifest.into(), text, private: false };
        let settings = Settings::read(&Input { file: Some(file), environment, options: Vec::new() });
        let settings = settings.unwrap_or_else(|faults| panic!("{manifest}: {faults:#?}"));
        assert!(!settings.sources.is_empty(), "{manifest}");
    }
}

/// The whole seconds that stand behind `key`.
fn seconds(file: &str, key: &str) -> Vec<u64> {
    let text = read(file);
    let values = text
        .split(key)
        .skip(1)
        .map(|rest| rest.trim_start().split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap());
    values.collect()
}

#[test]
fn everyone_is_given_longer_than_the_drain_takes() {
    let drain = Settings::default().stop.deadline.as_secs();
    let given = [
        ("deploy/systemd/lychgate.service", "TimeoutStopSec="),
        ("deploy/systemd/lychgate-gateway.service", "TimeoutStopSec="),
        ("deploy/systemd/lychgate-worker.service", "TimeoutStopSec="),
        ("deploy/kubernetes/gateway.yaml", "terminationGracePeriodSeconds:"),
        ("deploy/kubernetes/worker.yaml", "terminationGracePeriodSeconds:"),
        ("deploy/compose.yaml", "stop_grace_period:"),
    ];
    for (file, key) in given {
        let waits = seconds(file, key);
        assert!(!waits.is_empty(), "{file}: {key}");
        for wait in waits {
            // Goodbyes to broker and database come after the drain.
            assert!(wait >= drain + 5, "{file}: {key} {wait} is less than stop.deadline ({drain} s) and a goodbye");
        }
    }
}

#[test]
fn ports_and_paths_are_the_code_s() {
    let defaults = Settings::default();
    let (senders, ops) = (defaults.gateway.listen.port(), defaults.ops.listen.port());
    for file in ["deploy/kubernetes/gateway.yaml", "deploy/compose.yaml"] {
        let text = read(file);
        assert!(text.contains(&senders.to_string()), "{file}: {senders}");
    }
    for (file, text) in files("deploy/kubernetes", ".yaml") {
        for path in
            text.split("path: ").skip(1).map(|rest| rest.split_whitespace().next().unwrap().trim_matches([',', '}']))
        {
            assert!(!path.starts_with('/') || ["/livez", "/readyz", "/metrics"].contains(&path), "{file}: {path}");
        }
        if text.contains("/readyz") {
            assert!(text.contains(&ops.to_string()), "{file}: {ops}");
        }
    }
}

#[test]
fn the_readme_s_statuses_are_the_code_s() {
    let names: Vec<_> = lychgate_common::status::Status::ALL.iter().map(|status| status.name()).collect();
    assert_eq!(first_cells(&read("README.md"), "## What becomes of an event"), names);
}
