//! What was open before a restart.

use std::time::Duration;

use crate::common::recipes;
use crate::common::sender::{Sender, free_port};
use crate::common::service::Home;

const SECOND: Duration = Duration::from_secs(1);

const QUICK: &str = "[detectors.black]\nseverities = { info = \"1s\" }\nclear_after = \"1s\"\n";

fn home(port: u16) -> Home {
    Home::new(&format!("{QUICK}[[streams]]\nname = \"lobby\"\nurl = \"udp://127.0.0.1:{port}\"\n"))
}

#[test]
fn an_event_that_was_open_when_the_service_was_killed_goes_on_under_its_id() {
    let port = free_port();
    let home = home(port);
    let service = home.start();
    let sender = Sender::udp(&recipes::small_black().path, port);
    let raised = service.wait_for_event("lobby", "black", "raised", 20 * SECOND);
    // Dropped, it is killed with -9.
    drop(service);
    let mut again = home.start();
    again.wait_for_session("lobby", 1, 20 * SECOND);
    again.wait_for_metric(
        "avwatch_event_open{stream=\"lobby\",track=\"video:0\",detector=\"black\",severity=\"info\"}",
        5 * SECOND,
        |open| open == 1.0,
    );
    // Confirmed is it after its hold time; nobody is told, so the pictures are counted.
    again.wait_for_metric("avwatch_frames_total{stream=\"lobby\",track=\"video:0\"}", 20 * SECOND, |frames| {
        frames > 60.0
    });
    drop(sender);
    let _clean = Sender::udp(&recipes::small_clean().path, port);
    let ended = again.wait_for_event("lobby", "black", "ended", 20 * SECOND);
    assert_eq!((&ended["id"], ended["end_reason"].as_str()), (&raised["id"], Some("cleared")));
    assert_eq!(ended["started_at"], raised["started_at"]);
    assert!(again.events_of("lobby", "black", "raised").is_empty(), "a restart pages nobody");
    assert_eq!(again.stop().0, Some(0));
    let ids = home.query("SELECT DISTINCT id FROM events WHERE detector = 'black'");
    assert_eq!(ids, [raised["id"].as_str().expect("has one")]);
}

#[test]
fn an_event_that_shows_no_more_after_a_restart_ends_unconfirmed() {
    let port = free_port();
    let home = home(port);
    let service = home.start();
    let sender = Sender::udp(&recipes::small_black().path, port);
    let raised = service.wait_for_event("lobby", "black", "raised", 20 * SECOND);
    drop(service);
    drop(sender);
    let again = home.start();
    // Nobody sends, so nothing is known until the time for its confirmation is over.
    let ended = again.wait_for_event("lobby", "black", "ended", 75 * SECOND);
    assert_eq!((&ended["id"], ended["end_reason"].as_str()), (&raised["id"], Some("unconfirmed")));
}
