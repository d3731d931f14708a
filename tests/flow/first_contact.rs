//! What someone sees in the first five minutes: one command, one webhook, one duplicate.

use lychgate_tests::{
    Broker, Directory, Process, Program, eventually,
    stage::{QUICK, QueueKind, Stage, ran},
};

use crate::campus::{CHURCH, Campus};

/// `lychgate up` in a directory of its own, on free ports.
async fn up(more: &[&str]) -> Process {
    let directory = Directory::new("up");
    let data = directory.path().join("data");
    let mut command = Program::Lychgate.command();
    command.arg("up").arg("--data").arg(&data).args(["--listen", "127.0.0.1:0", "--ops", "127.0.0.1:0"]);
    command.args(more).current_dir(directory.path());
    let mut process = Process::spawn("up", command).keeping(directory);
    process.ready().await;
    process
}

fn send(up: &Process, id: &str) -> lychgate_tests::stage::Ran {
    let settings = up.directory().path().join("data/lychgate.toml");
    let url = format!("http://{}", up.addresses()["listen"]);
    let mut command = Program::Lychgate.command();
    command.args(["send", "--source", "platform", "--type", "user.created", "--wait", "--id", id, "--url", &url]);
    ran(command.arg("--config").arg(settings).current_dir(up.directory().path()))
}

async fn the_first_webhook_succeeds_and_its_repetition_is_a_duplicate(more: &[&str]) {
    let mut process = up(more).await;
    process.address("listen").await;
    let first = send(&process, "webhook_first");
    assert_eq!(first.code, 0, "{first:?}\n{}", process.output());
    assert!(first.out.contains("succeeded"), "{first:?}");
    let again = send(&process, "webhook_first");
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.out.to_lowercase().contains("duplicate"), "{again:?}");

    let settings = process.directory().path().join("data/lychgate.toml");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&settings).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600, "it holds secrets");
    let written = std::fs::read(process.directory().path().join("data/addresses.json")).unwrap();
    let addresses: serde_json::Value = serde_json::from_slice(&written).unwrap();
    let listen = process.addresses()["listen"].to_string();
    assert_eq!(addresses["listen"].as_str(), Some(listen.as_str()), "{addresses}");
    process.signal(rustix::process::Signal::TERM);
    let ended = process.ended().await;
    assert!(ended.success() && !process.output().contains("Connection error"), "{ended}\n{}", process.output());
}

#[tokio::test]
async fn one_command_and_the_first_webhook_succeeds_and_its_repetition_is_a_duplicate() {
    the_first_webhook_succeeds_and_its_repetition_is_a_duplicate(&[]).await;
}

#[tokio::test]
async fn with_a_broker_given_it_is_the_same_through_rabbitmq() {
    let broker = Broker::fresh().await;
    the_first_webhook_succeeds_and_its_repetition_is_a_duplicate(&["--broker", &broker.url()]).await;
    let queues = broker.control("list_queues", &["name"]).await;
    assert!(queues.contains("lychgate.v1.main.s00"), "{queues}");
}

#[tokio::test]
async fn what_was_accepted_is_still_there_after_a_kill_and_a_new_start() {
    let directory = Directory::new("kept");
    let data = directory.path().join("data");
    let start = || {
        let mut command = Program::Lychgate.command();
        command.arg("up").arg("--data").arg(&data).args(["--listen", "127.0.0.1:0", "--ops", "127.0.0.1:0"]);
        command.current_dir(directory.path());
        Process::spawn("up", command)
    };
    let send = |up: &Process| {
        let url = format!("http://{}", up.addresses()["listen"]);
        let mut command = Program::Lychgate.command();
        command.args([
            "send",
            "--source",
            "platform",
            "--type",
            "user.created",
            "--wait",
            "--id",
            "kept",
            "--url",
            &url,
        ]);
        ran(command.arg("--config").arg(data.join("lychgate.toml")).current_dir(directory.path()))
    };
    let mut first = start();
    first.ready().await;
    first.address("listen").await;
    let sent = send(&first);
    assert_eq!(sent.code, 0, "{sent:?}");
    first.kill9();
    let mut second = start();
    second.ready().await;
    second.address("listen").await;
    let again = send(&second);
    assert!(again.out.to_lowercase().contains("duplicate"), "{again:?}");
    let ended = second.stop().await;
    assert!(ended.success(), "{ended}");
}

#[test]
fn a_command_in_the_wrong_directory_says_where_to_go() {
    let directory = Directory::new("nowhere");
    let send = ["send", "--source", "platform", "--type", "user.created"];
    for arguments in [&send[..], &["events", "list"], &["dead-letters", "list"], &["secrets", "list"], &["check"]] {
        let said = ran(Program::Lychgate.command().args(arguments).current_dir(directory.path()));
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.err.contains("go where `lychgate up` was started"), "{arguments:?}: {said:?}");
    }
}

