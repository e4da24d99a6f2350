//! When streams were seen: for every minute, whether anything of a stream was really looked at in it.
//!
//! Owned by whoever asks, on threads that may block. It tells of all streams in one pass over the rows of the time
//! that is asked for, so that a page of many streams need not ask for each of them.

use std::collections::{BTreeMap, HashMap};

use rusqlite::Connection;

use super::database::{JournalError, Rows, STREAM_BITS};
use super::reader::JournalReader;
use super::record;

/// Most spans of a stream that are told, the newest ones: what is older then counts as not seen. A stream would have
/// to go away for whole minutes more than a hundred times a day.
pub const SEEN_SPANS_MAX: usize = 128;

/// The newest seconds, of which whole minutes may not be written yet.
const UNTOLD_MINUTES: u64 = 180;

/// Spans of time by stream, in seconds since 1970 with their ends excluded, in order.
pub type SeenSpans = BTreeMap<String, Vec<(u64, u64)>>;

impl JournalReader {
    /// When each stream was seen from `since` to `until`: frames of it arrived, and load left room to look at them. By the
    /// minute, one that was seen in part counting as a whole; the newest ones up to the last second that was seen. A
    /// stream of which nothing was seen is left out. At most [`SEEN_SPANS_MAX`] spans of a stream are told.
    pub fn seen(&self, since: u64, until: u64) -> Result<SeenSpans, JournalError> {
        let since = since / 60 * 60;
        self.ask(since, until, |connection| {
            let mut found: HashMap<u32, Vec<(u64, u64)>> = HashMap::new();
            each_row(connection, Rows::Minutes, since, until, |stream, begin, row| {
                let minutes = seen_places(row);
                for place in (0..60).filter(|place| minutes & 1 << place != 0) {
                    let from = begin + place * 60;
                    put(found.entry(stream).or_default(), (from.max(since), (from + 60).min(until)));
                }
            })?;
            each_row(
                connection,
                Rows::Seconds,
                until.saturating_sub(UNTOLD_MINUTES).max(since),
                until,
                |stream, begin, row| {
                    let seconds = seen_places(row);
                    if seconds != 0 {
                        let end = begin + 64 - u64::from(seconds.leading_zeros());
                        put(found.entry(stream).or_default(), (begin.max(since), end.min(until)));
                    }
                },
            )?;
            let mut statement = connection.prepare("SELECT id, name FROM streams")?;
            let mut names = statement.query([])?;
            let mut seen = SeenSpans::new();
            while let Some(row) = names.next()? {
                if let Some(mut spans) = found.remove(&row.get(0)?) {
                    spans.drain(..spans.len().saturating_sub(SEEN_SPANS_MAX));
                    seen.insert(row.get(1)?, spans);
                }
            }
            Ok(seen)
        })
    }
}

/// Adds a span that begins no earlier than the last one; they become one where they meet.
fn put(spans: &mut Vec<(u64, u64)>, (from, to): (u64, u64)) {
    match spans.last_mut() {
        Some(last) if from <= last.1 => last.1 = last.1.max(to),
        _ if from < to => spans.push((from, to)),
        _ => {}
    }
}

/// The places of a row that were seen, as bits. Two records of one place are two parts of it: after a restart.
fn seen_places(row: &[u8]) -> u64 {
    let mut places = 0;
    record::read_seen(row, |place| places |= 1_u64.checked_shl(u32::from(place)).unwrap_or(0));
    places
}

/// The rows of all streams that lie in that span in part, in order of time: stream, begin and records of each.
fn each_row(
    connection: &Connection,
    rows: Rows,
    since: u64,
    until: u64,
    mut each: impl FnMut(u32, u64, &[u8]),
) -> Result<(), rusqlite::Error> {
    let sql =
        format!("SELECT number, records FROM {} WHERE number >= ?1 AND number < ?2 ORDER BY number", rows.table());
    let mut statement = connection.prepare_cached(&sql)?;
    let end = until.next_multiple_of(rows.lasts());
    let mut found = statement.query([rows.number(since, 0), rows.number(end, 0)])?;
    while let Some(row) = found.next()? {
        let number = row.get::<_, i64>(0)? as u64;
        let stream = (number & ((1 << STREAM_BITS) - 1)) as u32;
        each(stream, (number >> STREAM_BITS) * rows.lasts(), row.get_ref(1)?.as_blob()?);
    }
    Ok(())
}
