//! The page before a stand-in for the service, which can be made to have many streams and strange faults.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::browser::{case, run};

/// Longest that a task of the page's main thread may take of a processor, in milliseconds, on a machine on which the
/// reference work of `load.mjs` takes so long, or faster; on a slower one as much longer as that takes.
const TASK_MS_MAX: f64 = 100.0;
const REFERENCE_MS: f64 = 5.0;

#[test]
fn the_pure_parts_do_what_they_say() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dashboard/units.mjs");
    let output = Command::new("node").arg("--test").arg(script).output().expect("node starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn axe_finds_nothing_on_any_page_in_both_themes_on_desk_and_phone() {
    case("axe", None);
}

#[test]
fn a_viewer_of_many_streams_is_offered_no_button_that_would_be_refused() {
    case("viewer", None);
}

#[test]
fn everything_can_be_done_by_keyboard() {
    case("keyboard", None);
}

#[test]
fn what_strangers_write_is_shown_as_text_and_runs_nothing() {
    case("hostile", None);
}

#[test]
fn the_node_page_shows_its_streams_once_the_list_is_there() {
    case("node", None);
}

#[test]
fn time_in_which_nobody_looked_is_not_called_well() {
    case("unseen", None);
}

#[test]
fn strips_of_the_wall_call_nothing_calm_of_which_nothing_is_known() {
    case("unseen_wall", None);
}

#[test]
fn plots_have_no_hole_between_what_was_kept_and_what_came_since() {
    case("plots", None);
}

#[test]
fn events_of_the_monitor_itself_lead_to_the_node() {
    case("monitor", None);
}

#[test]
fn pictures_that_stop_are_called_stale() {
    case("stale", None);
}

#[test]
fn when_the_service_goes_away_the_page_says_so_and_comes_back_with_it() {
    case("lost", None);
}

#[test]
fn a_stream_that_is_well_again_is_held_in_the_penalty_box_and_tiles_never_move() {
    case("held", None);
}

#[test]
fn the_alarm_sounds_until_somebody_takes_the_event() {
    case("alarm", None);
}

#[test]
fn a_view_is_its_address() {
    case("filters", None);
}

#[test]
fn a_kiosk_takes_nothing_and_keeps_its_token_to_itself() {
    case("kiosk", None);
}

#[test]
fn a_stream_is_added_changed_snoozed_and_removed() {
    case("managed", None);
}

#[test]
fn evidence_is_played_or_shown_as_pictures_and_waveform() {
    case("evidence", None);
}

#[test]
fn an_incident_is_one_line_that_leads_to_its_causes_and_events() {
    case("incident", None);
}

#[test]
fn a_thousand_streams_never_hold_the_page_up() {
    let said = run("load.mjs", &["--streams", "1000", "--seconds", "30"]);
    println!("{said}");
    let found: Value = serde_json::from_str(&said).expect("is one line of JSON");
    // Of the processor, not by the clock: on a machine full of tests the clock tells of the others.
    let slower = found["reference_ms"].as_f64().map_or(1.0, |reference| (reference / REFERENCE_MS).max(1.0));
    let limit = TASK_MS_MAX * slower;
    assert!(found["longest_cpu_ms"].as_f64().is_some_and(|longest| longest > 0.0 && longest < limit), "{said}");
    assert!(found["cells"].as_u64().is_some_and(|cells| cells > 0 && cells < 200), "{said}");
    assert_eq!(found["faults"], Value::Array(Vec::new()));
}
