//! What a reload changes.

use super::*;

const BASE: &str = "[[streams]]\nname = \"a\"\nurl = \"a\"\n[[streams]]\nname = \"b\"\nurl = \"b\"\n";

fn names(names: &[Arc<str>]) -> Vec<&str> {
    names.iter().map(|name| &**name).collect()
}

use std::sync::Arc;

#[test]
fn streams_are_added_removed_restarted_or_retuned() {
    let old = Bench::of(BASE).set("streams.c.url=c").set("streams.d.url=d").plan();
    let new = Bench::of(BASE)
        .set("streams.a.url=other")
        .set("streams.b.detectors.black.raise_after=9s")
        .set("streams.d.url=d")
        .set("streams.e.url=e")
        .set("log.level=debug")
        .set("store.retention_days=7")
        .plan();
    let changes = changes(&old, &new).expect("allowed");
    assert_eq!(names(&changes.added), ["e"]);
    assert_eq!(names(&changes.removed), ["c"]);
    assert_eq!(names(&changes.restarted), ["a"]);
    assert_eq!(names(&changes.retuned), ["b"]);
    assert_eq!(changes.at_next_start, ["store"], "the level of the log changes at once");
}

#[test]
fn the_same_configuration_changes_nothing() {
    let plan = Bench::of(BASE).plan();
    assert!(changes(&plan, &Bench::of(BASE).plan()).expect("allowed").is_empty());
}

#[test]
fn a_change_that_needs_a_restart_is_refused_by_its_key() {
    let old = Bench::of(BASE).plan();
    for (set, key) in [("server.listen=off", "server.listen"), ("data_dir=/elsewhere", "data_dir")] {
        let new = Bench::of(BASE).set(set).plan();
        assert_eq!(changes(&old, &new), Err(RefusedChange { key }));
    }
}
