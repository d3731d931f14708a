//! The product's own binaries: found or built, started, watched, asked to stop, killed.
//!
//! Their output is kept and printed when a test fails. A process is ready when it says so itself: by the addresses it
//! prints and by `/readyz`.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, LazyLock, Mutex},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Directory, fact::eventually, http::Request};

/// Where the binaries are; builds them first unless the runner has done so (`LYCHGATE_TEST_BUILT`).
static BINARIES: LazyLock<PathBuf> = LazyLock::new(|| {
    let this = std::env::current_exe().unwrap();
    let directory = this.ancestors().find(|path| path.join("deps").is_dir()).expect("run from a target directory");
    if std::env::var_os("LYCHGATE_TEST_BUILT").is_none() {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--quiet", "--workspace", "--bins"]);
        if directory.ends_with("release") {
            cargo.arg("--release");
        }
        // What the runner's cargo says of *this* package; build scripts that watch it would build everything anew.
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
                cargo.env_remove(name);
            }
        }
        let built = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().unwrap();
        assert!(built.success(), "the product does not build");
    }
    directory.to_path_buf()
});

/// One of the product's binaries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Program {
    /// `lychgate`: everything in one.
    Lychgate,
    /// `lychgate-gateway`.
    Gateway,
    /// `lychgate-worker`.
    Worker,
}

impl Program {
    /// Its file.
    pub fn path(self) -> PathBuf {
        BINARIES.join(match self {
            Self::Lychgate => "lychgate",
            Self::Gateway => "lychgate-gateway",
            Self::Worker => "lychgate-worker",
        })
    }

    /// A command with an environment free of the product's own variables.
    pub fn command(self) -> Command {
        let mut command = Command::new(self.path());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("LYCHGATE_") {
                command.env_remove(name);
            }
        }
        command.env("NO_COLOR", "1").stdin(Stdio::null());
        command
    }
}

/// A running process of the product. Killed when dropped; its output is printed when the test has failed.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    output: Arc<Mutex<String>>,
    directory: Option<Directory>,
}

impl Process {
    /// Starts a command. `name` stands in failure messages.
    pub fn spawn(name: &str, mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let output = Arc::new(Mutex::new(String::new()));
        collect(child.stdout.take().unwrap(), &output);
        collect(child.stderr.take().unwrap(), &output);
        Self { name: name.to_owned(), child, output, directory: None }
    }

    /// Keeps a directory as long as the process, and has its janitor stop the process should we be killed.
    #[must_use]
    pub fn keeping(mut self, directory: Directory) -> Self {
        directory.note(&self.name, self.child.id());
        self.directory = Some(directory);
        self
    }

    /// The directory given to [`Process::keeping`].
    pub fn directory(&self) -> &Directory {
        self.directory.as_ref().unwrap()
    }

    /// Everything it has written so far, standard output and standard error as they came.
    pub fn output(&self) -> String {
        self.output.lock().unwrap().clone()
    }

    /// The addresses it has printed so far, `name=address` a line.
    pub fn addresses(&self) -> BTreeMap<String, SocketAddr> {
        let output = self.output();
        let pairs = output.lines().filter_map(|line| line.trim().split_once('='));
        pairs.filter_map(|(name, address)| Some((name.to_owned(), address.parse().ok()?))).collect()
    }

    /// Waits for the address of this name (`listen`, `ops`, `console`).
    pub async fn address(&mut self, name: &str) -> SocketAddr {
        let what = format!("{} prints `{name}=…`", self.name);
        eventually(&what, async || {
            self.must_live();
            self.addresses().get(name).copied().ok_or_else(|| self.output())
        })
        .await
    }

    /// Waits until `/readyz` says 200.
    pub async fn ready(&mut self) {
        let ops = self.address("ops").await;
        let what = format!("{} is ready", self.name);
        eventually(&what, async || {
            self.must_live();
            match Request::get("/readyz").send(ops).await {
                Ok(reply) if reply.status == 200 => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    }

    /// One number of `/metrics`: the sum over all series of this name whose labels contain every one of `labels`.
    pub async fn metric(&mut self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let ops = self.address("ops").await;
        let reply = Request::get("/metrics").send(ops).await.unwrap();
        let text = String::from_utf8(reply.body).unwrap();
        let has = |series: &str| labels.iter().all(|(label, value)| series.contains(&format!("{label}=\"{value}\"")));
        let lines = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
        lines
            .filter(|(series, _)| series.split('{').next() == Some(name) && has(series))
            .filter_map(|(_, value)| value.parse::<f64>().ok())
            .sum()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// `kill -9`, and waits for the end.
    pub fn kill9(mut self) {
        self.end();
    }

    /// `SIGTERM`, and waits for the end.
    pub async fn stop(mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.ended().await
    }

    /// Waits for the end.
    pub async fn ended(&mut self) -> ExitStatus {
        let what = format!("{} ends", self.name);
        let status = eventually(&what, async || match self.child.try_wait().unwrap() {
            Some(status) => Ok(status),
            None => Err(tail(&self.output(), 20)),
        })
        .await;
        self.forget();
        status
    }

    fn must_live(&mut self) {
        if let Some(status) = self.child.try_wait().unwrap() {
            panic!("{} ended with {status}:\n{}", self.name, self.output());
        }
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.forget();
    }

    fn forget(&self) {
        if let Some(directory) = &self.directory {
            directory.forget(&self.name);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
        if std::thread::panicking() {
            println!("---- {} wrote:\n{}", self.name, tail(&self.output(), 200));
        }
    }
}

fn collect(pipe: impl Read + Send + 'static, output: &Arc<Mutex<String>>) {
    let output = Arc::clone(output);
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            let mut output = output.lock().unwrap();
            output.push_str(&String::from_utf8_lossy(&line));
            output.push('\n');
        }
    });
}

/// The last `lines` lines of a text.
pub fn tail(text: &str, lines: usize) -> String {
    let all: Vec<_> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
