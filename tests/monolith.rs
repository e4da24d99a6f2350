//! The proof of one process against the distributed design (`benches/architectures`): its page is made from its
//! figures, and figures of designs that do not tell the same are refused.

// A part of each file is all that is tested here.
#[allow(dead_code)]
#[path = "../benches/architectures/src/page/mod.rs"]
mod page;
#[allow(dead_code)]
#[path = "../benches/architectures/src/told.rs"]
mod told;

use std::fs;
use std::path::Path;

use page::figures::{Fault, Figures, Late, Planted, Run, wall};
use told::{Change, Heard, What, compare};

fn document(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)).expect(name)
}

#[test]
fn the_page_and_its_plots_are_what_its_figures_make() {
    let figures: Figures = serde_json::from_str(&document("monolith.json")).expect("figures");
    assert!(page::text(&figures) == document("monolith.md"), "run: scripts/monolith render");
    for (name, plot) in page::plots(&figures) {
        assert!(plot == document(name), "{name} is another: run scripts/monolith render");
    }
}

fn planted() -> Vec<Planted> {
    let of = |(detector, start_s, end_s): (&str, f64, f64)| Planted { detector: detector.to_owned(), start_s, end_s };
    [("black", 6.0, 9.0), ("freeze", 11.0, 14.0)].map(of).to_vec()
}

fn fault(detector: &str, start_s: f64, end_s: f64) -> Fault {
    Fault { detector: detector.to_owned(), start_s, end_s, told_s: end_s }
}

/// What both tell when all is well.
fn both() -> Vec<Fault> {
    vec![fault("black", 6.02, 9.02), fault("freeze", 11.02, 14.02)]
}

#[test]
fn designs_that_tell_the_same_are_compared_and_a_black_picture_that_stands_still_is_no_difference() {
    compare(&planted(), &both(), &both()).expect("they tell the same");
    let mut apart = both();
    apart.push(fault("freeze", 6.02, 9.02));
    compare(&planted(), &apart, &both()).expect("black explains it");
    compare(&planted(), &both(), &apart).expect_err("one process tells the cause alone");
}

#[test]
fn a_missed_defect_fails_the_run_whoever_missed_it_even_if_both_did() {
    let missed = vec![fault("black", 6.02, 9.02)];
    compare(&planted(), &missed, &both()).expect_err("distributed");
    compare(&planted(), &both(), &missed).expect_err("one process");
    compare(&planted(), &missed, &missed).expect_err("both");
    compare(&planted(), &[], &[]).expect_err("nothing was told");
    // Both told something else than what was planted.
    let elsewhere = vec![fault("black", 7.02, 10.02), fault("freeze", 11.02, 14.02)];
    compare(&planted(), &elsewhere, &elsewhere).expect_err("a second later");
}

#[test]
fn what_only_one_design_tells_or_tells_at_another_time_fails_the_run() {
    for extra in [fault("blur", 1.0, 5.0), fault("freeze", 8.0, 9.5)] {
        let more: Vec<Fault> = both().into_iter().chain([extra]).collect();
        compare(&planted(), &more, &both()).expect_err("distributed");
        compare(&planted(), &both(), &more).expect_err("one process");
    }
    let later = vec![fault("black", 6.2, 9.02), fault("freeze", 11.02, 14.02)];
    compare(&planted(), &later, &both()).expect_err("a fifth of a second later");
}

#[test]
fn a_condition_is_told_when_it_is_raised_and_lasts_until_it_ended() {
    let change = |what, start_s, end_s| Change { detector: "black".to_owned(), what, start_s, end_s };
    let mut heard = Heard::default();
    heard.take(&change(What::Raised, 6.0, None), 6.5);
    heard.take(&change(What::Ended, 6.0, Some(9.0)), 9.3);
    heard.take(&change(What::Found, 2.0, Some(2.1)), 3.0);
    // Never raised: nobody was told of it.
    heard.take(&change(What::Ended, 12.0, Some(12.2)), 12.5);
    let told = |start_s, end_s, told_s| Fault { detector: "black".to_owned(), start_s, end_s, told_s };
    assert_eq!(heard.sorted(), [told(2.0, 2.1, 3.0), told(6.0, 9.0, 6.5)]);
}

#[test]
fn a_number_of_streams_holds_only_if_everything_was_told_in_time_and_nothing_dropped() {
    let late = |p95_s| Some(Late { p95_s, ..Late::default() });
    let run = |streams| Run { streams, planted: 6, told: 6, late: late(0.9), ..Run::default() };
    assert!(run(1).holds());
    let bad = [
        Run { told: 5, ..run(9) },
        Run { dropped: 1, ..run(9) },
        Run { late: late(1.1), ..run(9) },
        Run { late: None, ..run(9) },
    ];
    for run in &bad {
        assert!(!run.holds(), "{run:?}");
    }
    assert_eq!(wall(&[run(4), run(2), Run { told: 5, ..run(9) }]), 4);
    assert_eq!(wall(&bad), 0);
}

#[test]
fn what_a_provider_bills_by_the_call_is_not_billed_as_cores_again() {
    let usage = |cpu_s| page::figures::Usage { cpu_s, peak_bytes: 500_000_000 };
    let roles = [("converter", 10.0), ("store", 1_000.0), ("workflow", 1_000.0)];
    let roles = roles.map(|(role, cpu_s)| (role.to_owned(), usage(cpu_s))).into();
    let calls = page::figures::Calls { puts: 1_000, gets: 10_000, ..Default::default() };
    let run = Run { streams: 1, stream_seconds: 100.0, roles, calls, transitions: 400, ..Run::default() };
    let cost = run.cost();
    // A tenth of a core and half a gigabyte all the time; per hour 36,000 PUT, 360,000 GET and 14,400 transitions.
    let near = |one: f64, other: f64| assert!((one - other).abs() < 1e-9, "{one} in place of {other}");
    near(cost.cores, 0.1 * 0.04048);
    near(cost.memory, 0.5 * 0.004445);
    near(cost.storage_calls, 36.0 * 0.005 + 360.0 * 0.0004);
    near(cost.transitions, 14.4 * 0.025);
    near(cost.total(), cost.cores + cost.memory + cost.storage_calls + cost.transitions);
}
