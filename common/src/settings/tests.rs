//! The reader's promises: units, references, places, and every mistake at once.

use std::time::Duration;

use super::{Faults, Input, OnLimit, Override, Rate, RateLimit, Section, Settings, SettingsFile, reference};

fn read<T>(text: &str, with: impl FnOnce(&mut super::Reader<'_>) -> T) -> (T, Vec<String>) {
    let mut faults = Faults::new();
    let section = Section::of_text("s", text, &[("TOKEN", "from-env")], &mut faults);
    let mut reader = section.reader(&mut faults);
    let value = with(&mut reader);
    reader.finish();
    (value, faults.iter().map(ToString::to_string).collect())
}

#[test]
fn values_are_read_with_their_units() {
    let text =
        "d = \"1h30m\"\nsize = \"1MiB\"\nlist = \"one\"\nrate = { requests = 10, per = \"1m\" }\nkey = \"env:TOKEN\"";
    let (_, faults) = read(text, |r| {
        assert_eq!(r.duration("d"), Some(Duration::from_secs(5400)));
        assert_eq!(r.size("size"), Some(1 << 20));
        assert_eq!(r.list("list"), Some(vec!["one".to_owned()]));
        let rate = Rate { requests: 10, per: Duration::from_secs(60), burst: 10, on_limit: OnLimit::Reject };
        assert_eq!(r.rate("rate"), Some(RateLimit::On(rate)));
        assert_eq!(r.secret("key").unwrap().expose(), b"from-env");
    });
    assert!(faults.is_empty(), "{faults:?}");
}

#[test]
fn a_key_that_stands_there_twice_is_named() {
    let (_, faults) = read("d = \"1s\"\nd = \"2s\"", |r| r.duration("d"));
    assert_eq!(faults, ["lychgate.toml:2: `d` stands here a second time"]);
}

#[test]
fn every_mistake_is_reported_with_its_line() {
    let text = "d = 15\nsize = \"1 MB\"\nsecrets = [\"env:NOPE\", \"env:NEITHER\"]\nlimt = 3\nrate = { per = \"1m\", brst = 2 }";
    let (_, faults) = read(text, |r| {
        r.duration("d");
        r.size("size");
        r.secrets("secrets");
        r.number("limit", 1..=5);
        r.rate("rate");
    });
    for (start, what) in [
        ("lychgate.toml:1 s.d: ", "a duration with its unit"),
        ("lychgate.toml:2 s.size: ", "a size with its unit"),
        ("lychgate.toml:3 s.secrets: ", "NOPE is not set"),
        ("lychgate.toml:3 s.secrets: ", "NEITHER is not set"),
        ("lychgate.toml:4 s.limt: ", "did you mean `limit`?"),
        ("lychgate.toml:5 s.rate.requests: ", "is missing"),
        ("lychgate.toml:5 s.rate.brst: ", "did you mean `burst`?"),
    ] {
        assert!(
            faults.iter().any(|fault| fault.starts_with(start) && fault.contains(what)),
            "{start}{what}: {faults:#?}"
        );
    }
    assert_eq!(faults.len(), 7, "{faults:#?}");
}

/// Settings from a file's text, its privacy, and an environment.
fn settings(text: &str, private: bool, environment: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
    let input = Input {
        file: Some(SettingsFile { path: "/etc/lychgate/lychgate.toml".into(), text: text.to_owned(), private }),
        environment: environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        options: vec![],
    };
    Settings::read(&input).map_err(|faults| faults.iter().map(ToString::to_string).collect())
}

#[test]
fn the_least_that_works_in_production_works() {
    let text = r#"
        [database]
        url = "env:DATABASE_URL"
        [broker]
        url = "env:AMQP_URL"
        [[source]]
        name = "platform"
        secrets = ["env:PLATFORM_SECRET"]
    "#;
    let read = settings(
        text,
        false,
        &[("DATABASE_URL", "postgres://a:hunter2@db/l"), ("AMQP_URL", "amqp://b"), ("PLATFORM_SECRET", "s")],
    )
    .unwrap();
    assert_eq!(read.database.required().unwrap().url.expose(), b"postgres://a:hunter2@db/l");
    assert_eq!(read.sources.len(), 1);
    assert_eq!(read.sources[0].path(), "source[platform]");
    assert!(!format!("{read:?} {:?}", read.effective()).contains("hunter2"), "secrets are not printed");
}

#[test]
fn defaults_contradict_nothing_and_are_what_the_reference_says() {
    let read = settings("", false, &[]).unwrap();
    let shown: Vec<_> = read.effective().iter().map(|it| (it.name.clone(), it.value.clone())).collect();
    let reference: Vec<_> = reference().into_iter().map(|row| (row.name, row.default)).collect();
    assert_eq!(shown, reference);
    assert!(read.effective().iter().all(|it| it.default));
}

#[test]
fn every_default_can_be_written_as_the_reference_shows_it() {
    let mut text = String::new();
    let mut section = String::new();
    for row in reference().into_iter().filter(|row| row.default != "unset") {
        let (of, key) = row.name.split_once('.').unwrap();
        if of != section {
            text += &format!("[{of}]\n");
            section = of.to_owned();
        }
        text += &format!("{key} = {}\n", row.default);
        assert!(row.meaning.ends_with('.') && row.meaning.len() > 20, "{}: {}", row.name, row.meaning);
    }
    let read = settings(&text, false, &[]).unwrap_or_else(|faults| panic!("{faults:#?}\n{text}"));
    for (shown, row) in read.effective().iter().zip(reference()) {
        assert_eq!((&shown.name, &shown.value), (&row.name, &row.default));
    }
}

#[test]
fn the_environment_wins_over_the_file_and_an_option_over_both() {
    let mut input = Input {
        file: Some(SettingsFile {
            path: "lychgate.toml".into(),
            text: "[worker]\nconcurrency = 1\n[gateway]\nmax_body = \"2KiB\"".to_owned(),
            private: false,
        }),
        ..Input::default()
    };
    for (name, value) in [
        ("LYCHGATE_WORKER__CONCURRENCY", "2"),
        ("LYCHGATE_RETRY__SCHEDULE", "[\"10ms\", \"20ms\"]"),
        ("LYCHGATE_DATABASE__URL", "postgres://environment"),
        ("LYCHGATE_GATEWAY__REFUSED_RATE", "off"),
        ("LYCHGATE_CONFIG", "elsewhere"),
        ("LYCHGATE_GATEWAY_SERVICE_HOST", "10.0.0.1"),
        ("LYCHGATE_GATEWAY_PORT_8080_TCP_ADDR", "10.0.0.1"),
    ] {
        input.environment.insert(name.to_owned(), value.to_owned());
    }
    let option = Override { key: "database.url", option: "--database", value: "postgres://option".to_owned() };
    input.options.push(option);
    let read = Settings::read(&input).unwrap();
    assert_eq!(read.worker.concurrency, 2);
    assert_eq!(read.worker.prefetch(), 4);
    assert_eq!(read.retry.schedule.delay(1), Some(Duration::from_millis(20)));
    assert_eq!(read.database.url.unwrap().expose(), b"postgres://option");
    assert_eq!(read.gateway.refused_rate, RateLimit::Off);
    assert_eq!(read.gateway.max_body.bytes(), 2048);
}

#[test]
fn unknown_names_are_refused_wherever_they_stand() {
    let faults = settings(
        "[gatewy]\nlisten = \"127.0.0.1:1\"\n[gateway]\nlisen = \"127.0.0.1:1\"",
        false,
        &[("LYCHGATE_GATEWAY__NOPE", "1"), ("LYCHGATE_NOPE", "1"), ("LYCHGATE_SOURCE__0__PATH", "/x")],
    )
    .unwrap_err();
    for start in [
        "lychgate.toml:1 gatewy: is no setting; did you mean `gateway`?",
        "lychgate.toml:4 gateway.lisen: is no setting; did you mean `listen`?",
        "LYCHGATE_GATEWAY__NOPE: is no setting",
        "LYCHGATE_NOPE: is no setting",
        "LYCHGATE_SOURCE__0__PATH: sources are set in the settings file",
    ] {
        assert!(faults.iter().any(|fault| fault.starts_with(start)), "{start}: {faults:#?}");
    }
    assert_eq!(faults.len(), 5, "{faults:#?}");
}

#[test]
fn a_literal_secret_is_refused_where_others_can_read_the_file() {
    let text = "[database]\nurl = \"postgres://a:hunter2@db/l\"";
    let faults = settings(text, false, &[]).unwrap_err();
    assert!(faults[0].starts_with("lychgate.toml:2 database.url: a secret stands here literally"), "{faults:?}");
    assert!(!faults[0].contains("hunter2"));
    assert!(settings(text, true, &[]).is_ok());
    assert!(settings("", false, &[("LYCHGATE_DATABASE__URL", "postgres://a:hunter2@db/l")]).is_ok());
}

#[test]
fn a_secret_file_is_found_beside_the_settings_and_its_last_newline_dropped() {
    let folder = std::env::temp_dir().join(format!("lychgate-settings-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("key"), "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n").unwrap();
    let path = folder.join("lychgate.toml");
    std::fs::write(&path, "[secrets]\nencryption_key = \"file:key\"").unwrap();
    let input = Input { file: Some(SettingsFile::load(&path).unwrap()), ..Input::default() };
    let read = Settings::read(&input);
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(read.unwrap().secrets.encryption_key.unwrap().secret().expose(), [0; 32]);
}

#[test]
fn contradictions_are_refused_with_both_names() {
    let text = "[worker]\nprefetch = 301\nlease = \"30s\"\n[gateway]\nwait_max = \"1s\"\nlisten = \"127.0.0.1:9464\"";
    let faults = settings(text, false, &[]).unwrap_err();
    for part in [
        "lychgate.toml:2 worker.prefetch: must be from worker.concurrency (64) to 300",
        "lychgate.toml:3 worker.lease: must be longer than worker.handler_deadline (30s)",
        "faithflow.wait: must not be longer than gateway.wait_max (1s)",
        "ops.listen: is gateway.listen's address too",
    ] {
        assert!(faults.iter().any(|fault| fault.contains(part)), "{part}: {faults:#?}");
    }
    assert_eq!(faults.len(), 4, "{faults:#?}");
}

#[test]
fn api_keys_are_long_and_need_a_key_for_the_secrets_they_manage() {
    let faults =
        settings("[webhooks]\napi_keys = [\"short\", \"long-enough-0123456789abcdef\"]", true, &[]).unwrap_err();
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(faults[0].starts_with("lychgate.toml:2 webhooks.api_keys: must have at least 22 characters"), "{faults:?}");
    assert!(faults[1].contains("needs secrets.encryption_key, too"), "{faults:?}");
}

#[test]
fn a_section_that_nobody_uses_contradicts_nothing() {
    let hasty = "[worker]\nhandler_deadline = \"4s\"\n";
    assert!(settings(hasty, false, &[]).is_ok());
    let campuses = format!("{hasty}[[source]]\nname = \"campuses\"\npreset = \"faithflow\"");
    let faults = settings(&campuses, false, &[]).unwrap_err();
    assert!(faults[0].contains("faithflow.core_timeout: 2 requests of this length must not be longer"), "{faults:?}");
}

#[test]
fn a_file_that_is_not_toml_says_where() {
    let faults = settings("[database]\nurl = \nconnections = 0", false, &[]).unwrap_err();
    assert!(faults[0].starts_with("lychgate.toml:2"), "{faults:?}");
    assert!(
        faults.iter().any(|fault| fault.starts_with("lychgate.toml:3 database.connections: must be from 2 to 500"))
    );
}

#[test]
fn mail_settings_that_do_not_belong_together_are_refused_each_at_its_place() {
    for (text, at, what) in [
        ("[mail]\nby = \"smtp\"\nfrom = \"a@b.c\"", "mail.smtp_host", "must be set where mail.by is \"smtp\""),
        ("[mail]\nby = \"api\"\nfrom = \"a@b.c\"", "mail.api_key", "must be set where mail.by is \"api\""),
        ("[mail]\nby = \"smtp\"\nsmtp_host = \"mx\"", "mail.from", "must be set where mails are sent"),
        ("[mail]\nsmtp_host = \"mx\"", "mail.by", "by which way"),
        ("[mail]\nsmtp_user = \"u\"", "mail.smtp_user", "belong together"),
        ("[mail]\nsmtp_user = \"u\"\nsmtp_password = \"p\"\nsmtp_tls = \"none\"", "mail.smtp_tls", "in clear"),
        (
            "[mail]\nby = \"smtp\"\nfrom = \"a@b.c\"\nsmtp_host = \"mx\"\ntimeout = \"1m\"",
            "mail.timeout",
            "worker.handler_deadline",
        ),
        ("[mail]\nfrom = \"a@b.c, d@e.f\"", "mail.from", "must be an address"),
        ("[ibam]\nmagic_link = \"https://example.com/in\"", "ibam.magic_link", "needs secrets.encryption_key"),
    ] {
        let faults = settings(text, true, &[]).unwrap_err();
        let found = faults.iter().any(|fault| fault.contains(&format!(" {at}: ")) && fault.contains(what));
        assert!(found && faults.len() == 1, "{text}: {faults:#?}");
    }
}
