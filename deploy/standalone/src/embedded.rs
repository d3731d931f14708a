//! The private PostgreSQL of `lychgate up`: found, initialised, started as our child, watched, stopped.
//!
//! It listens on a Unix socket in a directory that only we may enter, keeps everything durable (fsync and
//! synchronous_commit on: the same promise as in production), and lives in the data directory. It never opens a TCP
//! port, never touches another cluster of the machine, and never outlives us: a parent-death signal ends it even after
//! `kill -9`, and where the system has none, the next start ends what is left.

mod account;
mod binaries;
mod cluster;
mod ephemeral;
mod error;
mod pidfile;
mod place;
mod server;
#[cfg(test)]
mod tests;

use std::{
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
};

use lychgate_common::secret::Secret;

use self::{account::Account, binaries::Binaries, place::Place, server::Server};
pub(crate) use self::{error::EmbeddedError, place::DataDir};

/// The database that we use inside the private server; its user is always `postgres`.
const DATABASE: &str = "lychgate";

/// A private PostgreSQL server that is ready. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct Embedded {
    server: Server,
    place: Place,
    binaries: Binaries,
}

impl Embedded {
    /// Starts the server of this data directory, initialising it first where it is new. Blocks until it accepts
    /// connections: well under a second but for crash recovery.
    ///
    /// `binaries` names PostgreSQL's directory of programs; without it, the usual places are searched. What the user
    /// should know (another directory than the one they asked for) is handed to `note`.
    pub(crate) fn start(
        data: &DataDir,
        binaries: Option<&Path>,
        note: &mut dyn FnMut(String),
    ) -> Result<Self, EmbeddedError> {
        let found = binaries::find(binaries)?;
        let account = Account::choose()?;
        let place = Place::prepare(data, &account, note)?;
        let binaries = cluster::choose(found, &place)?;
        pidfile::wait_out(&place)?;
        cluster::initialise(&place, &binaries, &account)?;
        let server = Server::start(place.clone(), binaries.clone(), account)?;
        Ok(Self { server, place, binaries })
    }

    /// What the store is opened with.
    pub(crate) fn url(&self) -> Secret {
        url(&self.place.socket)
    }

    /// What to open the store of a server with that another process keeps in this data directory; `None` where none
    /// answers.
    pub(crate) fn url_of_running(data: &Path) -> Option<Secret> {
        let place = Place::of_running(data)?;
        UnixStream::connect(place.socket_file()).ok().map(|_| url(&place.socket))
    }

    /// The shell line with which a person looks inside.
    pub(crate) fn psql(&self) -> String {
        let socket = shell_word(&self.place.socket);
        format!("{} -h {socket} -U postgres {DATABASE}", shell_word(&self.binaries.beside("psql")))
    }

    /// The server's version, e.g. `15.18`.
    pub(crate) fn version(&self) -> &str {
        &self.binaries.version
    }

    /// Where its files are.
    pub(crate) fn directory(&self) -> PathBuf {
        self.place.cluster.clone()
    }

    /// The directory of its own where its files are, if they could not be in the data directory.
    pub(crate) fn home_elsewhere(&self, data: &Path) -> Option<&Path> {
        self.place.cluster.parent().filter(|home| *home != data)
    }

    /// Shuts it down in order and waits for it. Done by `Drop` as well; this one is visible in the caller's order of
    /// stopping.
    pub(crate) fn stop(self) {
        drop(self);
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.server.stop();
    }
}

/// A connection string to the server whose socket is in this directory.
fn url(socket: &Path) -> Secret {
    let host = socket.to_string_lossy().replace('\\', "\\\\").replace('\'', "\\'");
    Secret::new(format!("host='{host}' user=postgres dbname={DATABASE} sslmode=disable"))
}

/// A path as one word of a shell line.
fn shell_word(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@".contains(c);
    if text.chars().all(plain) { text.into_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
