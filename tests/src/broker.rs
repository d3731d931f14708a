//! A private RabbitMQ node, and virtual hosts in it: one for every test.
//!
//! Everything of the node (data, cookie, logs, port mapper) is its own, on loopback, in a temporary directory. Reused
//! from `LYCHGATE_TEST_BROKER` (the directory of a node that the runner started for all tests) where that is set.

use std::{
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
};

use lapin::{Connection, ConnectionProperties};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use crate::{
    Directory,
    directory::unique,
    fact::{eventually, eventually_within},
    http::free_port,
};

/// The node that the tests of this process share, where the runner did not start one.
static SHARED: OnceCell<Node> = OnceCell::const_new();

/// How many virtual hosts are made at once: `rabbitmqctl` takes a second to start, a virtual host a moment to make.
const POOL: usize = 8;

/// What someone who wants to speak to a node must know; stands in `node.json` in its directory.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Address {
    home: PathBuf,
    name: String,
    port: u16,
    epmd: u16,
    distribution: u16,
}

/// A RabbitMQ node of one's own: for tests that stop or kill it.
#[derive(Debug)]
pub struct Node {
    directory: Directory,
    address: Address,
    running: Mutex<Vec<Child>>,
}

impl Node {
    /// Starts one on free loopback ports.
    pub async fn start() -> Self {
        let directory = Directory::new("mq");
        let home = directory.path().to_path_buf();
        let name = format!("lychgate{}@localhost", unique());
        let address = Address { name, port: free_port(), epmd: free_port(), distribution: free_port(), home };
        let home = &address.home;
        fs::write(home.join("rabbitmq.conf"), "loopback_users.guest = true\nlog.file.level = info\n").unwrap();
        fs::write(home.join("enabled_plugins"), "[].\n").unwrap();
        fs::write(home.join("node.json"), serde_json::to_vec(&address).unwrap()).unwrap();
        let node = Self { directory, address, running: Mutex::new(Vec::new()) };
        node.start_again().await;
        node
    }

