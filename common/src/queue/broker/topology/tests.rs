//! The plan, to the letter: whoever changes a line here changes a queue that already exists somewhere.

use super::*;

#[test]
fn the_plan_is_the_one_that_was_proven() {
    let plan = Topology::new("lychgate.v1", Shards::new(2).unwrap(), &RetrySchedule::default()).to_string();
    assert_eq!(plan, include_str!("../../../../tests/golden/topology.txt"));
}

#[test]
fn a_level_outside_the_schedule_has_no_address() {
    let topology = Topology::new("x", Shards::ONE, &RetrySchedule::default());
    let shard = Shard::new(3).unwrap();
    assert_eq!(topology.address(Route::Main, shard), Some(("x.ingest".into(), "s03".into())));
    assert_eq!(topology.address(Route::Aside, shard), Some(("x.ingest".into(), "aside.s03".into())));
    assert_eq!(topology.address(Route::Level(2), shard), Some(("x.retry".into(), "5m.s03".into())));
    assert_eq!(topology.address(Route::Level(5), shard), None);
}
