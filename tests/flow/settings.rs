//! Settings are checked before a deploy: every mistake at once, each with its place.

use lychgate_tests::{
    Database, Directory, Program, Settings,
    stage::{QUICK, Ran, ran, settings},
};

fn lychgate(arguments: &[&str], settings: &Settings) -> Ran {
    let directory = Directory::new("check");
    let file = directory.path().join("lychgate.toml");
    settings.write(&file);
    ran(Program::Lychgate.command().args(arguments).arg("--config").arg(&file).current_dir(directory.path()))
}

#[test]
fn a_url_by_which_nobody_can_be_reached_is_a_mistake_in_the_settings() {
    for (table, url) in
        [("database", "mysql://a:hunter2@h/x"), ("broker", "http://a:hunter2@h"), ("broker", "amqp:/hunter2")]
    {
        let checked = lychgate(&["check"], &Settings::new().with(&format!("[{table}]\nurl = {url:?}")));
        assert_eq!(checked.code, 2, "{url}: {checked:?}");
        let said = format!("{}{}", checked.out, checked.err);
        assert!(said.contains(&format!("{table}.url")) && said.contains("must look like"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn check_lists_every_mistake_with_its_place_and_ends_with_2() {
    let wrong = Settings::new().with(
        r#"
        [database]
        url = "env:NOT_SET_ANYWHERE"
        connections = "many"
        [gatway]
        listen = "127.0.0.1:0"
        [retry]
        schedule = ["5s", "5s"]
        [worker]
        concurrency = 0
        [[source]]
        name = "shop"
        preset = "shopfiy"
        secrets = ["a"]
        "#,
    );
    let checked = lychgate(&["check"], &wrong);
    assert_eq!(checked.code, 2, "{checked:?}");
    let said = format!("{}{}", checked.out, checked.err);
    for mistake in [
        "database.url",
        "NOT_SET_ANYWHERE",
        "database.connections",
        "gatway",
        "retry.schedule",
        "worker.concurrency",
        "shopfiy",
    ] {
        assert!(said.contains(mistake), "{mistake} is missing in:\n{said}");
    }
}

#[tokio::test]
async fn check_says_nothing_bad_about_settings_that_work() {
    let database = Database::fresh().await;
    let good = settings(database.url(), None).with(QUICK).with_sources();
    let checked = lychgate(&["check"], &good);
    assert_eq!(checked.code, 0, "{checked:?}");
}

#[test]
fn a_secret_in_a_file_that_others_can_read_is_refused() {
    let directory = Directory::new("open");
    let file = directory.path().join("lychgate.toml");
    Settings::new().with("[database]\nurl = \"postgres://u:p@localhost/d\"").with_sources().write(&file);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(&file, mode).unwrap();
    let checked = ran(Program::Lychgate.command().arg("check").arg("--config").arg(&file));
    assert_eq!(checked.code, 2, "{checked:?}");
    let said = format!("{}{}", checked.out, checked.err);
    assert!(said.contains("chmod 600") && !said.contains("platform-secret"), "{said}");
}

#[test]
fn every_program_refuses_wrong_settings_with_2() {
    let wrong = Settings::new().with("[database]\nurll = \"x\"");
    for program in [Program::Gateway, Program::Worker] {
        let directory = Directory::new("wrong");
        let file = directory.path().join("lychgate.toml");
        wrong.write(&file);
        let ended = ran(program.command().arg("--config").arg(&file).current_dir(directory.path()));
        assert_eq!(ended.code, 2, "{program:?} {ended:?}");
        assert!(ended.err.contains("urll"), "{ended:?}");
    }
}

#[test]
fn check_without_a_file_says_that_there_is_none() {
    let directory = Directory::new("bare");
    let check = |more: &[(&str, &str)]| {
        let mut command = Program::Lychgate.command();
        ran(command.arg("check").envs(more.iter().copied()).current_dir(directory.path()))
    };
    let nothing = check(&[]);
    assert!(nothing.code == 2 && nothing.err.contains("no settings were found"), "{nothing:?}");
    let database = check(&[("LYCHGATE_DATABASE__URL", "postgres://u@localhost/d")]);
    assert_eq!(database.code, 0, "{database:?}");
    assert!(database.err.contains("no settings file here"), "{database:?}");
}
