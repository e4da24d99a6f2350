//! What the API has shown is still there after the process was killed.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::common::http::{Feed, ask};
use crate::common::sender::wait;
use crate::common::service::{Home, Service};

const SECOND: Duration = Duration::from_secs(1);

/// Kills in the ordinary test; `AVWATCH_KILLS` asks for more.
const KILLS: usize = 3;

/// Every event that the API lists, by id, with its newest sequence number.
fn listed(service: &Service) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let page = ask(service.address(), "GET", &format!("/api/v1/events?limit=1000{cursor}"), "", "").json();
        for event in page["events"].as_array().expect("a list") {
            all.insert(event["id"].as_str().expect("a text").to_owned(), event["sequence"].as_u64().expect("a number"));
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

#[test]
fn no_event_that_the_api_has_shown_is_lost_when_the_process_is_killed() {
    let defects: Vec<String> = (0..120).map(|at| format!("black@{}+0.3", f64::from(at) / 2.0 + 0.5)).collect();
    let streams: String = (0..4)
        .map(|number| {
            format!(
                "[[streams]]\nname = \"s{number}\"\nurl = \"synthetic:?size=320x180&fps=25&defects={}&seed={number}\"\n",
                defects.join(",")
            )
        })
        .collect();
    let home = Home::new(&format!(
        "[detectors.black]\nseverities = {{ info = \"100ms\" }}\nclear_after = \"100ms\"\n{streams}"
    ));
    let kills = std::env::var("AVWATCH_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    let mut shown = BTreeMap::<String, u64>::new();
    for kill in 0..kills {
        let mut service = home.start();
        let found = listed(&service);
        for (id, sequence) in &shown {
            assert!(
                found.get(id).is_some_and(|now| now >= sequence),
                "kill {kill}: {id} was at {sequence}, now {:?}",
                found.get(id)
            );
        }
        let mut feed = Feed::connect(service.address(), "/api/v1/live?topics=events", "");
        // Not always at the same point of the work.
        let changes = 5 + kill % 7;
        for _ in 0..changes {
            let change = feed.wait_for("a change", 20 * SECOND, |message| message.kind == "event");
            shown.insert(change.data["id"].as_str().expect("a text").to_owned(), change.id.expect("a number"));
        }
        service.kill();
        // What was still on its way was told before the end.
        while let Some(message) = feed.next(SECOND) {
            if message.kind == "event" {
                shown.insert(message.data["id"].as_str().expect("a text").to_owned(), message.id.expect("a number"));
            }
        }
    }
    let service = home.start();
    wait("every event that was shown", 5 * SECOND, || {
        let found = listed(&service);
        shown.iter().all(|(id, sequence)| found.get(id).is_some_and(|now| now >= sequence)).then_some(())
    });
    println!("{kills} kills, {} events shown, none lost", shown.len());
}
