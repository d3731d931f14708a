//! The server process and the thread that owns it: start, wait until ready, restart if it dies, stop.
//!
//! The thread matters: the parent-death signal fires when the *thread* that spawned the child ends, so the child is
//! spawned by one that lives exactly as long as the server shall.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom},
    os::unix::{fs::OpenOptionsExt, net::UnixStream},
    process::{Child, ExitStatus},
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{
    EmbeddedError,
    account::Account,
    binaries::Binaries,
    cluster::tail,
    pidfile::{self, GLANCE},
    place::Place,
};

/// Crash recovery of a busy cluster can take long; this is the point at which a person should look.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// How long an orderly shutdown may take before the server is told to drop everything (its next start recovers).
const STOP_WITHIN: Duration = Duration::from_secs(10);
/// How often the thread looks whether the server still lives.
const WATCH: Duration = Duration::from_millis(100);
/// A pause before a dead server is started again, so that one that cannot live does not spin.
const RESTART_PAUSE: Duration = Duration::from_secs(1);
/// A log that has grown past this is set aside at the next start.
const LOG_LIMIT: u64 = 16 * 1024 * 1024;

/// The settings that make it private, durable and modest. The rest is PostgreSQL's defaults.
const SETTINGS: [&str; 14] = [
    "listen_addresses=",
    "port=5432",
    "unix_socket_permissions=0700",
    "fsync=on",
    "full_page_writes=on",
    "synchronous_commit=on",
    "shared_buffers=64MB",
    "max_connections=64",
    "max_wal_size=1GB",
    // Small statements on hot tables: neither compiling nor parallel workers pay, and both cost memory.
    "jit=off",
    "max_parallel_workers_per_gather=0",
    "log_checkpoints=off",
    "logging_collector=off",
    "timezone=UTC",
];

/// A server that was ready once, and the thread that keeps it so.
#[derive(Debug)]
pub(super) struct Server {
    stop: Option<Sender<()>>,
    keeper: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts the server and returns when it accepts connections.
    pub(super) fn start(place: Place, binaries: Binaries, account: Account) -> Result<Self, EmbeddedError> {
        let (stop, stopped) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        let keeper = thread::Builder::new()
            .name("postgres".to_owned())
            .spawn(move || {
                let launch = || launch(&place, &binaries, &account);
                match launch() {
                    Ok(child) => {
                        // The starter waits for this word; if it is gone, the channel `stopped` is closed too.
                        drop(tell.send(Ok(())));
                        keep(child, launch, &stopped);
                    }
                    Err(error) => drop(tell.send(Err(error))),
                }
            })
            .map_err(EmbeddedError::file("start a thread for", "postgres"))?;
        let server = Self { stop: Some(stop), keeper: Some(keeper) };
        match told.recv() {
            Ok(Ok(())) => Ok(server),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(EmbeddedError::Failed { program: "postgres", said: "its thread ended".to_owned() }),
        }
    }

    /// Shuts the server down and waits for it.
    pub(super) fn stop(&mut self) {
        // Closing the channel is the signal.
        self.stop = None;
        if let Some(keeper) = self.keeper.take()
            && keeper.join().is_err()
        {
            tracing::error!("the thread that keeps PostgreSQL panicked; its parent-death signal stops the server");
        }
    }
}

/// Watches the server until we are told to stop; starts it again when it dies by itself.
fn keep(mut child: Child, launch: impl Fn() -> Result<Child, EmbeddedError>, stopped: &Receiver<()>) {
    loop {
        match stopped.recv_timeout(WATCH) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return shut_down(&mut child),
        }
        let Ok(Some(status)) = child.try_wait() else { continue };
        tracing::error!(%status, "PostgreSQL ended by itself; starting it again");
        child = loop {
            match launch() {
                Ok(child) => break child,
                Err(error) => tracing::error!(%error, "PostgreSQL cannot be started again; trying on"),
            }
            match stopped.recv_timeout(RESTART_PAUSE) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
            }
        };
    }
}

