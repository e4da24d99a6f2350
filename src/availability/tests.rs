//! Reports of planted events, against a count of every second.

use std::time::{Duration, SystemTime};

use avwatch_actors::event::{Event, EventEnd, EventState, Wall};
use avwatch_actors::severity::Severity;
use proptest::prelude::*;

use super::spans::Spans;
use super::{Material, NoiseWanted, Question, ReportFormat, ServiceReport, StreamMaterial, build};
use crate::sinks::samples;

const BEGIN: u64 = 1_800_000_000;

fn at(second: u64) -> Wall {
    Wall(SystemTime::UNIX_EPOCH + Duration::from_secs(BEGIN + second))
}

fn spans(spans: &[(u64, u64)]) -> Spans {
    Spans::of(spans.iter().map(|(from, to)| ((BEGIN + from) * 1_000, (BEGIN + to) * 1_000)))
}

fn event(detector: &str, severity: Severity, from: u64, to: Option<u64>) -> Event {
    let state = if to.is_some() { EventState::Ended } else { EventState::Raised };
    Event {
        severity,
        max_severity: severity,
        started_at: at(from),
        raised_at: at(from + 2),
        changed_at: at(to.unwrap_or(from)),
        ended_at: to.map(at),
        message: "picture black".to_owned(),
        ..samples::event(&format!("{detector}-{from}"), "lobby", detector, 1, state)
    }
}

fn question(noise: NoiseWanted) -> Question {
    Question {
        since: at(0).0,
        until: at(1_000).0,
        from: Severity::Major,
        stream: None,
        group: "group".to_owned(),
        noise,
    }
}

fn report_of(streams: &[(&str, &str, StreamMaterial)], noise: NoiseWanted) -> ServiceReport {
    let mut material = Material::default();
    for (name, group, stream) in streams {
        let labels = [("group".to_owned(), (*group).to_owned())].into();
        material.streams.insert((*name).to_owned(), StreamMaterial { labels, ..stream.clone() });
    }
    build(&question(noise), &material)
}

fn stream(watched: &[(u64, u64)], events: Vec<Event>) -> StreamMaterial {
    StreamMaterial { watched: Some(spans(watched)), events, ..StreamMaterial::default() }
}

#[test]
fn overlapping_events_count_once_and_lesser_ones_not_at_all() {
    let events = vec![
        event("black", Severity::Major, 100, Some(130)),
        event("silence", Severity::Critical, 120, Some(150)),
        event("blur", Severity::Warning, 300, Some(900)),
        event("monitor_overload", Severity::Critical, 400, Some(500)),
    ];
    let report = report_of(&[("lobby", "north", stream(&[(0, 1_000)], events))], NoiseWanted::No);
    let figures = &report.streams[0].figures;
    assert_eq!((figures.errored_s, figures.watched_s, figures.events), (50.0, 1_000.0, 2));
    assert_eq!(figures.availability, Some(0.95));
    assert_eq!((figures.detect_median_s, figures.recover_max_s), (Some(2.0), Some(30.0)));
    assert_eq!(report.streams[0].worst[0].detector, "silence");
}

#[test]
fn time_that_was_not_watched_is_neither_up_nor_down() {
    // The service was down from 200 to 600, with an event open all the time.
    let events = vec![event("input_down", Severity::Critical, 150, Some(700))];
    let report = report_of(&[("lobby", "north", stream(&[(0, 200), (600, 1_000)], events))], NoiseWanted::No);
    let figures = &report.streams[0].figures;
    assert_eq!((figures.watched_s, figures.not_watched_s, figures.errored_s), (600.0, 400.0, 150.0));
    assert_eq!(figures.availability, Some(0.75));
    let unseen = report_of(&[("lobby", "north", stream(&[], Vec::new()))], NoiseWanted::No);
    assert_eq!(unseen.streams[0].figures.availability, None);
}

