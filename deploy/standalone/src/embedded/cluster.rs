//! Makes the cluster the first time, and picks the PostgreSQL that fits an old one.
//!
//! A cluster appears whole or not at all: it is made under another name and renamed, so that a `kill -9` in the middle
//! leaves nothing that looks like one.

use std::{
    fs::{self, DirBuilder},
    io::Write,
    os::unix::fs::DirBuilderExt,
    path::Path,
    process::{Output, Stdio},
};

use super::{DATABASE, EmbeddedError, account::Account, binaries::Binaries, place::Place};

/// macOS has no C.UTF-8; plain C with UTF8 as the encoding sorts the same.
const LOCALE: &str = if cfg!(target_os = "linux") { "C.UTF-8" } else { "C" };

/// The installed PostgreSQL whose major version made the cluster; the preferred one for a cluster still to be made.
pub(super) fn choose(found: Vec<Binaries>, place: &Place) -> Result<Binaries, EmbeddedError> {
    let installed = found.iter().map(|binaries| binaries.version.as_str()).collect::<Vec<_>>().join(", ");
    let made_by = match fs::read_to_string(place.cluster.join("PG_VERSION")) {
        Ok(text) => Some(text.trim().parse::<u32>().map_err(|_| EmbeddedError::NotACluster(place.cluster.clone()))?),
        Err(_) if is_empty(&place.cluster) => None,
        Err(_) => return Err(EmbeddedError::NotACluster(place.cluster.clone())),
    };
    let fits = |binaries: &Binaries| made_by.is_none_or(|major| binaries.major == major);
    found.into_iter().find(fits).ok_or_else(|| EmbeddedError::OtherVersion {
        cluster: place.cluster.clone(),
        made_by: made_by.unwrap_or_default(),
        found: installed,
    })
}

/// Makes the cluster and our database in it, unless it is there.
pub(super) fn initialise(place: &Place, binaries: &Binaries, account: &Account) -> Result<(), EmbeddedError> {
    if place.cluster.join("PG_VERSION").exists() {
        return Ok(());
    }
    let fresh = place.cluster.with_extension("new");
    if fresh.exists() {
        fs::remove_dir_all(&fresh).map_err(EmbeddedError::file("remove", &fresh))?;
    }
    DirBuilder::new().mode(0o700).create(&fresh).map_err(EmbeddedError::file("create", &fresh))?;
    account.give(&fresh).map_err(EmbeddedError::file("give away", &fresh))?;
    let made = account
        .command(&binaries.initdb())
        .arg("-D")
        .arg(&fresh)
        .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-instructions"])
        .arg(format!("--locale={LOCALE}"))
        .output()
        .map_err(EmbeddedError::file("run", binaries.initdb()))?;
    succeeded("initdb", &made)?;
    create_database(&fresh, binaries, account)?;
    if place.cluster.exists() {
        // Empty, as `choose` has seen: made for us where the cluster stands elsewhere.
        fs::remove_dir(&place.cluster).map_err(EmbeddedError::file("replace", &place.cluster))?;
    }
    fs::rename(&fresh, &place.cluster).map_err(EmbeddedError::file("put in place", &place.cluster))
}

/// Creates our database in PostgreSQL's single-user mode: no server, no connection, nothing to wait for.
fn create_database(cluster: &Path, binaries: &Binaries, account: &Account) -> Result<(), EmbeddedError> {
    let mut child = account
        .command(&binaries.postgres())
        .arg("--single")
        .arg("-D")
        .arg(cluster)
        .args(["-c", "log_checkpoints=off", "postgres"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(EmbeddedError::file("run", binaries.postgres()))?;
    if let Some(mut input) = child.stdin.take() {
        // A server that died before reading says why in its output, which is looked at below.
        drop(writeln!(input, "create database {DATABASE}"));
    }
    let output = child.wait_with_output().map_err(EmbeddedError::file("run", binaries.postgres()))?;
    succeeded("postgres --single", &output)?;
    let said = String::from_utf8_lossy(&output.stderr);
    match said.lines().find(|line| line.contains("ERROR:") || line.contains("FATAL:")) {
        Some(line) => Err(EmbeddedError::Failed { program: "postgres --single", said: line.to_owned() }),
        None => Ok(()),
    }
}

/// The end of what a program said, where it failed.
fn succeeded(program: &'static str, output: &Output) -> Result<(), EmbeddedError> {
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(EmbeddedError::Failed { program, said: tail(&said, 5) })
}

/// The last lines of a text.
pub(super) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let from = all.len().saturating_sub(lines);
    all.get(from..).unwrap_or_default().join("\n  ")
}

/// Whether nothing stands there, or a directory with nothing in it.
fn is_empty(directory: &Path) -> bool {
    match fs::read_dir(directory) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}