/// Starts the process and waits until it is ready. A predecessor whose last processes are still ending makes it refuse
/// at first; that is waited out.
pub(super) fn launch(place: &Place, binaries: &Binaries, account: &Account) -> Result<Child, EmbeddedError> {
    let started = Instant::now();
    loop {
        let (mut log, from) = open_log(place)?;
        let output = || log.try_clone().map_err(EmbeddedError::file("open", &place.log));
        let mut child = account
            .command(&binaries.postgres())
            .arg("-D")
            .arg(&place.cluster)
            .args(SETTINGS.iter().flat_map(|setting| ["-c", setting]))
            .arg("-c")
            .arg(format!("unix_socket_directories=\"{}\"", place.socket.display()))
            .stdout(output()?)
            .stderr(output()?)
            .spawn()
            .map_err(EmbeddedError::file("run", binaries.postgres()))?;
        let Some(status) = wait_ready(&mut child, place)? else { return Ok(child) };
        let said = read_from(&mut log, from);
        let predecessor = ["is still in use", "already exists"].iter().any(|words| said.contains(words));
        if !predecessor || started.elapsed() > STOP_WITHIN {
            let said = format!("it ended at its start ({status}). {}:\n  {}", place.log.display(), tail(&said, 6));
            return Err(EmbeddedError::Failed { program: "postgres", said });
        }
        thread::sleep(WATCH);
    }
}

/// Waits for readiness; the exit status where the server ended instead.
fn wait_ready(child: &mut Child, place: &Place) -> Result<Option<ExitStatus>, EmbeddedError> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().map_err(EmbeddedError::file("wait for", "postgres"))? {
            return Ok(Some(status));
        }
        let ours = |file: &pidfile::Postmaster| u32::try_from(file.pid).is_ok_and(|pid| pid == child.id());
        if pidfile::read(&place.cluster).filter(ours).is_some_and(|file| file.ready)
            && UnixStream::connect(place.socket_file()).is_ok()
        {
            return Ok(None);
        }
        if started.elapsed() > READY_WITHIN {
            shut_down(child);
            return Err(EmbeddedError::Slow { seconds: READY_WITHIN.as_secs(), log: place.log.clone() });
        }
        thread::sleep(GLANCE);
    }
}

/// Fast shutdown (open transactions are rolled back), then, past its time, the immediate one, then the hard one.
fn shut_down(child: &mut Child) {
    for (signal, patience) in [(Signal::INT, STOP_WITHIN), (Signal::QUIT, STOP_WITHIN / 2)] {
        if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
            // It may have ended just now, which is what we want.
            kill_process(pid, signal).ok();
        }
        let asked = Instant::now();
        while asked.elapsed() < patience {
            if matches!(child.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            thread::sleep(GLANCE);
        }
        tracing::warn!(?signal, "PostgreSQL does not stop");
    }
    drop(child.kill().and_then(|()| child.wait()));
}

/// Opens the log for appending and says where it ends now.
fn open_log(place: &Place) -> Result<(File, u64), EmbeddedError> {
    let length = std::fs::metadata(&place.log).map_or(0, |metadata| metadata.len());
    if length > LOG_LIMIT {
        // Only a nicety: a log that cannot be set aside goes on growing.
        drop(std::fs::rename(&place.log, place.log.with_extension("log.old")));
    }
    let mut options = OpenOptions::new();
    options.create(true).append(true).read(true).mode(0o600);
    let file = options.open(&place.log).map_err(EmbeddedError::file("write", &place.log))?;
    let end = file.metadata().map_or(0, |metadata| metadata.len());
    Ok((file, end))
}

/// What was logged since.
fn read_from(log: &mut File, from: u64) -> String {
    let mut said = Vec::new();
    if log.seek(SeekFrom::Start(from)).and_then(|_| log.read_to_end(&mut said)).is_err() {
        return String::new();
    }
    String::from_utf8_lossy(&said).into_owned()
}
