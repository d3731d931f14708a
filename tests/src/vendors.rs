//! Vendors' own SDKs, as senders and as judges: a process of theirs signs what we ask for, or says what it thinks of what
//! we have signed, line by line.
//!
//! `tests/run` installs them (`tests/vendors/`). Where they are missing a test fails and says so; it is never left out.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::Mutex,
};

use serde_json::{Value, json};

/// A language's SDKs, running.
#[derive(Debug)]
pub struct Sdk {
    child: Child,
    pipes: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
}

/// What is to be signed.
#[derive(Clone, Debug)]
pub struct Draft<'a> {
    /// The secret as the vendor hands it out.
    pub secret: &'a str,
    /// The event's or delivery's id.
    pub id: &'a str,
    /// Seconds since 1970.
    pub time: i64,
    /// The public URL, for those who sign it.
    pub url: &'a str,
    /// The body.
    pub body: &'a str,
}

/// What a vendor sends.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The body, with the signature where it stands in there.
    pub body: String,
    /// What is added to the address, where a vendor signs with it.
    pub query: Option<String>,
}

impl Sdk {
    /// The SDKs for Node.
    pub fn node() -> Self {
        Self::of_node("sign.mjs")
    }

    /// What the libraries for Node think of what was signed.
    pub fn judges() -> Self {
        Self::of_node("judge.mjs")
    }

    fn of_node(script: &str) -> Self {
        let vendors = vendors();
        let installed = vendors.join("node_modules/discord-interactions").is_dir();
        let mut command = Command::new("node");
        command.arg(script);
        Self::start(command, &vendors, installed, "npm ci --ignore-scripts")
    }

    /// The SDKs for Python.
    pub fn python() -> Self {
        let vendors = vendors();
        let python = vendors.with_file_name(".venv").join("bin/python");
        let mut command = Command::new(&python);
        command.arg("sign.py");
        Self::start(command, &vendors, python.exists(), "pip install -r requirements.txt")
    }

    fn start(mut command: Command, vendors: &Path, installed: bool, how: &str) -> Self {
        let missing = format!("the vendors' SDKs are not installed: `tests/run` does it (`{how}` in tests/vendors)");
        assert!(installed, "{missing}");
        let piped = command.current_dir(vendors).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = piped.spawn().unwrap_or_else(|error| panic!("{missing}: {error}"));
        let pipes = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, pipes: Mutex::new(pipes) }
    }

    /// The headers with which a vendor sends this.
    pub fn sign(&self, provider: &str, draft: &Draft<'_>) -> Vec<(String, String)> {
        self.send(provider, draft).headers
    }

    /// Everything with which a vendor sends this.
    pub fn send(&self, provider: &str, draft: &Draft<'_>) -> Sent {
        let answer = self.ask(&json!({
            "provider": provider, "secret": draft.secret, "id": draft.id, "time": draft.time, "url": draft.url,
            "body": draft.body,
        }));
        assert!(answer.get("error").is_none(), "{provider}: {answer}");
        let text = |name: &str| answer.get(name).and_then(Value::as_str).map(str::to_owned);
        let headers = answer.as_object().unwrap().iter().filter(|(name, _)| !name.starts_with(':'));
        Sent {
            headers: headers.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect(),
            body: text(":body").unwrap_or_else(|| draft.body.to_owned()),
            query: text(":query"),
        }
    }

    /// The public keys of the process's own key pairs: one set a name.
    pub fn published(&self, name: &str) -> String {
        self.ask(&json!({"provider": "published-keys"}))[name].as_str().unwrap().to_owned()
    }

    /// Whether a vendor's library takes these headers and this body; else why not.
    pub fn verify(&self, provider: &str, secret: &str, headers: &Value, body: &str) -> Result<(), String> {
        let provider = format!("{provider}-verify");
        let answer = self.ask(&json!({"provider": provider, "secret": secret, "headers": headers, "body": body}));
        if answer["verified"] == true { Ok(()) } else { Err(answer.to_string()) }
    }

    /// Whether a judge takes this request, sent to this address; else why not.
    pub fn judge(&self, judge: &str, secret: &str, url: &str, headers: &Value, body: &str) -> Result<(), String> {
        let answer = self.ask(&json!({
            "judge": judge, "secret": secret, "method": "POST", "url": url, "headers": headers, "body": body,
        }));
        match (answer["valid"].as_bool(), answer["why"].as_str()) {
            (Some(true), _) => Ok(()),
            (_, Some(why)) => Err(why.to_owned()),
            (_, None) => panic!("{judge} said {answer}"),
        }
    }

    fn ask(&self, question: &Value) -> Value {
        let (stdin, stdout) = &mut *self.pipes.lock().unwrap();
        writeln!(stdin, "{question}").unwrap();
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("the SDK's process said `{line}`: {error}"))
    }
}

impl Drop for Sdk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn vendors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vendors")
}