    /// Starts it again after [`Node::kill9`] or [`Node::stop`], with the same name, port and data.
    pub async fn start_again(&self) {
        let mapper = Command::new("epmd")
            .args(["-address", "127.0.0.1", "-port", &self.address.epmd.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("no Erlang port mapper: install `rabbitmq-server`");
        let log = fs::File::options().create(true).append(true).open(self.address.home.join("console")).unwrap();
        let server = self
            .address
            .command("rabbitmq-server")
            // Foreground, and no shell between us and the node: its process number is the node's.
            .env("RUNNING_UNDER_SYSTEMD", "true")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .process_group(0)
            .spawn()
            .unwrap();
        self.directory.note("epmd", mapper.id());
        self.directory.note("node", server.id());
        *self.running.lock().unwrap() = vec![server, mapper];
        eventually("RabbitMQ accepts connections", async || {
            if let Ok(Some(status)) = self.running.lock().unwrap()[0].try_wait() {
                panic!("RabbitMQ ended with {status}:\n{}", self.log());
            }
            probe(&self.url()).await
        })
        .await;
    }

    /// Its URL, for the default virtual host.
    pub fn url(&self) -> String {
        self.address.url("%2f")
    }

    /// The node's directory: what `LYCHGATE_TEST_BROKER` holds.
    pub fn home(&self) -> &Path {
        &self.address.home
    }

    /// `kill -9`.
    pub fn kill9(&self) {
        self.end(Signal::KILL);
    }

    /// An orderly stop of the whole node.
    pub fn stop(&self) {
        self.end(Signal::TERM);
    }

    /// Stands still (`SIGSTOP`) until [`Node::wake`].
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Goes on after [`Node::freeze`].
    pub fn wake(&self) {
        self.signal(Signal::CONT);
    }

    /// `rabbitmqctl stop_app`: the broker is away, its machine and Erlang are not.
    pub async fn stop_app(&self) {
        self.control(&["stop_app"]).await;
    }

    /// `rabbitmqctl start_app`, until it accepts connections again.
    pub async fn start_app(&self) {
        self.control(&["start_app"]).await;
        eventually("RabbitMQ accepts connections", async || probe(&self.url()).await).await;
    }

    /// `rabbitmqctl` with these arguments; its standard output.
    ///
    /// # Panics
    /// When it fails.
    pub async fn control(&self, arguments: &[&str]) -> String {
        control(self.address.clone(), arguments).await
    }

    /// The end of the node's output.
    pub fn log(&self) -> String {
        crate::process::tail(&fs::read_to_string(self.address.home.join("console")).unwrap_or_default(), 60)
    }

    fn signal(&self, signal: Signal) {
        if let Some(server) = self.running.lock().unwrap().first() {
            kill_process(Pid::from_child(server), signal).unwrap();
        }
    }

    fn end(&self, signal: Signal) {
        for (index, mut child) in self.running.lock().unwrap().drain(..).enumerate() {
            let _ = kill_process(Pid::from_child(&child), if index == 0 { signal } else { Signal::KILL });
            let _ = child.wait();
        }
        self.directory.forget("node");
        self.directory.forget("epmd");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill9();
    }
}

/// A virtual host of one test's own.
#[derive(Debug, Clone)]
pub struct Broker {
    address: Address,
    vhost: String,
}

impl Broker {
    /// An empty virtual host in the node that the tests share.
    pub async fn fresh() -> Self {
        let home = match std::env::var_os("LYCHGATE_TEST_BROKER") {
            Some(home) => PathBuf::from(home),
            None => SHARED.get_or_init(Node::start).await.home().to_path_buf(),
        };
        let address: Address = serde_json::from_slice(&fs::read(home.join("node.json")).unwrap()).unwrap();
        let taken = home.join("taken");
        fs::create_dir_all(&taken).unwrap();
        // Tests run in many processes: the one that makes a file first has the virtual host of that number.
        let mine = (0..)
            .find(|number| fs::File::create_new(taken.join(number.to_string())).is_ok())
            .expect("there are numbers enough");
        let first = mine / POOL * POOL;
        if mine == first {
            let make: Vec<_> = (first..first + POOL).map(make_vhost).collect();
            control(address.clone(), &["eval", &format!("{}.", make.join(", "))]).await;
            fs::write(taken.join(format!("made-{first}")), "").unwrap();
        }
        eventually_within(crate::fact::PATIENCE * 2, "the test's virtual host exists", async || {
            if taken.join(format!("made-{first}")).exists() { Ok(()) } else { Err("not yet".to_owned()) }
        })
        .await;
        Self { address, vhost: format!("t{mine}") }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        self.address.url(&self.vhost)
    }

    /// A connection to it.
    pub async fn connect(&self) -> Connection {
        Connection::connect(&self.url(), ConnectionProperties::default()).await.unwrap()
    }

    /// `rabbitmqctl COMMAND -p VHOST ARGUMENTS`; its standard output.
    pub async fn control(&self, command: &str, arguments: &[&str]) -> String {
        control(self.address.clone(), &[&[command, "-p", &self.vhost], arguments].concat()).await
    }
}

impl Address {
    fn url(&self, vhost: &str) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/{vhost}", self.port)
    }

    /// One of RabbitMQ's scripts, told to use this node's files only. Debian's wrappers, which change the user, are
    /// stepped around.
    fn command(&self, script: &str) -> Command {
        let bare = Path::new("/usr/lib/rabbitmq/bin").join(script);
        let mut command = Command::new(if bare.exists() { bare } else { PathBuf::from(script) });
        let file = |name: &str| self.home.join(name);
        command
            .current_dir(&self.home)
            .env("HOME", &self.home)
            .env("LANG", "C.UTF-8")
            .env("ERL_EPMD_PORT", self.epmd.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODENAME", &self.name)
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", self.port.to_string())
            .env("RABBITMQ_DIST_PORT", self.distribution.to_string())
            .env("RABBITMQ_CONF_ENV_FILE", file("rabbitmq-env.conf"))
            .env("RABBITMQ_CONFIG_FILE", file("rabbitmq.conf"))
            .env("RABBITMQ_ADVANCED_CONFIG_FILE", file("advanced.config"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", file("enabled_plugins"))
            .env("RABBITMQ_MNESIA_BASE", file("data"))
            .env("RABBITMQ_LOG_BASE", file("log"))
            .env("RABBITMQ_PID_FILE", file("pid"))
            // Idle schedulers sleep instead of spinning: the machine is shared with the tests.
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "+sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}",
            )
            .env("RABBITMQ_CTL_ERL_ARGS", "+sbwt none +sbwtdcpu none +sbwtdio none");
        command
    }
}

fn make_vhost(number: usize) -> String {
    format!(
        "rabbit_vhost:add(<<\"t{number}\">>, <<\"tests\">>), \
         rabbit_auth_backend_internal:set_permissions(<<\"guest\">>, <<\"t{number}\">>, <<\".*\">>, <<\".*\">>, <<\".*\">>, <<\"tests\">>)"
    )
}

async fn control(address: Address, arguments: &[&str]) -> String {
    let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let run = move || {
        let mut command = address.command("rabbitmqctl");
        command.args(["--quiet", "--node", &address.name]).args(&arguments);
        let done = command.output().expect("no `rabbitmqctl`: install `rabbitmq-server`");
        let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert!(done.status.success(), "rabbitmqctl {arguments:?}: {out}{err}");
        out.into_owned()
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

async fn probe(url: &str) -> Result<(), String> {
    let connection =
        Connection::connect(url, ConnectionProperties::default()).await.map_err(|error| error.to_string())?;
    connection.close(200, "probe".into()).await.map_err(|error| error.to_string())
}
