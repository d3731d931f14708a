//! What stands in `deploy/`, in the README and in the interface's description is compared with the code, word by word.
//!
//! Needs no servers. Documents that follow from the code are written anew with
//! `LYCHGATE_TEST_WRITE=1 cargo test -p lychgate-tests --test flow documents`.

mod commands;
mod deployment;
mod metrics;
mod openapi;
mod settings;
mod watching;

use std::{fs, path::PathBuf};

/// A file of the repository.
fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

/// The text of a file of the repository.
fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A document that follows from the code must say what the code says.
fn follows(name: &str, expected: &str) {
    let written = fs::read_to_string(path(name)).unwrap_or_default();
    if written == expected {
        return;
    }
    if std::env::var_os("LYCHGATE_TEST_WRITE").is_some() {
        fs::write(path(name), expected).unwrap();
        return;
    }
    let first = written.lines().zip(expected.lines()).find(|(written, expected)| written != expected);
    panic!("{name} does not follow the code: {first:#?}\nwrite it anew: LYCHGATE_TEST_WRITE=1, see documents.rs");
}

/// The files of a folder of the repository, with their names, sorted.
fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    let mut files: Vec<_> = fs::read_dir(path(folder))
        .unwrap()
        .map(|entry| format!("{folder}/{}", entry.unwrap().file_name().to_string_lossy()))
        .filter(|name| name.ends_with(ending))
        .map(|name| (name.clone(), read(&name)))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{folder}/*{ending}");
    files
}

/// Every longest run of characters that `fits`, beginning with `prefix`.
fn words<'t>(text: &'t str, prefix: &str, fits: fn(char) -> bool) -> Vec<&'t str> {
    let starts = text.match_indices(prefix).map(|(at, _)| at);
    let whole = starts.filter(|at| !text[..*at].ends_with(fits));
    whole.map(|at| text[at..].split(|c| !fits(c)).next().unwrap()).collect()
}

/// The first cells of a Markdown table's rows, below the heading `title`, without backquotes.
fn first_cells<'t>(text: &'t str, title: &str) -> Vec<&'t str> {
    let section = text.split(title).nth(1).unwrap_or_else(|| panic!("there is no {title:?}"));
    let rows = section.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    rows.skip(2).map(|row| row.trim_matches('|').split('|').next().unwrap().trim().trim_matches('`')).collect()
}