/// Came at 100, and again and again until 700, five seconds each minute.
fn flapping(to: Option<u64>) -> Event {
    let calm_s = (0..10).map(|time| (f64::from(time) * 60.0 + 5.0, f64::from(time) * 60.0 + 60.0)).collect();
    let message = "flapping: 14 times in 14 min: picture black".to_owned();
    Event { calm_s, message, end_reason: to.map(|_| EventEnd::Cleared), ..event("black", Severity::Major, 100, to) }
}

#[test]
fn a_picture_that_was_black_for_five_seconds_a_minute_is_not_errored_for_ten_minutes() {
    let report = report_of(&[("lobby", "north", stream(&[(0, 1_000)], vec![flapping(Some(705))]))], NoiseWanted::Yes);
    let figures = &report.streams[0].figures;
    assert_eq!((figures.errored_s, figures.availability), (55.0, Some(0.945)));
    assert_eq!((figures.recover_median_s, figures.events), (Some(55.0), 1));
    assert_eq!(report.streams[0].worst[0].duration_s, 55.0);
    assert_eq!(report.noise.unwrap().pairs[0].open_share, 0.055);
    assert!(report.notes.is_empty(), "{:?}", report.notes);
}

#[test]
fn of_an_event_that_still_flaps_the_report_says_what_it_does_not_know() {
    let report = report_of(&[("lobby", "north", stream(&[(0, 1_000)], vec![flapping(None)]))], NoiseWanted::No);
    assert_eq!(report.streams[0].figures.errored_s, 350.0, "calm until its newest change only");
    assert!(report.notes.iter().any(|note| note.starts_with("1 open events flap: ")), "{:?}", report.notes);
}

#[test]
fn a_detector_is_not_proposed_to_be_switched_off_for_an_event_that_is_open_because_it_flaps() {
    let newest = Event { changed_at: at(120), ..flapping(None) };
    let report = report_of(&[("lobby", "north", stream(&[(0, 1_000)], vec![newest]))], NoiseWanted::Yes);
    let pair = &report.noise.unwrap().pairs[0];
    assert_eq!((pair.events, pair.open_share), (1, 0.005), "five seconds are known");
    assert_eq!((&pair.suggestion, &pair.config), (&None, &None));
    // After a restart nobody knows that it was calm.
    let restarted = Event { calm_s: Vec::new(), changed_at: at(1_000), ..flapping(None) };
    let report = report_of(&[("lobby", "north", stream(&[(0, 1_000)], vec![restarted]))], NoiseWanted::Yes);
    let pair = &report.noise.unwrap().pairs[0];
    assert_eq!((pair.open_share, &pair.suggestion), (0.9, &None));
}

#[test]
fn moments_that_became_one_event_are_no_time_of_error() {
    let calm_s = vec![(0.0, 30.0), (30.0, 60.0)];
    let moments = Event { calm_s, ..event("dropout", Severity::Major, 100, Some(160)) };
    let report = report_of(&[("lobby", "north", stream(&[(0, 1_000)], vec![moments]))], NoiseWanted::No);
    let figures = &report.streams[0].figures;
    assert_eq!((figures.errored_s, figures.recover_median_s, figures.detect_median_s), (0.0, None, None));
}

#[test]
fn maintenance_is_a_column_of_its_own() {
    let planned =
        Event { suppressed_by: Some("maintenance:m1".to_owned()), ..event("black", Severity::Major, 100, Some(300)) };
    let other = event("silence", Severity::Major, 250, Some(400));
    let report = report_of(&[("lobby", "north", stream(&[(0, 1_000)], vec![planned, other]))], NoiseWanted::No);
    let figures = &report.streams[0].figures;
    assert_eq!((figures.maintenance_s, figures.watched_s, figures.not_watched_s), (200.0, 800.0, 200.0));
    assert_eq!((figures.errored_s, figures.events), (100.0, 1));
}

#[test]
fn a_maintenance_without_any_event_in_it_is_maintenance() {
    let planned = StreamMaterial {
        planned: spans(&[(100, 300)]),
        planned_by: ["maintenance:m1".to_owned()].into(),
        ..stream(
            &[(0, 1_000)],
            // It goes on after the window: that counts.
            vec![Event {
                suppressed_by: Some("maintenance:m1".to_owned()),
                ..event("black", Severity::Major, 250, Some(400))
            }],
        )
    };
    let report = report_of(&[("lobby", "north", planned)], NoiseWanted::No);
    let figures = &report.streams[0].figures;
    assert_eq!((figures.maintenance_s, figures.watched_s, figures.errored_s), (200.0, 800.0, 100.0));
}

