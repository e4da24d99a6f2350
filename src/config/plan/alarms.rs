//! The alarm model of the plan, and the rules that the desk makes of a plan.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use avwatch_actors::alarm_model::rules::{AlarmRules, Combining, FlapRules, OffAir, StreamRules, Telling};
use avwatch_actors::severity::Severity;

use crate::config::origin::KeyPath;
use crate::config::plan::{Building, Plan, StreamPlan};
use crate::config::settings::Mode;
use crate::profile::Profile;
use crate::schedule::{Calendar, OffAirWindow, WINDOWS_MAX};

/// What holds for the alarms of all streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmPlan {
    /// From when on picture and sound that are gone together have a severity, rising with it.
    pub combination: Vec<(Duration, Severity)>,
    /// How long what a cause explained may outlast it.
    pub cause_grace: Duration,
    /// When a condition flaps.
    pub flapping: FlapRules,
}

pub(super) fn build(building: &mut Building<'_>) -> AlarmPlan {
    let settings = &building.settings.alarms;
    let together = &settings.combination;
    let steps = [
        (together.warning.0, Severity::Warning),
        (together.major.0, Severity::Major),
        (together.critical.0, Severity::Critical),
    ];
    let combination: Vec<_> = steps.into_iter().filter(|(hold, _)| !hold.is_zero()).collect();
    let plan = AlarmPlan {
        combination,
        cause_grace: settings.cause_grace.0,
        flapping: FlapRules { raises: settings.flap_raises, window: settings.flap_window.0 },
    };
    if !plan.combination.is_sorted_by_key(|(hold, _)| *hold) {
        let path = KeyPath::of(&["alarms", "combination"]);
        building.invalid(&path, "a higher severity must not come before a lower one");
    }
    plan
}

/// The times without programme of a stream.
pub(super) fn off_air(building: &mut Building<'_>, windows: &[String], path: &KeyPath) -> Vec<OffAirWindow> {
    if windows.len() > WINDOWS_MAX {
        building.invalid(path, format!("more than {WINDOWS_MAX} windows"));
    }
    let mut parsed = Vec::new();
    for (index, text) in windows.iter().enumerate().take(WINDOWS_MAX) {
        match text.parse() {
            Ok(window) => parsed.push(window),
            Err(error) => building.invalid(&path.index(index), format!("{error}")),
        }
    }
    parsed
}

impl Plan {
    /// The rules of the alarm model.
    pub fn alarm_rules(&self) -> AlarmRules {
        let streams: HashMap<Arc<str>, StreamRules> =
            self.streams.iter().filter_map(|stream| Some((stream.name.clone(), rules_of(stream)?))).collect();
        AlarmRules {
            combination: self.alarms.combination.clone(),
            cause_grace: self.alarms.cause_grace,
            flapping: self.alarms.flapping,
            streams,
        }
    }
}

/// What differs for a stream from what holds for most.
fn rules_of(stream: &StreamPlan) -> Option<StreamRules> {
    let calendar = || Arc::new(Calendar::new(stream.off_air.clone())) as Arc<dyn OffAir>;
    let usual = stream.mode == Mode::Live && stream.profile != Profile::File && stream.off_air.is_empty();
    (!usual).then(|| StreamRules {
        telling: match stream.mode {
            Mode::Live => Telling::Live,
            Mode::Observe => Telling::Observe,
        },
        combining: if stream.profile == Profile::File { Combining::Apart } else { Combining::Together },
        off_air: (!stream.off_air.is_empty()).then(calendar),
    })
}
