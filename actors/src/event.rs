//! Events: conditions that lasted, and the changes through which they go.
//!
//! [`Event`] is the one record of the service: the same object in the store, the log, the API, the
//! live feed and every notification. Plain data; what does not apply is absent when serialised.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::media_time::MediaTime;
use crate::severity::Severity;
use crate::track::{SessionNumber, TrackId, TrackInfo};
use crate::wording::Wording;

/// Name and version of the event record's schema.
pub const SCHEMA: &str = "avwatch.event/1";

/// Begins the message of an event that flaps.
pub const FLAPPING: &str = "flapping: ";

/// Most calm spans that an event tells: a kilobyte or two.
pub const CALMS_MAX: usize = 64;

/// Where an event stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventState {
    /// Open.
    Raised,
    /// Open, and its severity rose.
    Escalated,
    /// Open, and a person has taken it.
    Acked,
    /// Open, but explained by another event or silenced.
    Suppressed,
    /// Over.
    Ended,
}

/// Why an event ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventEnd {
    /// The condition no longer holds.
    Cleared,
    /// The stream is no longer looked at on purpose: schedule, maintenance, stop of the service's session.
    Suspended,
    /// Its detector looks no more: under load, in a lower tier, or since it failed. Whether the condition is over
    /// nobody knows.
    Unwatched,
    /// The stream was removed.
    StreamRemoved,
    /// The configuration changed so that it no longer applies.
    ConfigChanged,
    /// It was open before a restart and was not seen again.
    Unconfirmed,
}

/// What makes two reports the same condition: stream, programme, track and detector.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventKey {
    /// The stream's configured name.
    pub stream: Arc<str>,
    /// The track.
    pub track: TrackId,
    /// The detector's name.
    pub detector: Arc<str>,
}

impl EventKey {
    /// A stable hash as 16 hexadecimal digits: the key for deduplication everywhere.
    ///
    /// FNV-1a of 64 bit over the parts, each ended by a zero byte: fixed by its definition, unlike
    /// the standard library's hasher, so two instances and two versions agree on it.
    pub fn fingerprint(&self, program: Option<u32>) -> String {
        let program = program.map(|number| number.to_string()).unwrap_or_default();
        let track = self.track.to_string();
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for part in [&*self.stream, program.as_str(), track.as_str(), &*self.detector] {
            for byte in part.bytes().chain([0]) {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
            }
        }
        format!("{hash:016x}")
    }
}

impl fmt::Display for EventKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.stream, self.track, self.detector)
    }
}

/// The one record of an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// [`SCHEMA`].
    pub schema: String,
    /// Sortable, unique, the same from raise to end (UUID version 7).
    pub id: String,
    /// Unique to this change of it.
    pub change_id: String,
    /// Counts the changes committed by this node, rising without gaps.
    pub sequence: u64,
    /// Stable across restarts and nodes, see [`EventKey::fingerprint`].
    pub fingerprint: String,
    /// The stream's configured name.
    pub stream: Arc<str>,
    /// Programme number of a multi-programme stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<u32>,
    /// Rendition id of HLS and DASH.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rendition: Option<String>,
    /// The track.
    pub track: TrackId,
    /// The detector's name.
    pub detector: Arc<str>,
    /// Severity now.
    pub severity: Severity,
    /// Highest severity that it had.
    pub max_severity: Severity,
    /// Where it stands.
    pub state: EventState,
    /// Why it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_reason: Option<EventEnd>,
    /// When the condition began.
    pub started_at: Wall,
    /// When it was raised, after its hold time.
    pub raised_at: Wall,
    /// When this change happened.
    pub changed_at: Wall,
    /// When the condition ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Wall>,
    /// When the condition began, in seconds of media time.
    pub start_s: f64,
    /// When the condition ended, in seconds of media time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_s: Option<f64>,
    /// The score at this change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// The score at which the detector calls it faulty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// The worst score so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak: Option<f64>,
    /// Unit of the scores.
    pub unit: String,
    /// What a person reads; a length in it is that at `changed_at`.
    pub message: String,
    /// The profile in force.
    pub profile: String,
    /// The tier in force when it was raised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// The share of the track that was inspected when it was raised, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<f64>,
    /// Labels of the stream.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The session that showed it.
    pub session: SessionNumber,
    /// Name of the node.
    pub node: Arc<str>,
    /// The incident of which it is a part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident_id: Option<String>,
    /// The event that explains it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
    /// What holds its notifications back: `observe`, `silence:ID`, `maintenance:ID` or `event:ID`. An ended
    /// event that still has it was held back from raise to end: nobody was told of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suppressed_by: Option<String>,
    /// Who has taken it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acked_by: Option<String>,
    /// When it was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acked_at: Option<Wall>,
    /// When the acknowledgement ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snoozed_until: Option<Wall>,
    /// The newest remark of a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Where to read what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runbook_url: Option<String>,
    /// Of an event that flaps: when its condition was away until it came back, as begin and end in seconds from
    /// `started_at`, in order. At most [`CALMS_MAX`]; of more the shortest is forgotten, as if it had held.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calm_s: Vec<(f64, f64)>,
    /// Where clips and pictures of it are, once they are written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// False when it could not be written to the store before it went out; else absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<bool>,
}