#[test]
fn groups_and_the_total_add_up_their_streams() {
    let one = stream(&[(0, 1_000)], vec![event("black", Severity::Major, 0, Some(100))]);
    let other = stream(&[(0, 500)], vec![event("black", Severity::Major, 450, None)]);
    let report =
        report_of(&[("a", "north", one), ("b", "south", other.clone()), ("c", "south", other)], NoiseWanted::No);
    assert_eq!(report.groups["south"].streams, 2);
    assert_eq!((report.groups["south"].watched_s, report.groups["south"].errored_s), (1_000.0, 100.0));
    assert_eq!((report.total.watched_s, report.total.errored_s, report.total.events), (2_000.0, 200.0, 3));
}

#[test]
fn a_condition_that_is_the_normal_state_and_one_that_flaps_are_suggested_about() {
    let mut events: Vec<Event> =
        (0..10).map(|number| event("black", Severity::Warning, number * 20, Some(number * 20 + 4))).collect();
    events.push(event("black", Severity::Major, 300, Some(360)));
    events.push(event("freeze", Severity::Major, 20, Some(980)));
    let observed = StreamMaterial { mode: Some("observe".to_owned()), ..stream(&[(0, 1_000)], events) };
    let noise = report_of(&[("barker", "north", observed)], NoiseWanted::Yes).noise.unwrap();
    let of = |detector: &str| noise.pairs.iter().find(|pair| pair.detector == detector).unwrap();
    assert_eq!(of("freeze").config.as_deref(), Some("profile = \"static-ok\""));
    let black = of("black");
    assert_eq!((black.events, black.flaps, black.events_then), (11, 10, Some(1)));
    assert_eq!(black.config.as_deref(), Some("[streams.detectors.black] raise_after = \"5s\""));
    assert!(!noise.candidates[0].ready && noise.candidates[0].alarms == 12);
}

#[test]
fn a_black_of_three_seconds_that_comes_back_is_not_to_be_held_for_ten_minutes() {
    let mut events: Vec<Event> =
        (0..3).map(|time| event("black", Severity::Major, 100 + time * 30, Some(103 + time * 30))).collect();
    events.push(event("black", Severity::Critical, 300, Some(700)));
    let material = StreamMaterial { clear_after: [("black".to_owned(), 2.0)].into(), ..stream(&[(0, 1_000)], events) };
    let noise = report_of(&[("door", "north", material)], NoiseWanted::Yes).noise.unwrap();
    let black = &noise.pairs[0];
    assert_eq!((black.events, black.flaps, black.critical, black.events_then), (4, 3, 1, Some(1)));
    assert_eq!(black.config.as_deref(), Some("[streams.detectors.black] raise_after = \"5s\""));
    assert_eq!(
        black.suggestion.as_deref(),
        Some(
            "comes and goes: 3 of 4 were shorter than 4.0 s; 1 of 4 was critical, so be sure first that it was no \
             fault; raise later, 1 alarm instead of 4"
        )
    );
}

#[test]
fn critical_events_that_last_for_minutes_are_not_proposed_to_be_held_or_muted_unsaid() {
    let often: Vec<Event> =
        (0..8).map(|time| event("black", Severity::Critical, time * 120, Some(time * 120 + 65))).collect();
    for watched in [1_000, 3_000] {
        let events = often.clone();
        let noise = report_of(&[("door", "north", stream(&[(0, watched)], events))], NoiseWanted::Yes).noise.unwrap();
        let black = &noise.pairs[0];
        let says = black.suggestion.as_deref().unwrap_or("all 8 were critical");
        assert!(says.contains("all 8 were critical"), "{says}");
        assert!(black.config.as_deref().is_none_or(|config| !config.contains("raise_after")), "{:?}", black.config);
    }
}

