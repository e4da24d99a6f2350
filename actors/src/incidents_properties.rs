//! What holds of incidents whatever happens: property tests in virtual time.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::tests::{Desk, ended, event, table, wall};
use super::*;
use crate::incident::IncidentState;

const STREAMS: [&str; 8] = ["a@x", "b@x", "c@x", "d@y", "e@y", "f@z", "g@z", "h@z"];
const DETECTORS: [&str; 5] = ["input_down", "black", "silence", "decode_error", "log_errors"];

/// What happens to one condition.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Raise,
    Quiet,
    Explain,
    End,
}

/// Seconds until a step, and what happens in it to which stream and detector.
type Step = (u64, Vec<(usize, usize, Fate)>);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let fate =
        prop_oneof![5 => Just(Fate::Raise), 1 => Just(Fate::Quiet), 2 => Just(Fate::Explain), 4 => Just(Fate::End)];
    let change = (0..STREAMS.len(), 0..DETECTORS.len(), fate);
    prop::collection::vec((0_u64..25, prop::collection::vec(change, 1..8)), 1..30)
}

/// Plays the alarm model: which events are open, and what a step says of each.
#[derive(Default)]
struct World {
    open: BTreeMap<String, Event>,
    raised: u64,
}

impl World {
    fn step(&mut self, millis: u64, changes: &[(usize, usize, Fate)]) -> Vec<Event> {
        let mut told = Vec::new();
        for &(stream, detector, fate) in changes {
            let fresh = event(STREAMS[stream], DETECTORS[detector], millis);
            let name = fresh.id.clone();
            if let Fate::End = fate {
                told.extend(self.open.remove(&name).map(|event| ended(&event, millis)));
                continue;
            }
            let parent =
                self.open.get(&format!("{}/{}", STREAMS[stream], DETECTORS[0])).map(|parent| parent.id.clone());
            let open = self.open.entry(name).or_insert_with(|| {
                self.raised += 1;
                Event { id: format!("{:06}", self.raised), ..fresh }
            });
            (open.state, open.parent_id) = match fate {
                Fate::Quiet => (EventState::Suppressed, None),
                Fate::Explain if detector > 0 && parent.is_some() => (EventState::Suppressed, parent),
                _ => (EventState::Raised, None),
            };
            open.changed_at = wall(millis);
            told.push(open.clone());
        }
        told
    }
}

/// What chance has no part in.
type Shape = (IncidentKind, Vec<String>, Vec<Arc<str>>, IncidentState, u64);

/// The records without what chance gave them, by the events and streams in them.
fn shape(desk: &Desk) -> Vec<Shape> {
    let mut shape: Vec<_> = desk
        .records
        .values()
        .map(|one| (one.kind, one.events.clone(), one.streams.clone(), one.state, one.events_total))
        .collect();
    shape.sort();
    shape
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn counts_agree_with_events_and_incidents_end_exactly_with_their_last(steps in steps()) {
        let (mut desk, mut world, mut millis) = (Desk::new(table(&STREAMS)), World::default(), 0);
        for (seconds, changes) in &steps {
            millis += seconds * 1_000 + 1;
            let told = world.step(millis, changes);
            for event in desk.step(millis, told) {
                // Written into the event and known of it is the same.
                if world.open.values().any(|open| open.id == event.id) {
                    prop_assert_eq!(&event.incident_id, &desk.members.get(&event.id).cloned());
                }
            }
            // The rate lets every record through.
            desk.step(millis + 1_500, Vec::new());
            millis += 1_500;
            let ids: BTreeSet<&str> = world.open.values().map(|event| &*event.id).collect();
            let mut of_stream: BTreeMap<&str, BTreeSet<&String>> = BTreeMap::new();
            for event in world.open.values() {
                of_stream.entry(&event.stream).or_default().extend(desk.members.get(&event.id));
            }
            prop_assert!(of_stream.values().all(|incidents| incidents.len() <= 1), "a stream in two incidents");
            for incident in desk.records.values() {
                let members = desk.members.values().filter(|of| **of == incident.id).count() as u64;
                prop_assert_eq!(incident.events_open, members);
                prop_assert_eq!(incident.is_open(), members > 0);
                prop_assert_eq!(incident.events.len() as u64, incident.events_total);
                let listed_open = incident.events.iter().filter(|id| ids.contains(&***id)).count() as u64;
                // An outage is over before the last of its events is.
                prop_assert!(listed_open == members || (incident.kind.is_outage() && !incident.is_open()));
                prop_assert!(incident.kind == IncidentKind::Stream || incident.merged_into.is_some() || incident.streams.len() >= 2);
            }
        }
    }

    #[test]
    fn the_order_of_events_within_a_step_makes_no_difference(steps in steps(), rotate in 1_usize..8) {
        let mut desks = [Desk::new(table(&STREAMS)), Desk::new(table(&STREAMS))];
        let (mut world, mut millis) = (World::default(), 0);
        for (seconds, changes) in &steps {
            millis += seconds * 1_000 + 1_001;
            let told = world.step(millis, changes);
            // Changes of one event stay in their order; events change places.
            let mut turned = told.clone();
            turned.sort_by_key(|event| {
                let number: usize = event.id.parse().unwrap_or_default();
                (number * 5 + rotate) % 8
            });
            desks[0].step(millis, told);
            desks[1].step(millis, turned);
            prop_assert_eq!(shape(&desks[0]), shape(&desks[1]));
        }
    }
}
