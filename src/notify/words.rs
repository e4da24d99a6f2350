//! Wording: what people read of committed changes, whatever the channel.
//!
//! Pure functions over records. Texts in records come from configurations and from streams: here they
//! lose control characters and their length; escaping for a target is the channel's own, for nobody
//! else knows it. What does not fit a message is counted in it, never left out silently.

use std::collections::HashMap;
use std::fmt::Write;
use std::time::Duration;

use avwatch_actors::event::{Event, EventEnd, EventState, Wall};
use avwatch_actors::incident::{Incident, IncidentKind};
use avwatch_actors::record::Record;
use avwatch_actors::severity::Severity;

pub use super::heads::{head, subject};
use super::{Changes, Content, Message};

/// Most bytes of one line.
pub const LINE_BYTES_MAX: usize = 500;

/// Most bytes of a subject.
pub const SUBJECT_BYTES_MAX: usize = 200;

/// What is told so much later than it was written says how long ago its event began.
const AGED_AFTER: Duration = Duration::from_secs(5);

/// How a message as a whole is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Something is wrong; the worst of it.
    Open(Severity),
    /// All that it tells of is over.
    Over,
    /// Nothing that it tells of is known to be there, but of some nobody knows, since nobody looks any more.
    Unwatched,
    /// Somebody tries whether messages arrive.
    Test,
}

/// The newest change of an event or incident among those of a message.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// The change.
    pub record: &'a Record,
    /// The receiver was not told of it before this message.
    pub is_new: bool,
    /// When it is told, where that is known.
    pub at: Option<Wall>,
}

/// Lines of a message, as many as fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// One for each change.
    pub lines: Vec<String>,
    /// Changes that found no room.
    pub omitted: usize,
}

/// A text of one line and at most so many bytes: what controls terminals or turns the direction of
/// writing becomes a space, and what is cut off leaves '…'.
pub fn clean(text: &str, bytes_max: usize) -> String {
    let is_unsafe = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
            || ('\u{202a}'..='\u{202e}').contains(&letter)
            || ('\u{2066}'..='\u{2069}').contains(&letter)
    };
    let cleaned: String = text.trim().chars().map(|letter| if is_unsafe(letter) { ' ' } else { letter }).collect();
    if cleaned.len() <= bytes_max {
        return cleaned;
    }
    let mut end = bytes_max.saturating_sub('…'.len_utf8());
    while !cleaned.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", cleaned[..end].trim_end())
}

/// A span as people say it: `2.5 s`, `42 s`, `3 min 5 s`, `2 h 4 min`, `3 d 2 h`.
pub fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", span.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// How long something lasted, or has lasted by this change.
pub fn lasted(started: Wall, changed: Wall, ended: Option<Wall>) -> Duration {
    ended.unwrap_or(changed).0.duration_since(started.0).unwrap_or_default()
}

/// Where it is: `lobby video:0 black`.
pub fn place(event: &Event) -> String {
    let program = event.program.map(|number| format!(" program {number}")).unwrap_or_default();
    clean(&format!("{}{program} {} {}", event.stream, event.track, event.detector), LINE_BYTES_MAX / 2)
}

/// A severity as it is shouted: `CRITICAL`.
pub fn loud(severity: Severity) -> String {
    severity.name().to_uppercase()
}

/// One change in one line of at most [`LINE_BYTES_MAX`] bytes, without escaping.
pub fn line(told: &Told<'_>) -> String {
    let line = match told.record {
        Record::Event(event) => format!("{}{}", event_line(event, told.is_new), since(event, told.at)),
        Record::Incident(incident) => incident_line(incident, told.is_new),
    };
    clean(&line, LINE_BYTES_MAX)
}

