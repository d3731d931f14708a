//! The reader's promises: units, references, places, and every mistake at once.

use std::time::Duration;

use super::{Faults, OnLimit, Rate, RateLimit, Section};

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
