//! The end of the service.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::time::Duration;

use serde_json::Value;

use crate::common::sender::wait;
use crate::common::service::Home;

const SECOND: Duration = Duration::from_secs(1);

fn ids(changes: &[Value]) -> BTreeSet<String> {
    changes.iter().map(|change| change["change_id"].as_str().expect("has one").to_owned()).collect()
}

#[test]
fn sigterm_ends_the_service_in_order_and_every_change_that_was_told_is_stored() {
    let mut config = "[detectors.black]\nseverities = { info = \"200ms\" }\nclear_after = \"200ms\"\n".to_owned();
    for stream in 0..4 {
        let defects: Vec<String> = (0..30).map(|at| format!("black@{}.{stream}+0.5", at + 1)).collect();
        let recipe = format!("synthetic:?size=320x180&fps=25&defects={}&seed={stream}", defects.join(","));
        config.push_str(&format!("[[streams]]\nname = \"s{stream}\"\nurl = \"{recipe}\"\n"));
    }
    let home = Home::new(&config);
    let mut service = home.start();
    wait("twenty changes", 30 * SECOND, || (service.events().len() > 20).then_some(()));
    assert_eq!((service.get("/livez").0, service.get("/readyz").0), (200, 200));
    let (status, took) = service.stop();
    assert_eq!(status, Some(0), "{:#?}", service.lines());
    assert!(took < 2 * SECOND, "it took {took:?}");
    // The pipe may still hold its last lines.
    service.wait_for_line("its last word", SECOND, |line| (line["message"] == "stopped").then_some(()));
    let told = service.events();
    assert!(told.iter().all(|event| event["stored"].is_null()), "nothing was told before it was stored");
    assert_eq!(ids(&told), ids(&home.stored_changes()));
}

/// A listener that takes connections into its backlog and never says a word, and a stream for each.
fn stalled(count: usize) -> (Vec<TcpListener>, Home) {
    let mut listeners = Vec::new();
    let mut config = "limits.opens_per_second = 1000\nlimits.opens_per_second_per_host = 1000\n".to_owned();
    for stream in 0..count {
        if stream.is_multiple_of(50) {
            listeners.push(TcpListener::bind("127.0.0.1:0").expect("the loopback has free ports"));
        }
        let address = listeners.last().expect("one was just added").local_addr().expect("it is bound");
        config.push_str(&format!("[[streams]]\nname = \"s{stream}\"\nurl = \"http://{address}/live.ts\"\n"));
    }
    (listeners, Home::new(&config))
}

#[test]
fn two_hundred_stalled_inputs_end_within_a_second_of_sigterm() {
    let (_listeners, home) = stalled(200);
    let mut service = home.start();
    let opening = |service: &crate::common::service::Service| {
        let (_, page) = service.get("/metrics");
        let is_opening =
            |line: &&str| line.contains("state=\"opening\"") && (line.ends_with(" 1") || line.ends_with(" 1.0"));
        page.lines().filter(is_opening).count()
    };
    wait("all to open", 15 * SECOND, || (opening(&service) == 200).then_some(()));
    let (status, took) = service.stop();
    assert_eq!(status, Some(0));
    println!("200 stalled inputs ended in {took:?}");
    assert!(took < SECOND + SECOND / 4, "it took {took:?}");
}

#[test]
fn a_second_sigterm_ends_the_service_at_once() {
    let (_listeners, home) = stalled(5);
    let mut service = home.start();
    service.signal(libc::SIGTERM);
    service.signal(libc::SIGTERM);
    let (status, took) = service.wait_for_end(5 * SECOND);
    // Two signals that meet before the first is handled count as one.
    assert!(matches!(status, Some(0 | 70)), "{status:?}");
    assert!(took < SECOND, "it took {took:?}");
}

#[test]
fn an_open_connection_does_not_hold_the_end_up() {
    let home = Home::new("");
    let mut service = home.start();
    let _idle = std::net::TcpStream::connect(service.address()).expect("the service listens");
    let (status, took) = service.stop();
    assert_eq!(status, Some(0));
    assert!(took < 3 * SECOND, "it took {took:?}");
}
