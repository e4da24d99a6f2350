//! Reading the journal: the past of a stream at the resolution that is asked for.
//!
//! Owned by whoever asks, on threads that may block. It has a read-only connection of its own; an answer has a
//! limit of points, a query one of time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OpenFlags};

use super::database::{self, FILE, JournalError, JournalKeep, Rows};
use super::record;
use super::stretch::Stretch;
use super::verdicts::{self, KeptSpan};

/// Most points of one answer; a finer resolution is made as coarse as it takes.
pub const POINTS_MAX: u64 = 5_000;

/// Longest that a query may take.
const QUERY_TIME_MAX: Duration = Duration::from_secs(5);

/// Reads the journal in a data directory.
#[derive(Debug)]
pub struct JournalReader {
    path: PathBuf,
    keep: JournalKeep,
}

impl JournalReader {
    /// A reader; it opens the file with each question.
    pub fn new(data_dir: &Path, keep: JournalKeep) -> Self {
        Self { path: data_dir.join(FILE), keep }
    }

    /// What a stream showed from `since` to `until` (seconds since 1970, the end excluded), in stretches of `resolution`
    /// seconds that begin at its multiples, in order; above a minute it is rounded up to whole minutes. Stretches of which nothing is known are left out; so the
    /// newest ones, until they are written after 15 to 25 seconds. At most [`POINTS_MAX`] are told: the
    /// resolution is made coarser where it takes that, which `lasts` of each tells. A stream that is not known has none.
    pub fn history(&self, stream: &str, since: u64, until: u64, resolution: u32) -> Result<Vec<Stretch>, JournalError> {
        let failed = |source| JournalError::Database { what: "read", path: self.path.clone(), source };
        if until <= since || !self.path.exists() {
            return Ok(Vec::new());
        }
        let step = u64::from(resolution.max(1)).max((until - since).div_ceil(POINTS_MAX));
        // Whole minutes from one minute on: then there is no need of seconds.
        let step = if step > 60 { step.next_multiple_of(60) } else { step }.min(u64::from(u32::MAX) / 60 * 60);
        // The first stretch is told as a whole, too.
        let parts = self.parts(stream, since / step * step, until, step).map_err(failed)?;
        let mut stretches: BTreeMap<u64, Vec<Stretch>> = BTreeMap::new();
        for part in parts {
            stretches.entry(part.at / step * step).or_default().push(part);
        }
        // A record may be longer than the resolution: then that is what there is.
        let length = |parts: &[Stretch]| parts.iter().map(|part| part.lasts).max().unwrap_or(1).max(step as u32);
        Ok(stretches.into_iter().map(|(at, parts)| Stretch::of(at, length(&parts), &parts)).collect())
    }

    /// The streams of which anything is kept, by name.
    pub fn streams(&self) -> Result<Vec<String>, JournalError> {
        if !self.path.exists() {
            return Ok(Vec::new());
        }
        let read = || -> Result<Vec<String>, rusqlite::Error> {
            let connection = self.connection()?;
            let mut statement = connection.prepare("SELECT name FROM streams ORDER BY name LIMIT 100000")?;
            statement.query_map([], |row| row.get(0))?.collect()
        };
        read().map_err(|source| JournalError::Database { what: "read", path: self.path.clone(), source })
    }

    /// The seconds from `since` to `until` in which each of these streams was watched, as spans with their ends
    /// excluded, in order. Past the reach of seconds a minute that is known in part counts from its begin.
    pub fn watched(&self, streams: &[String], since: u64, until: u64) -> Result<Vec<Vec<(u64, u64)>>, JournalError> {
        if until <= since || !self.path.exists() {
            return Ok(vec![Vec::new(); streams.len()]);
        }
        let by_second_from = self.by_second_from();
        let read = || -> Result<Vec<Vec<(u64, u64)>>, rusqlite::Error> {
            let connection = self.connection()?;
            let of = |name: &String| match database::stream_id(&connection, name)? {
                Some(stream) => watched(&connection, stream, since, until, by_second_from),
                None => Ok(Vec::new()),
            };
            streams.iter().map(of).collect()
        };
        read().map_err(|source| JournalError::Database { what: "read", path: self.path.clone(), source })
    }

    /// What that detector said of a stream from `since` to `until`, in order; nothing of what was kept before spans were.
    pub fn verdicts(&self, stream: &str, detector: u16, since: u64, until: u64) -> Result<Vec<KeptSpan>, JournalError> {
        self.ask(since, until, |connection| {
            let is_there = "SELECT count(*) FROM sqlite_master WHERE name = 'verdicts'";
            if connection.query_row(is_there, [], |row| row.get::<_, u64>(0))? == 0 {
                return Ok(Vec::new());
            }
            let Some(stream) = database::stream_id(connection, stream)? else { return Ok(Vec::new()) };
            let mut found = Vec::new();
            each_row(connection, Rows::Verdicts, stream, since, until, |begin, row| {
                verdicts::read(row, |place, number, span| {
                    let at = begin + u64::from(place);
                    if number == detector && (since..until).contains(&at) {
                        found.push(KeptSpan { at, ..span });
                    }
                });
            })?;
            Ok(found)
        })
    }

