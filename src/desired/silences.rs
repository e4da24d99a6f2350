//! Silences and maintenance as they are kept.
//!
//! A silence is removed when it is over. Of a maintenance it is kept when it was, so that reports can leave that time
//! out whether or not anything happened in it: [`PAST_MAX`] of them, for [`PAST_FOR`]; the oldest go.

use std::path::Path;
use std::time::{Duration, SystemTime};

use avwatch_actors::event::Wall;
use avwatch_actors::silence::{Silence, SilenceKind};
use rusqlite::{Connection, OpenFlags};

use super::{BUSY_WAIT, FILE, Object};
use crate::desired::{Change, Desired, DesiredError, Expect, Kind};

/// Maintenances that are over and known; beyond them the oldest go.
pub const PAST_MAX: usize = 5_000;

/// For how long they are known.
pub const PAST_FOR: Duration = Duration::from_secs(400 * 24 * 3_600);

impl Desired {
    /// Every silence and maintenance that is in force or planned; those that are over are removed.
    pub fn silences(&self) -> Result<Vec<Silence>, DesiredError> {
        let now = Wall(SystemTime::now());
        let (mut silences, mut over) = (Vec::new(), Vec::new());
        for silence in read(self.all(Kind::Silence)?) {
            if now < silence.until { silences.push(silence) } else { over.push(silence) }
        }
        for silence in over {
            self.end_silence(silence)?;
        }
        silences.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(silences)
    }

    /// Removes a silence or maintenance; of a maintenance it is noted when it was.
    pub fn end_silence(&self, silence: Silence) -> Result<(), DesiredError> {
        let (id, now) = (silence.id.clone(), Wall(SystemTime::now()));
        let ended = Silence { until: silence.until.min(now), ..silence };
        // Noted first: a crash in between leaves both, of which the later one is the truth.
        if ended.kind == SilenceKind::Maintenance && ended.starts_at < ended.until {
            match serde_json::to_string(&ended) {
                Ok(json) => {
                    self.apply(
                        Kind::PastMaintenance,
                        &[Change::Put { name: id.clone(), json, expect: Expect::Anything }],
                    )?;
                    self.forget_past(now)?;
                }
                Err(error) => tracing::error!(maintenance = id, "a maintenance cannot be written: {error}"),
            }
        }
        self.apply(Kind::Silence, &[Change::Remove { name: id, expect: Expect::Anything }]).map(|_| ())
    }

    fn forget_past(&self, now: Wall) -> Result<(), DesiredError> {
        let mut past = read(self.all(Kind::PastMaintenance)?);
        past.sort_by_key(|one| std::cmp::Reverse(one.until));
        let is_old = |one: &Silence| now.0.duration_since(one.until.0).is_ok_and(|age| age > PAST_FOR);
        let doomed = past.iter().enumerate().filter(|(place, one)| *place >= PAST_MAX || is_old(one));
        let doomed: Vec<Change> =
            doomed.map(|(_, one)| Change::Remove { name: one.id.clone(), expect: Expect::Anything }).collect();
        if !doomed.is_empty() {
            self.apply(Kind::PastMaintenance, &doomed)?;
        }
        Ok(())
    }

    /// Every maintenance that was, is or is planned.
    pub fn maintenance(&self) -> Result<Vec<Silence>, DesiredError> {
        Ok(joined(self.all(Kind::Silence)?, self.all(Kind::PastMaintenance)?))
    }
}

/// Every maintenance that was, is or is planned, out of a data folder, whether or not a service runs on it. Nothing
/// is changed there.
///
/// # Errors
/// The file is there and cannot be read.
pub fn maintenance_in(folder: &Path) -> Result<Vec<Silence>, DesiredError> {
    let path = folder.join(FILE);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let connection = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(BUSY_WAIT)?;
    let of = |kind| super::all(&connection, kind);
    Ok(joined(of(Kind::Silence)?, of(Kind::PastMaintenance)?))
}

/// What was ended early is known by its real end.
fn joined(planned: Vec<Object>, past: Vec<Object>) -> Vec<Silence> {
    let mut all = read(past);
    for silence in read(planned).into_iter().filter(|silence| silence.kind == SilenceKind::Maintenance) {
        if !all.iter().any(|known| known.id == silence.id) {
            all.push(silence);
        }
    }
    all
}

fn read(objects: Vec<Object>) -> Vec<Silence> {
    let one = |object: Object| match serde_json::from_str::<Silence>(&object.json) {
        Ok(silence) => Some(silence),
        Err(error) => {
            tracing::error!(silence = object.name, "a silence cannot be read: {error}");
            None
        }
    };
    objects.into_iter().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use avwatch_actors::silence::Matchers;

    use super::*;

    fn planned(id: &str, kind: SilenceKind, from: u64, to: u64) -> Silence {
        let begin = SystemTime::now() - Duration::from_secs(10_000);
        let at = |second| Wall(begin + Duration::from_secs(second));
        let matchers = Matchers { stream: Some("lobby".to_owned()), ..Matchers::default() };
        Silence {
            id: id.to_owned(),
            kind,
            matchers,
            starts_at: at(from),
            until: at(to),
            reason: String::new(),
            author: "ann".to_owned(),
            created_at: at(0),
        }
    }

    #[test]
    fn a_maintenance_that_is_over_is_still_known_and_a_silence_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let desired = Desired::open(folder.path()).unwrap();
        let over = planned("m1", SilenceKind::Maintenance, 0, 100);
        let early = planned("m2", SilenceKind::Maintenance, 5_000, 90_000);
        let later = planned("m3", SilenceKind::Maintenance, 80_000, 90_000);
        let all = [over.clone(), early.clone(), later, planned("s1", SilenceKind::Silence, 0, 100)];
        for silence in &all {
            let json = serde_json::to_string(silence).unwrap();
            let change = Change::Put { name: silence.id.clone(), json, expect: Expect::Absent };
            desired.apply(Kind::Silence, &[change]).unwrap();
        }
        desired.end_silence(early.clone()).unwrap();
        let ids = |silences: &[Silence]| silences.iter().map(|silence| silence.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&desired.silences().unwrap()), ["m3"]);
        let mut known = desired.maintenance().unwrap();
        known.sort_by(|one, other| one.id.cmp(&other.id));
        assert_eq!(ids(&known), ["m1", "m2", "m3"]);
        assert_eq!(known[0].until.to_string(), over.until.to_string());
        assert!(known[1].until < early.until, "it ended when it was ended");
        assert_eq!(maintenance_in(folder.path()).unwrap().len(), 3);
    }
}
