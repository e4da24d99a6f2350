//! The rules of the alarm model: what was configured of it, and which condition explains which.
//!
//! Plain data, made by the application and handed to the desk as a whole; another set takes the place
//! of the old one while the service runs. Shared and never changed.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::event::{Event, Wall};
use crate::severity::Severity;

/// Everything that was configured of the alarm model.
#[derive(Clone, Debug)]
pub struct AlarmRules {
    /// How long picture and sound must be gone together until the picture's event has each severity;
    /// empty: they are judged apart.
    pub combination: Vec<(Duration, Severity)>,
    /// How long what a cause explained may outlast it before it is an alarm of its own.
    pub cause_grace: Duration,
    /// When a condition flaps.
    pub flapping: FlapRules,
    /// Streams of which something else than [`StreamRules::default`] holds.
    pub streams: HashMap<Arc<str>, StreamRules>,
}

impl Default for AlarmRules {
    fn default() -> Self {
        let combination =
            vec![(Duration::from_secs(10), Severity::Major), (Duration::from_secs(20), Severity::Critical)];
        let (cause_grace, flapping) = (Duration::from_secs(10), FlapRules::default());
        Self { combination, cause_grace, flapping, streams: HashMap::new() }
    }
}

/// When a condition flaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlapRules {
    /// More raises than this within the window are flapping; 0: nothing ever is.
    pub raises: u32,
    /// The window; also how long it must be calm to be over.
    pub window: Duration,
}

/// Most raises within the window that may be asked for: the model remembers so many of each condition.
pub const FLAP_RAISES_MAX: u32 = 100;

impl Default for FlapRules {
    fn default() -> Self {
        Self { raises: 3, window: Duration::from_secs(600) }
    }
}

/// What was configured of the alarms of one stream.
#[derive(Clone, Debug, Default)]
pub struct StreamRules {
    /// Whether people are told.
    pub telling: Telling,
    /// Whether picture and sound are judged together.
    pub combining: Combining,
    /// When it is off the air; never when absent.
    pub off_air: Option<Arc<dyn OffAir>>,
}

/// Whether people are told of a stream's events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Telling {
    /// They are.
    #[default]
    Live,
    /// Events are recorded and judged, but held back: for streams whose settings are not tried yet.
    Observe,
}

/// Whether picture and sound are judged together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Combining {
    /// They are: on everything that is live.
    #[default]
    Together,
    /// They are not: files are inspected for each defect by itself.
    Apart,
}

/// The calendar of a stream. Asked by the desk, so it answers at once.
pub trait OffAir: fmt::Debug + Send + Sync {
    /// Whether the stream is off the air at a time, and when that may change.
    fn look(&self, at: Wall) -> AirTime;
}

/// What a calendar says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AirTime {
    /// Whether the stream is off the air.
    pub is_off: bool,
    /// Until when that is so; it is asked again then.
    pub until: Wall,
}

/// Which events a cause explains.
#[derive(Clone, Copy, Debug)]
enum Consequences {
    /// Everything about the stream's content: all but the cause itself, what the monitor says of itself and what logs of
    /// other programs say.
    Content,
    /// These detectors.
    Of(&'static [&'static str]),
}

/// A condition that explains others on its stream.
#[derive(Debug)]
pub(crate) struct Cause {
    /// The detector that finds it.
    pub(crate) detector: &'static str,
    explains: Consequences,
}

/// What explains what on one stream; the first that is open counts.
///
/// `video_missing` and `audio_missing` stand here as consequences only: what they might explain is never
/// raised, since the detectors of a missing track are not asked.
pub(crate) const CAUSES: [Cause; 2] = [
    // Nothing arrives: whatever is said of the content is said of nothing, or of the gap around it.
    Cause { detector: "input_down", explains: Consequences::Content },
    // What is scrambled decodes to black, stills, silence or not at all.
    Cause {
        detector: "scrambled",
        explains: Consequences::Of(&["black", "freeze", "silence", "decode_error", "video_missing", "audio_missing"]),
    },
];

/// Said by the monitor about its own work on a stream: no input explains it.
const OF_THE_MONITOR: [&str; 6] = [
    "monitor_degraded",
    "monitor_overload",
    "notification_failed",
    "store_degraded",
    "detector_disabled",
    "stream_quarantined",
];

/// What the names of events out of logs of other programs begin with: no detector of a session speaks of them.
const OF_LOGS: &str = "log_";

/// Whether a detector's events come out of logs of other programs. They are witnesses of their own, who do not look through
/// the stream's input: what they say is why it is down, or what became of it elsewhere, and never follows from it.
pub(crate) fn is_of_logs(detector: &str) -> bool {
    detector.starts_with(OF_LOGS)
}

impl Cause {
    /// The cause that a detector finds, if it is one.
    pub(crate) fn of(detector: &str) -> Option<&'static Self> {
        CAUSES.iter().find(|cause| cause.detector == detector)
    }

    /// Whether it explains what a detector finds.
    pub(crate) fn explains(&self, detector: &str) -> bool {
        match self.explains {
            Consequences::Content => {
                detector != self.detector && !OF_THE_MONITOR.contains(&detector) && !is_of_logs(detector)
            }
            Consequences::Of(detectors) => detectors.contains(&detector),
        }
    }
}

/// What stands in the events that an event explains.
pub(crate) fn mark_of_cause(id: &str) -> String {
    format!("{CAUSE_MARK}{id}")
}

/// Begins the mark of events that another one explains.
const CAUSE_MARK: &str = "event:";

/// What stands in the events of a stream that is observed.
pub(crate) const OBSERVED: &str = "observe";

/// Whether the mark of an event names a cause.
pub(crate) fn is_explained(event: &Event) -> bool {
    event.suppressed_by.as_deref().is_some_and(|mark| mark.starts_with(CAUSE_MARK))
}

/// Whether a detector's events are the picture's side of the combination.
pub(crate) fn is_picture_gone(detector: &str) -> bool {
    matches!(detector, "black" | "freeze")
}

/// Whether a detector's events are the sound's side of it.
pub(crate) fn is_sound_gone(detector: &str) -> bool {
    detector == "silence"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_input_explains_all_content_but_neither_itself_nor_the_monitor_nor_logs() {
        let cause = Cause::of("input_down").unwrap();
        for detector in ["black", "silence", "timestamp", "bitrate", "frame_rate", "video_missing", "scrambled"] {
            assert!(cause.explains(detector), "{detector}");
        }
        for detector in ["input_down", "stream_quarantined", "detector_disabled", "store_degraded"] {
            assert!(!cause.explains(detector), "{detector}");
        }
        for detector in ["log_errors", "log_http_errors", "log_rebuffering", "log_slow_segments"] {
            assert!(!cause.explains(detector), "{detector}");
        }
        assert!(Cause::of("black").is_none());
    }

    #[test]
    fn scrambling_explains_what_cannot_be_seen_through_it() {
        let cause = Cause::of("scrambled").unwrap();
        assert!(cause.explains("black") && cause.explains("decode_error"));
        assert!(!cause.explains("bitrate") && !cause.explains("scrambled") && !cause.explains("input_down"));
    }
}