fn event_line(event: &Event, is_new: bool) -> String {
    let (place, severity) = (place(event), loud(event.severity));
    let lasted = span(lasted(event.started_at, event.changed_at, event.ended_at));
    let mut line = match event.state {
        EventState::Raised => format!("{severity} {place}: {}", event.message),
        EventState::Escalated => format!("{severity} now, {place}: {}", event.message),
        EventState::Acked => {
            let by = event.acked_by.as_deref().unwrap_or("somebody");
            format!("taken by {by}: {severity} {place}")
        }
        EventState::Suppressed => {
            let by = event.suppressed_by.as_deref().or(event.parent_id.as_deref()).unwrap_or("another event");
            format!("held back by {by}: {severity} {place}")
        }
        EventState::Ended if is_unwatched(event) => {
            format!("no longer watched, not known to be over: {} {place}, seen for {lasted}", loud(event.max_severity))
        }
        EventState::Ended if is_new => {
            format!("came and went: {} {place} for {lasted}: {}", loud(event.max_severity), event.message)
        }
        EventState::Ended => format!("over: {place} after {lasted}"),
    };
    if let Some(why) = event.end_reason.and_then(odd_end) {
        let _ = write!(line, " ({why})");
    }
    if event.stored == Some(false) {
        line.push_str(" (not stored)");
    }
    line
}

/// How long ago an open event began, when what its last change says is too old to be told as it is.
fn since(event: &Event, told_at: Option<Wall>) -> String {
    let (true, Some(at)) = (event.is_open(), told_at) else { return String::new() };
    if at.since(event.changed_at) < AGED_AFTER {
        return String::new();
    }
    format!(", began {} ago", span(at.since(event.started_at)))
}

/// Whether nobody looks any more: the event is closed, but nobody knows whether its condition is over.
pub fn is_unwatched(event: &Event) -> bool {
    event.state == EventState::Ended && event.end_reason == Some(EventEnd::Unwatched)
}

/// Why it ended, where it is not that all is well again.
fn odd_end(end: EventEnd) -> Option<&'static str> {
    match end {
        EventEnd::Cleared => None,
        EventEnd::Suspended => Some("no longer looked at"),
        EventEnd::Unwatched => Some("load, a lower tier, or a detector that failed"),
        EventEnd::StreamRemoved => Some("the stream was removed"),
        EventEnd::ConfigChanged => Some("the configuration changed"),
        EventEnd::Unconfirmed => Some("not seen again after a restart"),
    }
}

fn incident_line(incident: &Incident, is_new: bool) -> String {
    let what = kind(incident);
    let (events, streams) = (counted(incident.events_total, "event"), counted(incident.streams.len() as u64, "stream"));
    let lasted = span(lasted(incident.started_at, incident.changed_at, incident.ended_at));
    let mut line = if incident.is_open() {
        let open = incident.events_open;
        format!("{} {what}: {} ({open} of {events} open, {streams})", loud(incident.severity), incident.message)
    } else if is_new {
        let severity = loud(incident.severity);
        format!("came and went: {severity} {what} for {lasted}: {} ({events}, {streams})", incident.message)
    } else {
        format!("over: {what} after {lasted}: {} ({events}, {streams})", incident.message)
    };
    if incident.stored == Some(false) {
        line.push_str(" (not stored)");
    }
    line
}

/// What an incident is called.
pub(super) const fn kind(incident: &Incident) -> &'static str {
    match incident.kind {
        IncidentKind::Stream | IncidentKind::Group => "incident",
        IncidentKind::Outage => "outage",
        IncidentKind::Blind => "monitor blind",
    }
}

/// A count with its noun: `1 event`, `3 events`.
pub fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// The newest change of each event and incident, in the order of these changes.
pub fn newest(records: &Changes) -> Vec<Told<'_>> {
    let mut last: HashMap<&str, (usize, bool)> = HashMap::with_capacity(records.len());
    for (index, record) in records.iter().enumerate() {
        let id = match record {
            Record::Event(event) => event.id.as_str(),
            Record::Incident(incident) => incident.id.as_str(),
        };
        let told = last.entry(id).or_insert((index, false));
        *told = (index, told.1 || records.is_first(record));
    }
    let mut order: Vec<(usize, bool)> = last.into_values().collect();
    order.sort_unstable();
    let at = records.told_at();
    order.into_iter().map(|(index, is_new)| Told { record: &records[index], is_new, at }).collect()
}

