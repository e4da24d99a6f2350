//! The router: which receivers are told of a committed change.
//!
//! Pure. The store asks it within the transaction of the change, so that what is to be told is on disk
//! together with what happened. Of each event a receiver is told the raise, each rise of severity and the
//! end, but the end only when it was told of the event before: what was silenced from raise to end
//! is told to nobody, and what was told before a silence is brought to its end. What still holds when a snooze, a silence
//! or a maintenance ends is told again.

use std::sync::Arc;

use avwatch_actors::event::{Event, EventState};
use avwatch_actors::incident::Incident;
use avwatch_actors::record::Record;
use avwatch_actors::silence::fits;

use super::board::ReceiverBoard;
use super::inbox::Doorbell;
use super::{Audience, ChannelPlan, ReceiverPlan};

/// Begin of the pseudo-streams under which the monitor speaks of receivers.
const RECEIVER_STREAM: &str = "@receiver:";

/// The pseudo-stream of a receiver's own troubles.
pub fn stream_of(receiver: &str) -> String {
    format!("{RECEIVER_STREAM}{receiver}")
}

/// All receivers, in the order of their names.
#[derive(Debug, Default)]
pub struct Router {
    /// One for each receiver.
    pub routes: Vec<Route>,
}

/// The way to one receiver.
#[derive(Clone, Debug)]
pub struct Route {
    /// Its name.
    pub name: Arc<str>,
    /// Of what it is told.
    pub audience: Audience,
    /// Where losses are counted.
    pub board: Arc<ReceiverBoard>,
    /// How its thread is woken, once there is one.
    pub bell: Option<Doorbell>,
    /// Whether it hears when what it was told of is held back: alerts fire there for as long as nobody resolves them.
    pub withdraws: bool,
}

/// What a change means for a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routing {
    /// Nothing.
    Nothing,
    /// It is told, and remembers that it was.
    Tell,
    /// It hears of it when there is something else to tell.
    Ride,
    /// The event is held back by now: it is told so, and forgets. What still holds afterwards is told anew.
    Withdraw,
    /// The event is over: it is told, and forgets.
    TellEnd,
    /// The event is over: it forgets without being told.
    Forget,
}

/// Whether people had put off an event until the change that is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutOff {
    /// No.
    No,
    /// Yes: it was snoozed, silenced, in maintenance or only observed.
    Until,
}

impl PutOff {
    /// What a change of an event ends, given the event as it was before.
    pub fn of(before: &Event, change: &Event) -> Self {
        let is_told =
            matches!(change.state, EventState::Raised | EventState::Escalated) && change.suppressed_by.is_none();
        let was_put_off = match before.state {
            EventState::Acked => before.snoozed_until.is_some_and(|until| until <= change.changed_at),
            // What another event explained was nobody's wish.
            EventState::Suppressed => before.suppressed_by.as_deref().is_some_and(|by| !by.starts_with("event:")),
            EventState::Raised | EventState::Escalated | EventState::Ended => false,
        };
        if is_told && was_put_off { Self::Until } else { Self::No }
    }
}

impl Route {
    /// The way to a planned receiver.
    pub fn new(plan: &ReceiverPlan, board: Arc<ReceiverBoard>, bell: Doorbell) -> Self {
        Self {
            name: plan.name.clone(),
            audience: plan.audience.clone(),
            board,
            bell: Some(bell),
            withdraws: matches!(plan.channel, ChannelPlan::Alertmanager(_)),
        }
    }

    /// Has the receiver's thread look at its outbox.
    pub fn ring(&self) {
        if let Some(bell) = &self.bell {
            bell.ring();
        }
    }

    /// Counts changes that the store did not take and for which there was no room in memory either: no fault of the
    /// receiver. Those that the store takes after all are told from the outbox.
    pub(super) fn lost_unstored(&self, changes: u64) {
        if changes > 0 && self.board.unstored(changes) {
            tracing::error!(
                receiver = &*self.name,
                fault = "store",
                changes,
                "the store does not take changes, and no more of them fit into memory: they are told when it does"
            );
        }
    }

    /// Whether an event concerns it, whatever it was told before.
    pub fn hears_of(&self, event: &Event) -> bool {
        !self.is_of_itself(event) && self.audience.concerns(event)
    }

    /// Whether it depends on what the receiver was told before what a change means for it. False: nothing.
    pub fn is_concerned(&self, record: &Record) -> bool {
        match record {
            Record::Event(event) => !event.is_open() || self.wants(event) || (self.withdraws && is_held_back(event)),
            Record::Incident(incident) => !incident.is_open() || self.wants_incident(incident),
        }
    }