    /// From when on seconds are kept.
    pub fn by_second_from(&self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        now.saturating_sub(u64::from(self.keep.seconds_hours) * 3_600)
    }

    /// From when on minutes are kept.
    pub fn by_minute_from(&self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        now.saturating_sub(u64::from(self.keep.minutes_days) * 86_400)
    }

    /// Puts a question about a span; nothing is known of an empty one, nor by a journal that is not there.
    pub(super) fn ask<T: Default>(
        &self,
        since: u64,
        until: u64,
        question: impl FnOnce(&Connection) -> Result<T, rusqlite::Error>,
    ) -> Result<T, JournalError> {
        if until <= since || !self.path.exists() {
            return Ok(T::default());
        }
        let answer = self.connection().and_then(|connection| question(&connection));
        answer.map_err(|source| JournalError::Database { what: "read", path: self.path.clone(), source })
    }

    fn connection(&self) -> Result<Connection, rusqlite::Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(Duration::from_secs(1))?;
        let started = Instant::now();
        connection.progress_handler(10_000, Some(move || started.elapsed() > QUERY_TIME_MAX))?;
        Ok(connection)
    }

    /// The records of that span: minutes where they serve, seconds for the rest.
    fn parts(&self, stream: &str, since: u64, until: u64, step: u64) -> Result<Vec<Stretch>, rusqlite::Error> {
        let connection = self.connection()?;
        let Some(stream) = database::stream_id(&connection, stream)? else { return Ok(Vec::new()) };
        let by_second_from = self.by_second_from();
        let mut parts = Vec::new();
        let mut from = since;
        if step >= 60 || since < by_second_from {
            let minutes_until = if step >= 60 { until } else { by_second_from.min(until) };
            parts = read(&connection, Rows::Minutes, stream, since, minutes_until)?;
            from = parts.last().map_or(since, |last| last.at + 60).max(minutes_until.min(by_second_from));
        }
        parts.extend(read(&connection, Rows::Seconds, stream, from, until)?);
        Ok(parts)
    }
}

/// The records that begin in that span, in order, each once.
fn read(
    connection: &Connection,
    rows: Rows,
    stream: u32,
    since: u64,
    until: u64,
) -> Result<Vec<Stretch>, rusqlite::Error> {
    let mut found = BTreeMap::new();
    each_row(connection, rows, stream, since, until, |begin, row| {
        record::read(row, |place, stretch| {
            let at = begin + u64::from(place) * rows.step();
            if (since..until).contains(&at) {
                found.insert(at, Stretch { at, lasts: rows.step() as u32, ..stretch });
            }
        });
    })?;
    Ok(found.into_values().collect())
}

/// The rows that lie in that span in part, in order, each with its begin.
fn each_row(
    connection: &Connection,
    rows: Rows,
    stream: u32,
    since: u64,
    until: u64,
    mut each: impl FnMut(u64, &[u8]),
) -> Result<(), rusqlite::Error> {
    if until <= since {
        return Ok(());
    }
    // One row after the other by its number: a range would read the rows of all other streams.
    let sql = format!("SELECT records FROM {} WHERE number = ?1", rows.table());
    let mut statement = connection.prepare_cached(&sql)?;
    for row in since / rows.lasts()..=(until - 1) / rows.lasts() {
        let begin = row * rows.lasts();
        let mut answer = statement.query([rows.number(begin, stream)])?;
        let Some(answer) = answer.next()? else { continue };
        each(begin, answer.get_ref(0)?.as_blob()?);
    }
    Ok(())
}

/// The seconds of that span in which the stream was really watched: whole minutes first, then seconds where they are kept.
fn watched(
    connection: &Connection,
    stream: u32,
    since: u64,
    until: u64,
    by_second_from: u64,
) -> Result<Vec<(u64, u64)>, rusqlite::Error> {
    let mut minutes = BTreeMap::new();
    each_row(connection, Rows::Minutes, stream, since, until, |begin, row| {
        record::read_watched(row, |place, known| {
            minutes.insert(begin + u64::from(place) * 60, known.min(60));
        });
    })?;
    let mut found = BTreeMap::new();
    let mut in_part = Vec::new();
    for (begin, known) in &minutes {
        if *known == 60 || *begin < by_second_from {
            found.insert(*begin, begin + u64::from(*known));
        } else {
            in_part.push(*begin);
        }
    }
    // The newest minutes are not told as such yet.
    let newest = minutes.keys().next_back().map_or(since / 60 * 60, |last| last + 60).max(by_second_from / 60 * 60);
    in_part.extend((newest..until).step_by(60));
    for begin in in_part {
        each_row(connection, Rows::Seconds, stream, begin, begin + 60, |begin, row| {
            record::read_watched(row, |place, known| {
                if known > 0 {
                    let second = begin + u64::from(place);
                    found.insert(second, second + 1);
                }
            });
        })?;
    }
    let clip = |(from, to): (u64, u64)| (from.max(since), to.min(until));
    Ok(found.into_iter().map(clip).filter(|(from, to)| from < to).collect())
}
