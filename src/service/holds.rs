//! How long the detector of an event may take to raise it again: after a restart, or when it was rebuilt.
//!
//! Made from the plan with which the service started; the desk asks it. Too long a time keeps an event open
//! a little longer, too short a one ends it and raises it anew.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use avwatch_actors::event::Event;

use crate::config::Plan;
use crate::detectors::{self, DetectorSettings};

/// Hold times that differ from the defaults.
pub(super) struct Holds {
    /// By stream and detector, the longest that is configured for any of its tracks.
    detectors: BTreeMap<(Arc<str>, String), Duration>,
    /// Of what logs tell, by its word: the window and what follows it.
    logs: BTreeMap<&'static str, Duration>,
}

impl Holds {
    /// Those of a plan.
    pub(super) fn of(plan: &Plan) -> Self {
        let (mut detectors, mut logs) = (BTreeMap::new(), BTreeMap::new());
        for stream in &plan.streams {
            let layers = stream.detectors.iter().flat_map(|(name, layers)| layers.iter().map(move |one| (name, one)));
            let tracks = stream.tracks.values().flatten();
            for (name, settings) in layers.chain(tracks) {
                let longest: &mut Duration = detectors.entry((stream.name.clone(), name.clone())).or_default();
                *longest = (*longest).max(first_hold(settings));
            }
        }
        for rule in plan.logs.iter().flat_map(|input| &input.rules) {
            let longest: &mut Duration = logs.entry(rule.detector).or_default();
            *longest = (*longest).max(rule.window + rule.raise_after);
        }
        Self { detectors, logs }
    }

    /// The longest that it may take to raise this event again.
    pub(super) fn hold(&self, event: &Event) -> Duration {
        if let Some(hold) = self.logs.get(&*event.detector) {
            return *hold;
        }
        let configured = self.detectors.get(&(event.stream.clone(), event.detector.to_string()));
        let Some(kind) = detectors::by_name(&event.detector) else { return Duration::ZERO };
        let profile = event.profile.parse().unwrap_or_default();
        let default = (kind.defaults)(profile).steps.first().map_or(Duration::ZERO, |(hold, _)| *hold);
        configured.copied().unwrap_or_default().max(default)
    }
}

/// When one layer lets an event be raised.
fn first_hold(settings: &DetectorSettings) -> Duration {
    let severities = settings.severities.iter().filter_map(|steps| steps.values().min()).max();
    settings.raise_after.unwrap_or_default().max(severities.copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use avwatch_actors::event::EventState;

    use super::*;
    use crate::config::{Sources, load};
    use crate::sinks::samples::event;

    #[test]
    fn an_event_may_take_as_long_as_is_configured_to_be_seen_again() {
        let sets = [
            "streams.lobby.url=synthetic:",
            "streams.lobby.detectors.black.raise_after=5m",
            "streams.roof.url=synthetic:",
        ];
        let sources = Sources { sets: sets.map(str::to_owned).to_vec(), ..Sources::default() };
        let Ok(loaded) = load(&sources) else { panic!("it is valid") };
        let holds = Holds::of(&loaded.plan);
        let hold = |stream: &str| holds.hold(&event("e", stream, "black", 1, EventState::Raised));
        assert_eq!(hold("lobby"), Duration::from_secs(300));
        assert_eq!(hold("roof"), Duration::from_secs(2), "the default of the profile");
    }
}