#[test]
fn a_fault_that_lasts_since_the_stream_was_added_is_not_called_its_normal_state() {
    let new = stream(&[(0, 300)], vec![event("freeze", Severity::Major, 20, None)]);
    let noise = report_of(&[("barker", "north", new)], NoiseWanted::Yes).noise.unwrap();
    assert!(noise.pairs[0].open_share > 0.5 && noise.pairs[0].suggestion.is_none(), "{:?}", noise.pairs);
}

#[test]
fn hostile_names_stay_text_in_every_format() {
    let name = "<script>alert(1)</script>\u{1b}[2J";
    let bad = Event { message: format!("\"'{name}"), ..event("black", Severity::Major, 0, Some(10)) };
    let report = report_of(&[(name, "=1+1", stream(&[(0, 1_000)], vec![bad]))], NoiseWanted::Yes);
    let html = report.render(ReportFormat::Html);
    assert!(!html.contains("<script") && !html.contains('\u{1b}') && html.contains("&lt;script&gt;"));
    assert!(!report.render(ReportFormat::Text).contains('\u{1b}'));
    assert!(report.render(ReportFormat::Csv).contains("group,'=1+1,'=1+1,"));
    let body = html.strip_prefix("<!doctype html>\n").unwrap();
    let mut reader = quick_xml::Reader::from_str(body);
    while !matches!(reader.read_event().unwrap(), quick_xml::events::Event::Eof) {}
}

#[test]
fn csv_is_rows_of_equal_length() {
    let report = report_of(
        &[("a", "north", stream(&[(0, 10)], Vec::new())), ("b", "x,y", stream(&[], Vec::new()))],
        NoiseWanted::No,
    );
    let csv = report.render(ReportFormat::Csv);
    assert!(csv.ends_with("\r\n") && csv.contains("group,\"x,y\",\"x,y\""));
    let plain = csv.replace("\"x,y\"", "z");
    assert!(plain.lines().all(|line| line.split(',').count() == 15), "{csv}");
    assert!(!csv.contains("NaN"));
}

#[test]
fn json_reads_back_as_it_was() {
    let report = report_of(
        &[("a", "north", stream(&[(0, 1_000)], vec![event("black", Severity::Major, 0, None)]))],
        NoiseWanted::Yes,
    );
    let read: ServiceReport = serde_json::from_str(&report.render(ReportFormat::Json)).unwrap();
    assert_eq!(read, report);
}

proptest! {
    /// The naive twin looks at every second.
    #[test]
    fn errored_and_watched_seconds_are_those_of_every_second(
        events in prop::collection::vec((0_u64..1_100, 0_u64..300, 0_usize..5, any::<bool>()), 0..15),
        watched in prop::collection::vec((0_u64..1_000, 1_u64..400), 0..6),
    ) {
        let watched: Vec<(u64, u64)> = watched.into_iter().map(|(from, lasts)| (from, from + lasts)).collect();
        let events: Vec<Event> = events
            .into_iter()
            .map(|(from, lasts, severity, planned)| {
                let mut event = event("black", Severity::ALL[severity], from, (from % 7 != 0).then_some(from + lasts));
                event.suppressed_by = planned.then(|| "maintenance:m".to_owned());
                event
            })
            .collect();
        let covers = |event: &Event, second: u64| {
            let end = event.ended_at.map_or(at(1_000), |end| end);
            event.started_at <= at(second) && at(second) < end
        };
        let (mut base, mut errored) = (0, 0);
        for second in 0..1_000 {
            let is_watched = watched.iter().any(|(from, to)| (*from..*to).contains(&second));
            let is_planned = events.iter().any(|event| event.suppressed_by.is_some() && covers(event, second));
            if is_watched && !is_planned {
                base += 1;
                errored += u64::from(events.iter().any(|event| event.max_severity >= Severity::Major && covers(event, second)));
            }
        }
        let report = report_of(&[("lobby", "north", stream(&watched, events))], NoiseWanted::No);
        let figures = &report.streams[0].figures;
        prop_assert_eq!((figures.watched_s, figures.errored_s), (base as f64, errored as f64));
    }
}