impl Event {
    /// What makes it the same condition as another.
    pub fn key(&self) -> EventKey {
        EventKey { stream: self.stream.clone(), track: self.track, detector: self.detector.clone() }
    }

    /// Whether it stands for a condition that comes and goes. The record has no field for it: its message tells.
    pub fn is_flapping(&self) -> bool {
        self.message.starts_with(FLAPPING)
    }

    /// True until it has ended.
    pub fn is_open(&self) -> bool {
        self.state != EventState::Ended
    }
}

/// A wall-clock time, written as RFC 3339 in UTC with milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wall(pub SystemTime);

impl Wall {
    /// That much later; the same time where no later one can be told.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        self.0.checked_add(span).map_or(self, Self)
    }

    /// How long after an earlier time it is; nothing when it is not.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.duration_since(earlier.0).unwrap_or_default()
    }
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Civil-from-days after H. Hinnant's published algorithm; the engine carries no calendar crate.
        let since = self.0.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
        let shifted = days as i64 + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_shifted = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_shifted + 2) / 5 + 1;
        let month = if month_shifted < 10 { month_shifted + 3 } else { month_shifted - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
            second / 3_600,
            second / 60 % 60,
            second % 60,
            since.subsec_millis()
        )
    }
}

impl Serialize for Wall {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Wall {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_wall(&text)
            .ok_or_else(|| serde::de::Error::custom(format!("not a UTC time as this program writes it: {text}")))
    }
}

/// Parses exactly what [`Wall`] prints.
fn parse_wall(text: &str) -> Option<Wall> {
    let bytes = text.as_bytes();
    if bytes.len() != 24 || bytes[23] != b'Z' || !text.is_ascii() {
        return None;
    }
    let number = |from: usize, to: usize| text[from..to].parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let year_shifted = if month <= 2 { year - 1 } else { year };
    let era = year_shifted.div_euclid(400);
    let year_of_era = year_shifted.rem_euclid(400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    let seconds = days * 86_400 + number(11, 13)? * 3_600 + number(14, 16)? * 60 + number(17, 19)?;
    let millis = u64::try_from(seconds).ok()?.checked_mul(1_000)? + u64::try_from(number(20, 23)?).ok()?;
    Some(Wall(SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(millis)))
}

/// What the desk writes into the events of a stream, beside what was measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StreamCard {
    /// The configured name.
    pub stream: Arc<str>,
    /// The title that people read.
    pub title: Option<String>,
    /// Name of the profile in force.
    pub profile: String,
    /// Name of the tier in force.
    pub tier: Option<String>,
    /// The share of the track at hand that was inspected of late; on the card of a change only.
    pub coverage: Option<f64>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Where to read what to do.
    pub runbook_url: Option<String>,
}

/// Whether a track is the main one of its kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// The one that most viewers see or hear, or the input as a whole.
    #[default]
    Main,
    /// Another one, such as a description of the pictures.
    Secondary,
}

