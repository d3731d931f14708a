//! A small HTTP/1.1 client on bare sockets, so that a test can also send what no client library would.
//!
//! Reads answers by `Content-Length`, chunks or the end of the connection. Knows nothing of the product.

use std::{io, net::SocketAddr, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

/// How long a test's client waits for an answer: longer than any deadline of the product.
pub const ANSWER: Duration = Duration::from_secs(45);

/// A loopback port that was free a moment ago.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Lets this process hold as many sockets as it may: a thousand senders need a thousand.
pub fn many_sockets() {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, ..limit };
    let _ = rustix::process::setrlimit(rustix::process::Resource::Nofile, raised);
}

/// A request as it will stand on the wire.
#[derive(Clone, Debug)]
pub struct Request {
    /// `POST` and the like.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// In order, names as given. `Host` and `Content-Length` are added where they are missing.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body's bytes.
    pub body: Vec<u8>,
}

impl Request {
    /// A `POST` of JSON.
    pub fn post(path: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { method: "POST".into(), path: path.into(), headers: Vec::new(), body: body.into() }
            .header("Content-Type", "application/json")
    }

    /// A `GET`.
    pub fn get(path: &str) -> Self {
        Self { method: "GET".into(), path: path.into(), headers: Vec::new(), body: Vec::new() }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Takes every header of this name away.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(given, _)| !given.eq_ignore_ascii_case(name));
        self
    }

    /// Puts a header in the place of those of the same name.
    #[must_use]
    pub fn replacing(self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.without(name).header(name, value)
    }

    /// The value of a header, as text.
    pub fn value(&self, name: &str) -> Option<String> {
        let found = self.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    }

    /// The request's bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Everything before the body, the empty line included.
    pub fn head(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path).into_bytes();
        let has = |name: &str| self.value(name).is_some();
        if !has("host") {
            head.extend_from_slice(b"Host: 127.0.0.1\r\n");
        }
        if !has("content-length") && !has("transfer-encoding") && self.method != "GET" {
            head.extend_from_slice(format!("Content-Length: {}\r\n", self.body.len()).as_bytes());
        }
        for (name, value) in &self.headers {
            head.extend_from_slice(name.as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value);
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        head
    }

    /// Sends it over a connection of its own.
    pub async fn send(&self, to: SocketAddr) -> io::Result<Reply> {
        Connection::open(to).await?.send(self).await
    }
}

/// An answer.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body's bytes.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?} {}", self.status, self.headers, String::from_utf8_lossy(&self.body))
    }
}

impl Reply {
    /// A header's first value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }

    /// The sentence of a refusal.
    pub fn detail(&self) -> String {
        self.json()["detail"].as_str().unwrap_or_else(|| panic!("no `detail`: {self:?}")).to_owned()
    }

    /// The id that every acceptance carries.
    pub fn event_id(&self) -> uuid::Uuid {
        let id = self.header("lychgate-event-id").unwrap_or_else(|| panic!("no Lychgate-Event-Id: {self:?}"));
        id.parse().unwrap()
    }

    /// Whether it is a success.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// A connection that is kept alive between requests.
#[derive(Debug)]
pub struct Connection(BufReader<TcpStream>);

impl Connection {
    /// Connects.
    pub async fn open(to: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends a request and reads its answer.
    pub async fn send(&mut self, request: &Request) -> io::Result<Reply> {
        self.write(&request.bytes()).await?;
        self.read().await
    }

    /// Sends bytes, whatever they are.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.get_mut().write_all(bytes).await
    }

    /// Whether the other side has closed it, or said something unasked.
    pub fn is_closed(&self) -> bool {
        let nothing_yet = self.0.get_ref().try_read(&mut [0; 1]);
        !matches!(nothing_yet, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Says that nothing more will come.
    pub async fn finish(&mut self) -> io::Result<()> {
        self.0.get_mut().shutdown().await
    }

    /// Reads one answer. An error when the connection ends before it, or nothing comes for [`ANSWER`].
    pub async fn read(&mut self) -> io::Result<Reply> {
        timeout(ANSWER, self.read_answer()).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    async fn read_answer(&mut self) -> io::Result<Reply> {
        let line = self.line().await?;
        let status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(|| bad(&line))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| bad(&line))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut reply = Reply { status, headers, body: Vec::new() };
        if status == 100 {
            return Box::pin(self.read_answer()).await;
        }
        if reply.header("transfer-encoding").is_some_and(|encoding| encoding.contains("chunked")) {
            reply.body = self.chunks().await?;
        } else if let Some(length) = reply.header("content-length") {
            reply.body = vec![0; length.parse().map_err(|_| bad(length))?];
            self.0.read_exact(&mut reply.body).await?;
        } else if status != 204 && status != 304 {
            self.0.read_to_end(&mut reply.body).await?;
        }
        Ok(reply)
    }

    async fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line().await?;
            let size = usize::from_str_radix(line.trim(), 16).map_err(|_| bad(&line))?;
            let start = body.len();
            body.resize(start + size, 0);
            self.0.read_exact(&mut body[start..]).await?;
            self.line().await?;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    async fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.0.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }
}

fn bad(line: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not an HTTP answer: {line:?}"))
}
