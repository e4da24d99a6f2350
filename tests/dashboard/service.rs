//! The page as the real service serves it.

use std::time::Duration;

use crate::browser::case;
use crate::common::recipes;
use crate::common::sender::{Sender, free_port};
use crate::common::service::{Home, Service};

/// Streams with defects that begin a few seconds after the start and come again, and a clean one.
const DEFECTS: &str = r#"
[profiles.quick]
inherits = "ott"
[profiles.quick.detectors.black]
severities = { warning = "1s", critical = "3s" }
clear_after = "2s"
[profiles.quick.detectors.silence]
severities = { warning = "2s", major = "4s" }
clear_after = "2s"
[[streams]]
name = "black"
title = "Goes black"
url = "synthetic:?size=320x180&fps=25&loop=40&defects=black@6+14"
profile = "quick"
labels = { site = "north" }
[[streams]]
name = "silent"
title = "Falls silent"
url = "synthetic:?size=320x180&fps=25&seed=2&loop=40&defects=silence@6+14"
profile = "quick"
[[streams]]
name = "clean"
title = "<img src=x onerror=\"window.ran=1\">"
url = "synthetic:?size=320x180&fps=25&seed=3&loop=40"
profile = "quick"
labels = { site = "<script>window.ran=1</script>" }
"#;

fn started() -> (Home, Service) {
    Home::new(DEFECTS).start_with_home()
}

#[test]
fn a_defect_turns_a_border_and_fills_the_penalty_box() {
    let (_home, service) = started();
    case("defects", Some(service.address()));
}

#[test]
fn every_page_fits_a_phone_and_can_be_touched() {
    let port = free_port();
    let lobby = format!("[[streams]]\nname = \"lobby\"\nurl = \"udp://127.0.0.1:{port}\"\nprofile = \"quick\"\n");
    let (_home, service) = Home::new(&format!("{DEFECTS}{lobby}")).start_with_home();
    let _sender = Sender::udp(&recipes::small_black_and_silent().path, port);
    case("phone", Some(service.address()));
}

#[test]
fn an_event_is_taken_remarked_on_and_given_back() {
    let (_home, service) = started();
    service.wait_for_event("black", "black", "raised", Duration::from_secs(30));
    case("taken", Some(service.address()));
}

#[test]
fn a_stream_is_added_changed_snoozed_and_removed() {
    // What a stream of the API may open has to be allowed.
    let (_home, service) = Home::new(&format!("sources.allow = [\"127.0.0.0/8\"]\n{DEFECTS}")).start_with_home();
    case("managed", Some(service.address()));
}

#[test]
fn a_kiosk_looks_with_the_token_of_a_viewer() {
    let token = "[server.tokens.screen]\nrole = \"viewer\"\ntoken = \"avw_read_only_0123456789\"\n";
    let (_home, service) = Home::new(&format!("{DEFECTS}{token}")).start_with_home();
    case("kiosk", Some(service.address()));
}

#[test]
fn a_viewer_is_offered_no_button_that_would_be_refused() {
    let token = "[server.tokens.screen]\nrole = \"viewer\"\ntoken = \"avw_read_only_0123456789\"\n";
    let (_home, service) = Home::new(&format!("{DEFECTS}{token}")).start_with_home();
    case("viewer", Some(service.address()));
}

#[test]
fn the_clip_of_an_event_is_played_or_shown_as_pictures_and_waveform() {
    let (rtmp, udp) = (free_port(), free_port());
    let clip = recipes::small_black_and_silent().path;
    let _rtmp = Sender::rtmp(&clip, rtmp);
    let streams = [("played", format!("rtmp://127.0.0.1:{rtmp}/app/key")), ("shown", format!("udp://127.0.0.1:{udp}"))];
    let streams = streams.map(|(name, url)| format!("[[streams]]\nname = \"{name}\"\nurl = \"{url}\"\n"));
    let quick = "[detectors.black]\nseverities = { warning = \"1s\" }\nclear_after = \"1s\"\n";
    let (_home, service) = Home::new(&format!("{quick}{}", streams.concat())).start_with_home();
    let _udp = Sender::udp(&clip, udp);
    case("clip", Some(service.address()));
}

#[test]
fn a_newcomer_sees_the_demo_turn_red_and_plays_its_clip() {
    let home = Home::new("");
    let service = home.start_demo();
    case("demo", Some(service.address()));
}

#[test]
fn shift_notes_outlive_a_restart() {
    let (home, mut service) = started();
    case("notes", Some(service.address()));
    service.stop();
    let service = home.start();
    case("notes_again", Some(service.address()));
}

#[test]
fn files_are_kept_by_browsers_at_their_version_and_the_page_never() {
    let (_home, service) = started();
    let page = service.get("/").1;
    let path = page.split("src=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("the page loads a script");
    assert!(path.starts_with("/assets/") && path.ends_with("/main.js"), "{path}");
    let head = |path: &str, more: &str| service.head(path, more);
    let script = head(path, "");
    assert!(script.contains("cache-control: public, max-age=31536000, immutable"), "{script}");
    assert!(script.contains("content-type: text/javascript"), "{script}");
    let index = head("/", "");
    assert!(index.contains("cache-control: no-cache"), "{index}");
    for part in
        ["default-src 'none'", "script-src 'self'", "require-trusted-types-for 'script'", "frame-ancestors 'none'"]
    {
        assert!(index.contains(part), "{part} in {index}");
    }
    assert!(!index.contains("unsafe-"), "{index}");
    let tag = index.lines().find_map(|line| line.strip_prefix("etag: ")).expect("has a tag");
    assert!(head("/", &format!("If-None-Match: {tag}\r\n")).starts_with("HTTP/1.1 304"));
    assert!(head(path, "Accept-Encoding: gzip\r\n").contains("content-encoding: gzip"));
    let old = path.replace(path.split('/').nth(2).expect("the version"), "0123456789abcdef");
    assert!(head(&old, "").contains("cache-control: no-cache"));
    assert!(head(&path.replace("main.js", "no.js"), "").starts_with("HTTP/1.1 404"));
    assert!(head(&path.replace("main.js", "..%2f..%2fCargo.toml"), "").starts_with("HTTP/1.1 404"));
}