impl Standing {
    /// How a track stands.
    pub fn of(track: &TrackInfo) -> Self {
        if track.secondary { Self::Secondary } else { Self::Main }
    }
}

/// A change as a detector actor or a stream's life reports it, before the desk completes it.
#[derive(Clone, Debug, PartialEq)]
pub struct EventChange {
    /// The stream.
    pub card: Arc<StreamCard>,
    /// Which condition.
    pub key: EventKey,
    /// Programme and rendition of the track.
    pub program: Option<u32>,
    /// How the track stands.
    pub standing: Standing,
    /// The session that showed it; changes of an older session than the newest seen are ignored.
    pub session: SessionNumber,
    /// What happened.
    pub what: ChangeKind,
    /// When the condition began, in media time.
    pub start: MediaTime,
    /// When the condition began, as people read it.
    pub started_at: Wall,
    /// When it ended, or may have: set for [`ChangeKind::Ended`] and [`ChangeKind::Fading`].
    pub end: Option<MediaTime>,
    /// When it ended, as people read it.
    pub ended_at: Option<Wall>,
    /// When the change was recognised.
    pub changed_at: Wall,
    /// Severity now.
    pub severity: Severity,
    /// The score now.
    pub value: Option<f32>,
    /// The worst score so far.
    pub peak: Option<f32>,
    /// The score at which it becomes faulty.
    pub threshold: Option<f32>,
    /// Unit of the scores.
    pub unit: &'static str,
    /// What a person reads.
    pub message: String,
    /// What in the message tells how long it has lasted; absent when nothing does.
    pub wording: Option<Wording>,
}

impl EventChange {
    /// A condition of a whole stream that is not measured, but said of it: by its supervisor, or by a part of
    /// the monitor. Such a word is never fenced off by a session, nor does it fence one off.
    pub fn said(
        card: Arc<StreamCard>,
        detector: &'static str,
        what: ChangeKind,
        severity: Severity,
        message: String,
        now: Wall,
    ) -> Self {
        Self {
            key: EventKey { stream: card.stream.clone(), track: TrackId::INPUT, detector: detector.into() },
            card,
            program: None,
            standing: Standing::Main,
            session: SessionNumber(0),
            what,
            start: MediaTime::ZERO,
            started_at: now,
            end: None,
            ended_at: matches!(what, ChangeKind::Ended(_)).then_some(now),
            changed_at: now,
            severity,
            value: None,
            peak: None,
            threshold: None,
            unit: "",
            message,
            wording: None,
        }
    }
}

/// What happened to a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// Its hold time passed.
    Raised,
    /// Its severity rose.
    Escalated,
    /// It is still open, but has not been seen for a moment. Nobody is told.
    Fading,
    /// It was fading, and is seen again. Nobody is told.
    Holding,
    /// It is over.
    Ended(EventEnd),
    /// It happened at one moment and is over at once.
    Found,
    /// It is still open now that the input is over: the last word on its peak and length.
    Ongoing,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_time_prints_and_reads_the_same() {
        for (secs, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_795_395_661, "2026-11-23T01:01:01.000Z"),
        ] {
            let wall = Wall(SystemTime::UNIX_EPOCH + Duration::from_secs(secs));
            assert_eq!(wall.to_string(), text);
            assert_eq!(parse_wall(text), Some(wall));
        }
    }

    #[test]
    fn fingerprints_differ_by_each_part_and_never_change() {
        let key =
            |stream: &str, track, detector: &str| EventKey { stream: stream.into(), track, detector: detector.into() };
        let base = key("lobby", TrackId::video(0), "black").fingerprint(None);
        assert_eq!(base.len(), 16);
        for other in [
            key("lobbyv", TrackId::video(0), "black").fingerprint(None),
            key("lobby", TrackId::video(1), "black").fingerprint(None),
            key("lobby", TrackId::video(0), "freeze").fingerprint(None),
            key("lobby", TrackId::video(0), "black").fingerprint(Some(1)),
        ] {
            assert_ne!(base, other);
        }
    }
}
