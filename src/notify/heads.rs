//! Heads: what a message says in one line, the worst first.
//!
//! Pure. A head is all that a phone, a channel's list or a mail's subject shows: who reads nothing else must know of the
//! gravest thing in the message.

use std::cmp::Reverse;

use avwatch_actors::event::EventState;
use avwatch_actors::record::Record;

use super::words::{self, LINE_BYTES_MAX, SUBJECT_BYTES_MAX, Told};
use super::{Changes, Content, Message};

/// Most bytes of the worst in the head of a digest: some are left for what else there is.
const WORST_BYTES_MAX: usize = 300;

/// What a message says in one line: the change itself, or the worst and how many of what else.
pub fn head(message: &Message) -> String {
    let records = match &message.content {
        Content::Test { by } => {
            return words::clean(&format!("test: {by} tries whether messages arrive here"), LINE_BYTES_MAX);
        }
        Content::Changes(records) => records,
    };
    let told = words::newest(records);
    match (&told[..], worst(&told).or_else(|| over(&told))) {
        ([only], _) => words::line(only),
        (several, Some(worst)) => {
            let more = format!(", and {} more: {}", several.len() - 1, counts(records));
            words::clean(&format!("{}{more}", words::clean(&brief(worst), WORST_BYTES_MAX)), LINE_BYTES_MAX)
        }
        (_, None) => format!("{}: {}", words::counted(records.len() as u64, "change"), counts(records)),
    }
}

/// One line that says whose message it is and what it says.
pub fn subject(message: &Message) -> String {
    words::clean(&format!("[avwatch] {}", head(message)), SUBJECT_BYTES_MAX)
}

/// The gravest of what is open, else of what came and went; incidents before events. Nothing when all is over that was
/// told before.
fn worst<'a, 'b>(told: &'b [Told<'a>]) -> Option<&'b Told<'a>> {
    let rank = |one: &&Told<'_>| match one.record {
        Record::Event(event) => (event.is_open(), event.max_severity, false),
        Record::Incident(incident) => (incident.is_open(), incident.severity, true),
    };
    let is_heavy = |one: &&Told<'_>| match one.record {
        Record::Event(event) => event.is_open() || (one.is_new && !words::is_unwatched(event)),
        Record::Incident(incident) => incident.is_open() || one.is_new,
    };
    // The first of equals.
    told.iter().filter(is_heavy).min_by_key(|one| Reverse(rank(one)))
}

/// The gravest incident that is over: its end is what people wait for, the ends of its events follow from it.
fn over<'a, 'b>(told: &'b [Told<'a>]) -> Option<&'b Told<'a>> {
    told.iter().filter_map(|one| Some((one.record.incident()?.severity, one))).max_by_key(|one| one.0).map(|one| one.1)
}

/// Its line, without what an incident counts.
fn brief(told: &Told<'_>) -> String {
    match told.record {
        Record::Incident(incident) if incident.is_open() => {
            format!("{} {}: {}", words::loud(incident.severity), words::kind(incident), incident.message)
        }
        Record::Incident(_) | Record::Event(_) => words::line(told),
    }
}

/// `9 raised, 3 over, 1 incident`.
fn counts(records: &Changes) -> String {
    const WORDS: [[&str; 2]; 8] = [
        ["raised"; 2],
        ["worse"; 2],
        ["taken"; 2],
        ["held back"; 2],
        ["over"; 2],
        ["no longer watched"; 2],
        ["incident", "incidents"],
        ["incident over", "incidents over"],
    ];
    let mut counts = [0_usize; WORDS.len()];
    for record in records.iter() {
        let index = match record {
            Record::Event(event) => match event.state {
                EventState::Raised => 0,
                EventState::Escalated => 1,
                EventState::Acked => 2,
                EventState::Suppressed => 3,
                EventState::Ended if words::is_unwatched(event) => 5,
                EventState::Ended => 4,
            },
            Record::Incident(incident) if incident.is_open() => 6,
            Record::Incident(_) => 7,
        };
        counts[index] += 1;
    }
    let all = WORDS.iter().zip(counts).filter(|(_, count)| *count > 0);
    let parts: Vec<String> =
        all.map(|([one, many], count)| format!("{count} {}", if count == 1 { one } else { many })).collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::samples::{digest, ended, incident, message, raised};

    #[test]
    fn the_head_of_a_digest_says_the_worst_first_and_counts_all_changes() {
        let message = message(digest());
        let said = "CRITICAL now, a video:0 black: picture black for 30 s, and 2 more: 2 raised, 1 worse, 2 over";
        assert_eq!(head(&message), said);
        assert_eq!(subject(&message), format!("[avwatch] {said}"));
    }

    #[test]
    fn an_outage_among_many_changes_and_other_incidents_stands_first() {
        let mut records: Vec<Record> = (0..27).map(|index| raised(&format!("s{index}"), "black")).collect();
        records.extend([incident("zero", 9, false), incident("one", 6, true)]);
        assert_eq!(
            head(&message(records)),
            "CRITICAL incident: 6 streams of host origin-1 fail, and 28 more: 27 raised, 1 incident, 1 incident over"
        );
    }

    #[test]
    fn what_came_and_went_is_not_hidden_behind_what_is_over() {
        let records = vec![ended("a", "black"), raised("b", "black"), ended("b", "black")];
        let said = head(&message(records));
        assert!(said.starts_with("came and went: CRITICAL b video:0 black for 42 s: "), "{said}");
        assert!(said.ends_with(", and 1 more: 1 raised, 2 over"), "{said}");
    }

    #[test]
    fn what_is_over_is_counted() {
        let said = head(&message(vec![ended("a", "black"), ended("b", "black")]));
        assert_eq!(said, "2 changes: 2 over");
    }

    #[test]
    fn the_end_of_an_outage_is_not_hidden_behind_numbers() {
        let said = head(&message(vec![ended("a", "black"), incident("one", 2, false)]));
        let what = "over: incident after 42 s: 2 streams of host origin-1 fail (2 events, 2 streams)";
        assert_eq!(said, format!("{what}, and 1 more: 1 over, 1 incident over"));
    }
}
