//! The defaults of the keys that every detector has, as a small table per detector.
//!
//! Plain data, read when configuration is resolved. The times are those of the published table of
//! defaults; what a row leaves open is said beside its own table.

use std::time::Duration;

use avwatch_actors::severity::Severity;

use super::Defaults;
use crate::profile::Profile;

/// A hold time in milliseconds and the severity from then on.
pub(super) type Step = (u64, Severity);

/// An event of a live stream ends after this much time without its condition.
const CLEAR_AFTER_LIVE: Duration = Duration::from_secs(10);
/// The same in finished files, where nobody is woken and every occurrence should be listed.
const CLEAR_AFTER_FILE: Duration = Duration::from_millis(300);

/// What a live stream shows right after a change of its format may be the change itself.
const SETTLE_LIVE: Duration = Duration::from_secs(5);

/// Hold times and severities of one detector.
#[derive(Clone, Copy)]
pub(super) struct Table {
    /// For live streams.
    pub(super) live: &'static [Step],
    /// For news and sport, where seconds count; the same as `live` where that is at once anyway.
    pub(super) fast: &'static [Step],
    /// For finished files.
    pub(super) file: &'static [Step],
}

impl Table {
    /// The defaults for a profile.
    pub(super) fn defaults(&self, profile: Profile) -> Defaults {
        let (steps, clear_after, settle_after_change) = match profile {
            Profile::File => (self.file, CLEAR_AFTER_FILE, Duration::ZERO),
            Profile::NewsSport => (self.fast, CLEAR_AFTER_LIVE, SETTLE_LIVE),
            Profile::Ott | Profile::BroadcastEu | Profile::BroadcastUs | Profile::Radio | Profile::StaticOk => {
                (self.live, CLEAR_AFTER_LIVE, SETTLE_LIVE)
            }
        };
        Defaults {
            enabled: true,
            steps: held(steps),
            secondary_steps: None,
            clear_after,
            edge_grace: Duration::ZERO,
            settle_after_change,
        }
    }
}

/// The steps with their hold times as spans.
pub(super) fn held(steps: &[Step]) -> Vec<(Duration, Severity)> {
    steps.iter().map(|(millis, severity)| (Duration::from_millis(*millis), *severity)).collect()
}

/// A secondary track raises `info` only, at the first of the steps.
pub(super) fn info_only(steps: &[(Duration, Severity)]) -> Vec<(Duration, Severity)> {
    steps.first().map(|(hold, _)| (*hold, Severity::Info)).into_iter().collect()
}
