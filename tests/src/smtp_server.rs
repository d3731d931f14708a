//! A real SMTP server, with TLS and AUTH, that remembers what it took and can be told to refuse, or to keep its word back.
//!
//! It is aiosmtpd (`tests/vendors/smtp_server.py`); `tests/run` installs it.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::Mutex,
};

use serde_json::{Value, json};

use crate::Directory;

/// The one user that it knows.
pub const USER: &str = "lychgate";
/// The user's password.
pub const PASSWORD: &str = "mail-password-0123456789";

/// A running server; gone when dropped.
#[derive(Debug)]
pub struct SmtpServer {
    child: Child,
    pipes: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    port: u16,
    directory: Directory,
}

impl SmtpServer {
    /// One that demands STARTTLS and the user's password.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// One that has neither.
    pub fn start_plain() -> Self {
        Self::with(&["plain"])
    }

    fn with(arguments: &[&str]) -> Self {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
        let (python, directory) = (tests.join(".venv/bin/python"), Directory::new("smtp"));
        let mut command = Command::new(&python);
        command.arg(tests.join("vendors/smtp_server.py")).arg(directory.path()).args(arguments);
        let missing =
            "aiosmtpd is not installed: `tests/run` does it (`pip install -r tests/vendors/requirements.txt`)";
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{missing}: {error}"));
        let mut pipes = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut port = String::new();
        pipes.1.read_line(&mut port).unwrap();
        let port = port.trim().parse().unwrap_or_else(|_| panic!("{missing}; it said `{port}`"));
        Self { child, pipes: Mutex::new(pipes), port, directory }
    }

    /// Where it listens on 127.0.0.1; its certificate is for `localhost`.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate of the authority that its own is from.
    pub fn authority(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// Everything that it took: `from`, `to`, `headers` (names in lower case), `text`, `html`, `encrypted`, `user`.
    pub fn mails(&self) -> Vec<Value> {
        self.ask(&json!({"mails": true})).as_array().unwrap().clone()
    }

    /// Answers the next mails with these words, in this order, and does not take them.
    pub fn refuse(&self, answers: &[&str]) {
        self.ask(&json!({ "refuse": answers }));
    }

    /// Takes mails from now on without saying so, or says so to all that wait and from now on.
    pub fn hold(&self, hold: bool) {
        self.ask(&json!({ "hold": hold }));
    }

    fn ask(&self, question: &Value) -> Value {
        let (stdin, stdout) = &mut *self.pipes.lock().unwrap();
        writeln!(stdin, "{question}").unwrap();
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("the SMTP server said `{line}`: {error}"))
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
