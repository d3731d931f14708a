//! Why the private server could not be started: one line each, saying what to do.

use std::{io, path::PathBuf};

/// A start of the private server that failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EmbeddedError {
    /// No PostgreSQL on this machine.
    #[error(
        "no PostgreSQL found (looked at {searched}): install it (Debian, Ubuntu: `apt-get install postgresql`; Fedora: \
         `dnf install postgresql-server`; macOS: `brew install postgresql`), name its programs' directory in {setting}, \
         or give a server with --database URL"
    )]
    Missing {
        /// Where we looked.
        searched: String,
        /// The setting that names the directory.
        setting: &'static str,
    },
    /// The directory that was named does not hold the programs.
    #[error("{} names {}, but there is no usable `postgres` and `initdb` of version 14 or later in it", .setting, .directory.display())]
    NotThere {
        /// The setting.
        setting: &'static str,
        /// Its value.
        directory: PathBuf,
    },
    /// The cluster was made by another major version.
    #[error(
        "{} was made by PostgreSQL {made_by}, but only {found} is installed: install PostgreSQL {made_by}, or move the directory \
         away to start afresh",
        .cluster.display()
    )]
    OtherVersion {
        /// The cluster's directory.
        cluster: PathBuf,
        /// Its major version.
        made_by: u32,
        /// What is installed.
        found: String,
    },
    /// Something stands where the cluster should.
    #[error("{} is not a PostgreSQL data directory (it has no readable PG_VERSION): move it away, or choose another --data", .0.display())]
    NotACluster(PathBuf),
    /// Root without an account to lend.
    #[error(
        "PostgreSQL refuses to run as root, and this system has neither a user `postgres` nor `nobody`: run as another user"
    )]
    NoAccount,
    /// Another `up` holds the directory.
    #[error("another `lychgate up` is already running on {} (process {owner}): stop it, or choose another --data", .directory.display())]
    Taken {
        /// The data directory.
        directory: PathBuf,
        /// Its process id, as it wrote it.
        owner: String,
    },
    /// The previous server does not end.
    #[error("an earlier PostgreSQL (process {pid}) still runs on {} and does not stop: end it with `kill -INT {pid}`", .cluster.display())]
    StillRunning {
        /// Its process id.
        pid: i32,
        /// The directory it holds.
        cluster: PathBuf,
    },
    /// A program of PostgreSQL failed.
    #[error("{program} failed: {said}")]
    Failed {
        /// Which.
        program: &'static str,
        /// The tail of its output.
        said: String,
    },
    /// The server neither died nor got ready.
    #[error("PostgreSQL was not ready within {seconds} s; its log is {}", .log.display())]
    Slow {
        /// How long we waited.
        seconds: u64,
        /// Where it logs.
        log: PathBuf,
    },
    /// A file operation failed.
    #[error("cannot {doing} {}: {source}", .path.display())]
    File {
        /// What was tried, as a verb.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl EmbeddedError {
    /// Turns an I/O error into one that says what was tried on which file.
    pub(super) fn file(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { doing, path, source }
    }
}
