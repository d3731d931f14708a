//! Reads `postmaster.pid`, PostgreSQL's own account of who runs on a cluster and how far it has come.
//!
//! Never signals a process that it has not recognised as a server of this very cluster.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::{EmbeddedError, place::Place};

/// A fast shutdown takes 30–110 ms; one with much to write at its checkpoint takes seconds.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often we look: short against a start of half a second.
pub(super) const GLANCE: Duration = Duration::from_millis(10);

/// What the file says.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Postmaster {
    /// The server's process id.
    pub(super) pid: i32,
    /// It accepts connections.
    pub(super) ready: bool,
}

/// The cluster's server, where there is a file that names one.
pub(super) fn read(cluster: &Path) -> Option<Postmaster> {
    parse(&fs::read_to_string(cluster.join("postmaster.pid")).ok()?)
}

/// Line 1 is the process id, line 8 the status (PostgreSQL's `utils/pidfile.h`).
fn parse(text: &str) -> Option<Postmaster> {
    let mut lines = text.lines();
    let pid = lines.next()?.trim().parse().ok()?;
    Some(Postmaster { pid, ready: lines.nth(6).is_some_and(|status| status.trim() == "ready") })
}

/// Waits until no earlier server runs on the cluster: after a `kill -9` of ours the previous one is still shutting
/// down, or, on a system without parent-death signals, does not know yet that it should. We hold the data directory's
/// lock, so a server on it is an orphan of ours.
pub(super) fn wait_out(place: &Place) -> Result<(), EmbeddedError> {
    let started = Instant::now();
    let mut told = false;
    while let Some(pid) = read(&place.cluster).and_then(|file| Pid::from_raw(file.pid)).filter(|pid| alive(*pid)) {
        if !is_server_of(pid, &place.cluster) {
            // The number now belongs to a stranger; PostgreSQL decides itself whether the file is stale.
            return Ok(());
        }
        if !told {
            // Asking one that is already shutting down does no harm. One that has just ended needs no asking.
            kill_process(pid, Signal::INT).ok();
            told = true;
        }
        if started.elapsed() > PATIENCE {
            let pid = pid.as_raw_nonzero().get();
            return Err(EmbeddedError::StillRunning { pid, cluster: place.cluster.clone() });
        }
        thread::sleep(GLANCE);
    }
    Ok(())
}

/// Whether a process of this number exists (one of another user counts).
fn alive(pid: Pid) -> bool {
    test_kill_process(pid) != Err(rustix::io::Errno::SRCH)
}

/// Whether its command line names the cluster. Where there is no `/proc`, the file is believed.
fn is_server_of(pid: Pid, cluster: &Path) -> bool {
    match fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())) {
        Ok(words) => words.split(|byte| *byte == 0).any(|word| word == cluster.as_os_str().as_encoded_bytes()),
        Err(_) => !Path::new("/proc/self").exists(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_is_what_the_eighth_line_says() {
        let file = "4711\n/data\n1700000000\n5432\n/run\n\n  123  456\nready   \n";
        assert_eq!(parse(file), Some(Postmaster { pid: 4711, ready: true }));
        let starting = file.replace("ready   ", "starting");
        assert_eq!(parse(&starting), Some(Postmaster { pid: 4711, ready: false }));
        assert_eq!(parse("4711\n"), Some(Postmaster { pid: 4711, ready: false }));
        assert_eq!(parse(""), None);
    }
}
