//! What configuration needs to know of a detector: the one seam to the registry.

use std::collections::BTreeMap;
use std::time::Duration;

use avwatch_actors::detector::LaneKind;
use avwatch_actors::severity::Severity;
use avwatch_actors::track::TrackKind;

use crate::config::error::{Problem, nearest};
use crate::config::origin::KeyPath;
use crate::detectors::{ALL, DetectorKind, LOGS, OptionDoc, UnknownDetector, look_up};
use crate::profile::Profile;

/// One detector as configuration sees it.
pub(crate) struct DetectorRow {
    pub(crate) name: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) standard_ref: Option<&'static str>,
    pub(crate) source: &'static str,
    pub(crate) options: &'static [OptionDoc],
    /// Kinds of track that it can be set on.
    pub(crate) watches: Vec<TrackKind>,
    /// Defaults of the common keys by profile.
    pub(crate) common: BTreeMap<Profile, CommonDefaults>,
}

/// Defaults of the keys that every detector has.
#[derive(Clone)]
pub(crate) struct CommonDefaults {
    pub(crate) enabled: bool,
    pub(crate) steps: Vec<(Duration, Severity)>,
    pub(crate) clear_after: Duration,
}

impl From<&DetectorKind> for DetectorRow {
    fn from(kind: &DetectorKind) -> Self {
        let common = |profile: Profile| {
            let defaults = (kind.defaults)(profile);
            let (enabled, steps, clear_after) = (defaults.enabled, defaults.steps, defaults.clear_after);
            (profile, CommonDefaults { enabled, steps, clear_after })
        };
        Self {
            name: kind.name,
            summary: kind.summary,
            unit: kind.unit,
            standard_ref: kind.standard_ref,
            source: kind.source,
            options: kind.options,
            watches: kind.lanes.iter().map(track_kind).collect(),
            common: Profile::ALL.into_iter().map(common).collect(),
        }
    }
}

fn track_kind(lane: &LaneKind) -> TrackKind {
    match lane {
        LaneKind::Picture => TrackKind::Video,
        LaneKind::Sound => TrackKind::Audio,
        LaneKind::Input => TrackKind::Input,
    }
}

/// The rows of the registry that is built in.
pub(crate) fn built_in() -> Vec<DetectorRow> {
    crate::detectors::ALL.iter().map(|kind| DetectorRow::from(*kind)).collect()
}

/// What to say of a name that is no detector of this version, when it is one that people may know.
pub(crate) fn refused(name: &str, path: &KeyPath) -> Option<Problem> {
    let not_available = |why: &str| Some(Problem::NotAvailable { path: path.clone(), why: why.to_owned() });
    match look_up(name) {
        Err(UnknownDetector::Reserved(_)) => {
            not_available("the name is reserved for a transport detector that this version does not have")
        }
        Err(UnknownDetector::Own(_)) => {
            let why = "is a condition of the monitor itself and has no settings".to_owned();
            Some(Problem::Invalid { path: path.clone(), why })
        }
        Err(UnknownDetector::Logs(_)) => {
            let why = "is judged by the rules of [[logs]] and has its settings there".to_owned();
            Some(Problem::Invalid { path: path.clone(), why })
        }
        Ok(_) | Err(UnknownDetector::Unknown { .. }) => None,
    }
}

/// Whether a name is a detector that tells of streams: of the registry, or of the rules of logs. Otherwise why not.
pub(crate) fn told_of_streams(name: &str) -> Result<(), String> {
    match look_up(name) {
        Ok(_) | Err(UnknownDetector::Logs(_)) => Ok(()),
        Err(UnknownDetector::Reserved(_)) => {
            Err("the name is reserved for a transport detector that this version does not have".to_owned())
        }
        Err(UnknownDetector::Own(_)) => {
            Err("is a condition of the monitor itself, of which every clone tells".to_owned())
        }
        Err(UnknownDetector::Unknown { .. }) => {
            let known = ALL.iter().map(|kind| kind.name).chain(LOGS.iter().map(|(_, name)| *name));
            Err(match nearest(name, known) {
                Some(near) => format!("is no detector; did you mean '{near}'?"),
                None => "is no detector; 'avwatch detectors' lists them".to_owned(),
            })
        }
    }
}