#[tokio::test]
async fn whoever_asks_for_the_console_is_told_that_there_is_none() {
    let mut process = up(&["--console", "127.0.0.1:1"]).await;
    process.address("listen").await;
    let note = "note: this version has no console: nothing listens at console.listen (127.0.0.1:1)";
    assert!(process.output().contains(note), "{}", process.output());
    let settings = process.directory().path().join("data/lychgate.toml");
    let check = |more: &[(&str, &str)]| {
        let mut command = Program::Lychgate.command();
        ran(command.arg("check").arg("--config").arg(&settings).envs(more.iter().copied()))
    };
    let said = check(&[("LYCHGATE_CONSOLE__LISTEN", "127.0.0.1:1")]);
    assert!(said.code == 0 && said.err.contains(note), "{said:?}");
    let said = check(&[]);
    assert!(said.code == 0 && !said.err.contains("console"), "who does not ask is not bothered: {said:?}");
}

#[tokio::test]
async fn up_says_that_rabbitmq_does_not_answer_and_accepts_all_the_same() {
    let mut process = up(&["--broker", "amqp://guest:guest@127.0.0.1:1"]).await;
    process.address("listen").await;
    eventually("the note", async || match process.output() {
        output if output.contains("note: RabbitMQ is not to be had") => Ok(()),
        output => Err(output),
    })
    .await;
    let settings = process.directory().path().join("data/lychgate.toml");
    let mut command = Program::Lychgate.command();
    command.args(["send", "--source", "platform", "--type", "user.created", "--config"]).arg(settings);
    let sent = ran(&mut command);
    assert!(sent.code == 0 && sent.out.contains("200 OK"), "{sent:?}");
    let waiting = Process::spawn("send", {
        command.arg("--wait");
        command
    });
    eventually("who waits is told what for", async || match waiting.output() {
        output if output.contains("note: not processed yet; waiting") => Ok(()),
        output => Err(output),
    })
    .await;
}

#[tokio::test]
async fn what_is_no_event_or_no_dead_letter_is_said_to_be_none() {
    let mut process = up(&[]).await;
    process.address("listen").await;
    let settings = process.directory().path().join("data/lychgate.toml");
    let url = format!("http://{}", process.addresses()["listen"]);
    let lychgate = |arguments: &[&str]| {
        let mut command = Program::Lychgate.command();
        ran(command.args(arguments).arg("--config").arg(&settings).current_dir(process.directory().path()))
    };
    let ping = lychgate(&["send", "--source", "github", "--type", "ping", "--wait", "--url", &url]);
    assert!(ping.code == 0 && ping.out.contains("the gateway answered this itself"), "{ping:?}");

    // What is named and is no dead letter is not silently left out.
    let sent = send(&process, "alive");
    let id = sent.out.lines().find_map(|line| line.strip_prefix("event ")).unwrap().to_owned();
    let replay = lychgate(&["dead-letters", "replay", "--yes", "--id", &id]);
    assert!(replay.code == 1 && replay.err.contains("is no dead letter: it is succeeded"), "{replay:?}");
    let shown = lychgate(&["events", "show", "nonsense"]);
    assert!(shown.code == 2 && shown.err.contains("it is no event's id; those look like 01"), "{shown:?}");
    let unknown = "01890a5d-ac96-774b-bcce-b302099a8057";
    let replay = lychgate(&["dead-letters", "replay", "--yes", "--id", unknown]);
    assert!(replay.code == 1 && replay.err.contains("there is no event"), "{replay:?}");
}

#[tokio::test]
async fn bodies_of_ones_own_are_events_of_their_own_and_one_that_is_sent_twice_is_a_duplicate() {
    let mut process = up(&[]).await;
    process.address("listen").await;
    let directory = process.directory().path();
    let send = |name: &str, body: &str| {
        std::fs::write(directory.join(name), body).unwrap();
        let mut command = Program::Lychgate.command();
        command.args(["send", "--source", "generic", "--type", "order.paid", "--wait", "--data", name, "--config"]);
        let sent = ran(command.arg("data/lychgate.toml").current_dir(directory));
        assert_eq!(sent.code, 0, "{sent:?}");
        sent.out
    };
    assert!(!send("one.json", "{\"n\": 1}").contains("duplicate"));
    assert!(!send("two.json", "{\"n\": 2}").contains("duplicate"));
    assert!(send("one.json", "{\"n\": 1}").contains("duplicate"));
}

#[tokio::test]
async fn an_event_that_is_accepted_and_then_dead_is_not_called_refused() {
    let campus = Campus::set(QueueKind::Store).await;
    let url = format!("http://{}", campus.stage.address);
    let member = ["--tenant", CHURCH, "--type", "member.updated", "--subject", "nobody-of-this-name"];
    let sent = campus.stage.lychgate(&[&["send", "--source", "faithflow", "--url", &url], &member[..]].concat());
    assert_eq!(sent.code, 1, "{sent:?}");
    assert!(!sent.err.contains("refused") && sent.err.contains("dead-letters show 01"), "{sent:?}");
}

#[tokio::test]
async fn a_sender_whose_token_stands_in_the_address_is_told_what_became_of_its_event_too() {
    let source =
        "[[source]]\nname = \"rules\"\npreset = \"systemeio-automation\"\nsecrets = [\"p3Vd0c6m8kQyHqXbZ1sT7w\"]\n";
    let stage = Stage::set_with(QueueKind::Store, &format!("{QUICK}{source}")).await;
    let url = format!("http://{}", stage.address);
    let kind = "contact.course.enrolled";
    let sent = stage.lychgate(&["send", "--source", "rules", "--type", kind, "--url", &url, "--wait"]);
    assert!(sent.code == 0 && sent.out.contains("succeeded"), "{sent:?}");
}