    /// What a change means for it, given the severity of which it was told before, as a number. What people had put off
    /// and comes back is told again as it is.
    pub fn judge(&self, record: &Record, told: Option<u8>, put_off: PutOff) -> Routing {
        let (is_open, severity, is_wanted) = match record {
            Record::Event(event) => (event.is_open(), event.severity as u8, self.wants(event)),
            Record::Incident(incident) => (incident.is_open(), incident.severity as u8, self.wants_incident(incident)),
        };
        match (is_open, told) {
            (false, None) => Routing::Nothing,
            (false, Some(_)) if self.audience.recovery => Routing::TellEnd,
            (false, Some(_)) => Routing::Forget,
            (true, None) if is_wanted => Routing::Tell,
            (true, Some(before)) if is_wanted && (severity > before || put_off == PutOff::Until) => Routing::Tell,
            (true, Some(_)) if self.withdraws && record.event().is_some_and(|event| is_held_back(event)) => {
                Routing::Withdraw
            }
            (true, Some(_)) if record.incident().is_some() => Routing::Ride,
            (true, _) => Routing::Nothing,
        }
    }

    /// Whether it is told of a change only in place of another receiver: not on its own account.
    pub fn takes_over(&self, record: &Record) -> bool {
        match record {
            Record::Event(event) => !self.is_of_itself(event) && !self.audience.concerns(event),
            Record::Incident(incident) => !self.wants_incident(incident),
        }
    }

    /// Nobody is told over a receiver that the same receiver takes nothing.
    fn is_of_itself(&self, event: &Event) -> bool {
        event.stream.strip_prefix(RECEIVER_STREAM) == Some(&*self.name)
    }

    /// Whether an open event is to be told to it, if it was not yet.
    fn wants(&self, event: &Event) -> bool {
        let is_telling = matches!(event.state, EventState::Raised | EventState::Escalated);
        is_telling && event.suppressed_by.is_none() && self.hears_of(event)
    }

    fn wants_incident(&self, incident: &Incident) -> bool {
        let Audience { from, streams, detectors, labels, recovery: _ } = &self.audience;
        let fits_stream = |stream: &Arc<str>| streams.iter().any(|pattern| fits(pattern, stream));
        // All that is given must hold. An incident has no detector: who asks for some hears of events alone.
        incident.severity >= *from
            && detectors.is_empty()
            && (streams.is_empty() || incident.streams.iter().any(fits_stream))
            && labels.iter().all(|(name, value)| incident.common.get(name) == Some(value))
    }
}

/// Whether an open event is silenced, or explained by something else.
pub(super) fn is_held_back(event: &Event) -> bool {
    event.is_open() && (event.state == EventState::Suppressed || event.suppressed_by.is_some())
}

#[cfg(test)]
mod tests {
    use avwatch_actors::incident::{INCIDENT_SCHEMA, IncidentKind, IncidentState};
    use avwatch_actors::severity::Severity;

    use super::*;
    use crate::sinks::samples::{event, wall};

    fn route(change: impl FnOnce(&mut Audience)) -> Route {
        let mut audience = Audience {
            from: Severity::Warning,
            streams: Vec::new(),
            detectors: Vec::new(),
            labels: Default::default(),
            recovery: true,
        };
        change(&mut audience);
        Route { name: "pager".into(), audience, board: Arc::default(), bell: None, withdraws: false }
    }

    fn told(route: &Route, event: &Event, before: Option<Severity>) -> Routing {
        let record = Record::Event(Arc::new(event.clone()));
        if !route.is_concerned(&record) {
            return Routing::Nothing;
        }
        route.judge(&record, before.map(|severity| severity as u8), PutOff::No)
    }

    fn incident(state: IncidentState, severity: Severity) -> Incident {
        Incident {
            schema: INCIDENT_SCHEMA.to_owned(),
            id: "i".to_owned(),
            change_id: "c".to_owned(),
            kind: IncidentKind::Group,
            state,
            severity,
            common: [("site".to_owned(), "north".to_owned())].into(),
            started_at: wall(0),
            changed_at: wall(0),
            ended_at: None,
            message: String::new(),
            causes: Vec::new(),
            evidence: Vec::new(),
            streams: vec!["lobby".into(), "roof".into()],
            events: Vec::new(),
            events_total: 2,
            events_open: 2,
            merged_into: None,
            node: "node".into(),
            stored: None,
        }
    }

    #[test]
    fn a_raise_is_told_once_and_a_rise_of_severity_again() {
        let route = route(|_| {});
        let mut event = event("e", "lobby", "black", 1, EventState::Raised);
        assert_eq!(told(&route, &event, None), Routing::Tell);
        assert_eq!(told(&route, &event, Some(Severity::Warning)), Routing::Nothing, "a remark changes nothing");
        event.state = EventState::Escalated;
        event.severity = Severity::Major;
        assert_eq!(told(&route, &event, Some(Severity::Warning)), Routing::Tell);
        assert_eq!(told(&route, &event, Some(Severity::Major)), Routing::Nothing);
        event.state = EventState::Acked;
        assert_eq!(told(&route, &event, Some(Severity::Warning)), Routing::Nothing);
    }