/// As [`newest`], but of events of one condition that follow each other the last one only: for targets that
/// know conditions by their fingerprint.
pub fn conditions(records: &Changes) -> Vec<Told<'_>> {
    let told = newest(records);
    let mut last: HashMap<(bool, &str), usize> = HashMap::with_capacity(told.len());
    for (index, one) in told.iter().enumerate() {
        let key = match one.record {
            Record::Event(event) => (true, event.fingerprint.as_str()),
            Record::Incident(incident) => (false, incident.id.as_str()),
        };
        last.insert(key, index);
    }
    let mut order: Vec<usize> = last.into_values().collect();
    order.sort_unstable();
    order.into_iter().map(|index| told[index]).collect()
}

/// The gravest first: incidents, then what is open by its severity, then what is over. So what finds no room
/// is what matters least.
pub fn ranked(records: &Changes) -> Vec<Told<'_>> {
    let mut told = newest(records);
    told.sort_by_key(|told| {
        let (is_incident, is_open, severity) = match told.record {
            Record::Event(event) => (false, event.is_open(), event.severity),
            Record::Incident(incident) => (true, incident.is_open(), incident.severity),
        };
        std::cmp::Reverse((is_incident, is_open, severity))
    });
    told
}

/// How the message as a whole is meant: by what is still open at its end.
pub fn tone(message: &Message) -> Tone {
    let Content::Changes(records) = &message.content else { return Tone::Test };
    let told = newest(records);
    let is_unseen = told.iter().any(|told| told.record.event().is_some_and(|event| is_unwatched(event)));
    let open = told.into_iter().filter_map(|told| match told.record {
        Record::Event(event) => event.is_open().then_some(event.severity),
        Record::Incident(incident) => incident.is_open().then_some(incident.severity),
    });
    open.max().map_or(if is_unseen { Tone::Unwatched } else { Tone::Over }, Tone::Open)
}

