//! What was on the air at a moment: the live picture, if it was taken near enough to stand for that moment.
//!
//! Owned by the evidence thread. A picture of another time would mislead whoever looks for the cause, so none is given
//! then, and the evidence says why.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::live::{LiveBoard, LiveThumbnail};

/// Furthest that a picture may be from the moment for which it stands: one comes every four seconds while nobody looks.
const NEAR: Duration = Duration::from_secs(5);

/// The picture of one moment.
#[derive(Debug, Default)]
pub(super) struct OnAir {
    /// The picture; absent when there was none that is near enough.
    pub(super) picture: Option<Arc<LiveThumbnail>>,
    /// Why there is none, as a sentence of the manifest; absent, too, of streams without pictures.
    pub(super) missing: Option<String>,
}

impl OnAir {
    /// What a stream showed at that moment, as far as its newest picture tells; `when` names the moment.
    pub(super) fn of(live: &LiveBoard, stream: &str, moment: SystemTime, when: &str) -> Self {
        let newest = live.stream(stream).and_then(|live| live.newest_thumbnail());
        newest.map_or_else(Self::default, |newest| Self::from(newest, moment, when))
    }

    fn from(newest: Arc<LiveThumbnail>, moment: SystemTime, when: &str) -> Self {
        let (apart, side) = match newest.taken.duration_since(moment) {
            Ok(later) => (later, "later"),
            Err(earlier) => (earlier.duration(), "earlier"),
        };
        if apart <= NEAR {
            return Self { picture: Some(newest), missing: None };
        }
        let why = format!("{}: the newest one was taken {:.1} s {side}", picture_of(when), apart.as_secs_f64());
        Self { picture: None, missing: Some(why) }
    }
}

/// How the manifest calls the picture of a moment.
pub(super) fn picture_of(when: &str) -> String {
    format!("the picture of {when}")
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[track_caller]
    fn check(taken_ms: u64, moment_ms: u64, missing: Option<&str>) {
        let at = |millis| SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
        let (jpeg, at_once) = (Arc::from([0xff, 0xd8]), Instant::now());
        let newest = LiveThumbnail { taken: at(taken_ms), at: at_once, width: 2, height: 2, jpeg };
        let on_air = OnAir::from(Arc::new(newest), at(moment_ms), "its raise");
        assert_eq!((on_air.picture.is_some(), on_air.missing.as_deref()), (missing.is_none(), missing));
    }

    #[test]
    fn a_picture_stands_for_a_moment_within_five_seconds_of_it() {
        check(60_000, 60_000, None);
        check(55_000, 60_000, None);
        check(65_000, 60_000, None);
        check(54_900, 60_000, Some("the picture of its raise: the newest one was taken 5.1 s earlier"));
        check(72_300, 60_000, Some("the picture of its raise: the newest one was taken 12.3 s later"));
    }
}