    #[test]
    fn an_end_is_told_to_those_who_were_told_of_the_event_and_to_nobody_else() {
        let ended = event("e", "lobby", "black", 2, EventState::Ended);
        assert_eq!(told(&route(|_| {}), &ended, None), Routing::Nothing);
        assert_eq!(told(&route(|_| {}), &ended, Some(Severity::Warning)), Routing::TellEnd);
        assert_eq!(told(&route(|it| it.recovery = false), &ended, Some(Severity::Warning)), Routing::Forget);
        let silenced = Event { suppressed_by: Some("silence:1".to_owned()), ..ended };
        assert_eq!(told(&route(|_| {}), &silenced, Some(Severity::Warning)), Routing::TellEnd);
    }

    #[test]
    fn what_is_held_back_is_told_when_it_is_no_longer() {
        let route = route(|_| {});
        let mut event = event("e", "lobby", "black", 1, EventState::Suppressed);
        event.suppressed_by = Some("silence:1".to_owned());
        assert_eq!(told(&route, &event, None), Routing::Nothing);
        (event.state, event.suppressed_by) = (EventState::Raised, None);
        assert_eq!(told(&route, &event, None), Routing::Tell);
    }

    #[test]
    fn who_fires_alerts_hears_when_an_event_is_held_back() {
        let route = Route { withdraws: true, ..route(|_| {}) };
        let mut event = event("e", "lobby", "black", 1, EventState::Suppressed);
        event.suppressed_by = Some("silence:1".to_owned());
        assert_eq!(told(&route, &event, None), Routing::Nothing);
        assert_eq!(told(&route, &event, Some(Severity::Warning)), Routing::Withdraw);
        event.state = EventState::Acked;
        assert_eq!(told(&route, &event, Some(Severity::Warning)), Routing::Withdraw);
    }

    #[test]
    fn an_event_is_told_when_it_rises_above_the_floor() {
        let route = route(|it| it.from = Severity::Major);
        let mut event = event("e", "lobby", "black", 1, EventState::Raised);
        assert_eq!(told(&route, &event, None), Routing::Nothing);
        (event.severity, event.max_severity) = (Severity::Critical, Severity::Critical);
        event.state = EventState::Escalated;
        assert_eq!(told(&route, &event, None), Routing::Tell);
    }

    #[test]
    fn a_receiver_is_not_told_of_its_own_troubles() {
        let of = |receiver: &str| event("e", &stream_of(receiver), "notification_failed", 1, EventState::Raised);
        assert_eq!(told(&route(|_| {}), &of("pager"), None), Routing::Nothing);
        assert_eq!(told(&route(|it| it.streams = vec!["news-*".to_owned()]), &of("mail"), None), Routing::Tell);
    }

    #[test]
    fn an_incident_is_told_at_begin_and_end_and_rides_along_between() {
        let judge = |route: &Route, incident: Incident, before: Option<u8>| {
            let record = Record::Incident(Arc::new(incident));
            if route.is_concerned(&record) { route.judge(&record, before, PutOff::No) } else { Routing::Nothing }
        };
        let open = |severity| incident(IncidentState::Open, severity);
        let major = Some(Severity::Major as u8);
        let everything = route(|_| {});
        assert_eq!(judge(&everything, open(Severity::Major), None), Routing::Tell);
        assert_eq!(judge(&everything, open(Severity::Major), major), Routing::Ride);
        assert_eq!(judge(&everything, open(Severity::Critical), major), Routing::Tell);
        assert_eq!(judge(&everything, incident(IncidentState::Ended, Severity::Major), major), Routing::TellEnd);
        assert_eq!(judge(&everything, open(Severity::Info), None), Routing::Nothing);
        let roofs = route(|it| it.streams = vec!["ro*".to_owned()]);
        assert_eq!(judge(&roofs, open(Severity::Major), None), Routing::Tell);
        let north = route(|it| it.labels = [("site".to_owned(), "north".to_owned())].into());
        assert_eq!(judge(&north, open(Severity::Major), None), Routing::Tell);
        for other in [
            route(|it| it.streams = vec!["x*".to_owned()]),
            route(|it| it.labels = [("site".to_owned(), "south".to_owned())].into()),
            route(|it| it.detectors = vec!["black".to_owned()]),
        ] {
            assert_eq!(judge(&other, open(Severity::Major), None), Routing::Nothing);
        }
    }
}
