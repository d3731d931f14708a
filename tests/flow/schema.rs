//! No process works on a schema that it does not know: it says which way to go, and ends.

use lychgate_common::status::Status;
use lychgate_tests::{
    Database, Directory, Program,
    stage::{ran, settings},
};

#[tokio::test]
async fn the_statuses_are_those_of_the_database() {
    let database = Database::fresh().await;
    let declared = database.column("select unnest(enum_range(null::event_status))::text").await;
    assert_eq!(declared, Status::ALL.map(Status::name));
}

#[tokio::test]
async fn a_process_on_another_schema_says_which_way_to_go_and_ends() {
    let database = Database::empty().await;
    let directory = Directory::new("schema");
    let file = directory.path().join("lychgate.toml");
    settings(database.url(), None).with_sources().write(&file);
    let starts = |program: Program| ran(program.command().arg("--config").arg(&file).current_dir(directory.path()));
    for program in [Program::Gateway, Program::Worker] {
        let started = starts(program);
        assert!(started.code == 1 && started.err.contains("lychgate migrate"), "{program:?} {started:?}");
    }

    let migrated = ran(Program::Lychgate.command().arg("migrate").arg("--config").arg(&file));
    assert_eq!(migrated.code, 0, "{migrated:?}");
    let newer = "insert into refinery_schema_history (version, name, applied_on, checksum)
        select 99, 'of_tomorrow', applied_on, checksum from refinery_schema_history limit 1";
    database.connect().await.batch_execute(newer).await.unwrap();
    for program in [Program::Gateway, Program::Worker] {
        let started = starts(program);
        assert!(started.code == 1 && started.err.contains("newer build"), "{program:?} {started:?}");
    }
}