/// As many lines as fit into that many lines and bytes, with line ends; `render` makes one of each.
pub fn listing(
    told: &[Told<'_>],
    lines_max: usize,
    bytes_max: usize,
    mut render: impl FnMut(&Told<'_>) -> String,
) -> Listing {
    let mut listing = Listing::default();
    let mut bytes = 0;
    for (index, one) in told.iter().enumerate() {
        let line = render(one);
        bytes += line.len() + 1;
        if index >= lines_max || bytes > bytes_max {
            listing.omitted = told.len() - index;
            break;
        }
        listing.lines.push(line);
    }
    listing
}

/// Names in one line: `a, b, c`, or `a, b and 17 more` when they would take more than that many bytes.
pub fn names<'a>(names: impl ExactSizeIterator<Item = &'a str>, bytes_max: usize) -> String {
    let total = names.len();
    let mut text = String::new();
    for (index, name) in names.enumerate() {
        let name = clean(name, 128);
        if text.len() + name.len() + 2 > bytes_max {
            let _ = write!(text, " and {} more", total - index);
            break;
        }
        if index > 0 {
            text.push_str(", ");
        }
        text.push_str(&name);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::samples::{digest, ended, escalated, incident, message, raised, test, unwatched};

    fn told(record: &Record) -> String {
        line(&Told { record, is_new: false, at: None })
    }

    #[test]
    fn a_change_reads_as_people_say_it() {
        assert_eq!(told(&raised("lobby", "black")), "CRITICAL lobby video:0 black: picture black for 30 s");
        assert_eq!(told(&ended("lobby", "black")), "over: lobby video:0 black after 42 s");
        assert_eq!(told(&escalated("lobby", "black")), "CRITICAL now, lobby video:0 black: picture black for 30 s");
        assert_eq!(
            told(&incident("one", 3, true)),
            "CRITICAL incident: 3 streams of host origin-1 fail (3 of 3 events open, 3 streams)"
        );
        assert_eq!(
            told(&incident("one", 3, false)),
            "over: incident after 42 s: 3 streams of host origin-1 fail (3 events, 3 streams)"
        );
    }

    #[test]
    fn a_picture_that_is_black_for_minutes_is_not_told_again_as_black_for_half_a_minute_alone() {
        let record = raised("lobby", "black");
        let after = |seconds: u64| {
            let at = record.event().map(|event| event.changed_at.after(Duration::from_secs(seconds)));
            line(&Told { record: &record, is_new: true, at })
        };
        assert_eq!(after(3), "CRITICAL lobby video:0 black: picture black for 30 s");
        assert_eq!(after(155), "CRITICAL lobby video:0 black: picture black for 30 s, began 3 min 5 s ago");
    }

    #[test]
    fn an_event_that_nobody_watches_any_more_does_not_read_as_if_it_were_over() {
        let record = unwatched("lobby", "black");
        assert_eq!(
            told(&record),
            "no longer watched, not known to be over: CRITICAL lobby video:0 black, seen for 42 s \
             (load, a lower tier, or a detector that failed)"
        );
        let message = message(vec![record, ended("roof", "black")]);
        assert_eq!(tone(&message), Tone::Unwatched);
        assert_eq!(head(&message), "2 changes: 1 over, 1 no longer watched");
    }

    #[test]
    fn spans_are_told_in_their_two_largest_units() {
        for (seconds, text) in
            [(2, "2.0 s"), (42, "42 s"), (185, "3 min 5 s"), (7_440, "2 h 4 min"), (266_400, "3 d 2 h")]
        {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn a_digest_tells_of_each_event_once() {
        let records = digest();
        let message = message(records.clone());
        assert_eq!(tone(&message), Tone::Open(Severity::Critical));
        let lines: Vec<String> = newest(&records.clone().into()).iter().map(line).collect();
        assert_eq!(
            lines,
            [
                "CRITICAL now, a video:0 black: picture black for 30 s",
                "came and went: CRITICAL b video:0 black for 42 s: picture black for 30 s",
                "over: c video:0 black after 42 s",
            ]
        );
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let records: Vec<Record> = (0..1_000).map(|index| raised(&format!("s{index}"), "black")).collect();
        let records = records.into();
        let told = newest(&records);
        let by_lines = listing(&told, 40, 1_000_000, line);
        assert_eq!((by_lines.lines.len(), by_lines.omitted), (40, 960));
        let by_bytes = listing(&told, 1_000, 3_000, line);
        assert!(by_bytes.lines.iter().map(|line| line.len() + 1).sum::<usize>() <= 3_000);
        assert_eq!(by_bytes.lines.len() + by_bytes.omitted, 1_000);
        let names = names(["aa", "bb", "cc"].into_iter(), 9);
        assert_eq!(names, "aa, bb and 1 more");
    }

    #[test]
    fn no_text_breaks_a_line_or_turns_it_round() {
        let nasty = "a\r\nBcc: x\u{202e}\u{2028}\u{1b}[31m\0";
        let cleaned = clean(nasty, 100);
        assert!(!cleaned.chars().any(char::is_control) && !cleaned.contains(['\u{202e}', '\u{2028}']), "{cleaned:?}");
        assert_eq!(clean(&"ä".repeat(100), 10), "äää…");
    }

    #[test]
    fn a_test_says_who_tries() {
        let message = test("anna");
        assert_eq!(subject(&message), "[avwatch] test: anna tries whether messages arrive here");
        assert_eq!(tone(&message), Tone::Test);
    }
}
