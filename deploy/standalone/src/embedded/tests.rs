//! The private server on a real PostgreSQL: it keeps what it was given, whatever ends it.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{DataDir, Embedded, account::Account, pidfile, server::launch};

fn start(data: &DataDir) -> Embedded {
    Embedded::start(data, None, &mut |note| eprintln!("note: {note}")).expect("PostgreSQL is installed")
}

/// Runs a statement through the very line that `up` prints.
fn psql(server: &Embedded, statement: &str) -> Result<String, String> {
    let line = format!("{} -qAt -v ON_ERROR_STOP=1 -c \"{statement}\"", server.psql());
    let output = Command::new("sh").args(["-c", &line]).output().expect("a shell");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

fn postmaster(server: &Embedded) -> Pid {
    Pid::from_raw(pidfile::read(&server.place.cluster).expect("a running server").pid).expect("a process id")
}

#[test]
fn data_outlives_an_orderly_stop_and_the_server_does_not() {
    let data = DataDir::ephemeral().unwrap();
    let server = start(&data);
    psql(&server, "create table kept (word text); insert into kept values ('first')").unwrap();
    assert_eq!(psql(&server, "show fsync").unwrap(), "on");
    assert_eq!(psql(&server, "show synchronous_commit").unwrap(), "on");
    assert_eq!(psql(&server, "show listen_addresses").unwrap(), "");
    let place = server.place.clone();
    server.stop();
    assert_eq!(pidfile::read(&place.cluster), None);
    let server = start(&data);
    assert_eq!(psql(&server, "select word from kept").unwrap(), "first");
}

#[test]
fn a_server_killed_hard_comes_back_by_itself_with_its_data() {
    let data = DataDir::ephemeral().unwrap();
    let server = start(&data);
    psql(&server, "create table kept (word text); insert into kept values ('before')").unwrap();
    let killed = postmaster(&server);
    kill_process(killed, Signal::KILL).unwrap();
    let given_up = Instant::now() + Duration::from_secs(30);
    let answer = loop {
        match psql(&server, "select word from kept") {
            Ok(answer) if postmaster(&server) != killed => break answer,
            other => assert!(Instant::now() < given_up, "not back: {other:?}"),
        }
        std::thread::yield_now();
    };
    assert_eq!(answer, "before");
}

#[test]
fn an_orphan_of_a_killed_predecessor_is_waited_out() {
    let data = DataDir::ephemeral().unwrap();
    let server = start(&data);
    psql(&server, "create table kept (word text); insert into kept values ('orphan')").unwrap();
    let (place, binaries) = (server.place.clone(), server.binaries.clone());
    server.stop();
    // A server that nobody watches: what a system without parent-death signals leaves behind.
    let mut orphan = launch(&place, &binaries, &Account::choose().unwrap()).unwrap();
    let server = start(&data);
    assert_eq!(psql(&server, "select word from kept").unwrap(), "orphan");
    assert!(orphan.try_wait().unwrap().is_some_and(|status| status.success()), "it was shut down in order");
}
