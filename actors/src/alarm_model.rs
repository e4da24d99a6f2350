//! The alarm model: what becomes of a change before anyone hears of it.
//!
//! Pure: changes and clocks in, complete events out. It knows every open event, gives ids and
//! sequence numbers, fences off sessions that were replaced, and confirms or ends the events that
//! were open before a restart. Owned by the event desk.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::detector::LaneKind;
use crate::event::{ChangeKind, Event, EventChange, EventEnd, EventKey, EventState, SCHEMA, Wall};
use crate::severity::Severity;
use crate::track::{SessionNumber, TrackKind};

/// How long after its hold time an event from before a restart may still be confirmed.
pub const CONFIRM_GRACE: Duration = Duration::from_secs(60);

/// Most events that may be open at once; a change that would raise one more is refused and counted.
pub const OPEN_MAX: usize = 200_000;

/// Whose events of a stream are in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubted {
    /// The stream begins anew under other settings: all of them.
    Stream,
    /// The detectors of one lane were rebuilt: what they spoke for.
    Lane(LaneKind),
}

/// Spoken of by a stream's supervisor, not by its detectors.
const OF_SUPERVISORS: [&str; 2] = ["input_down", "stream_quarantined"];

impl Doubted {
    fn concerns(self, key: &EventKey) -> bool {
        let lane = match key.track.kind {
            TrackKind::Video => LaneKind::Picture,
            TrackKind::Audio => LaneKind::Sound,
            TrackKind::Subtitle | TrackKind::Data | TrackKind::Input => LaneKind::Input,
        };
        match self {
            Self::Stream => true,
            Self::Lane(rebuilt) => rebuilt == lane && !OF_SUPERVISORS.contains(&&*key.detector),
        }
    }
}

struct Open {
    event: Event,
    /// The newest session that spoke of it; 0 when none of this run of the service has.
    spoken: SessionNumber,
    /// Set while it is not known whether the condition of an event from before still holds.
    confirm_until: Option<Instant>,
    /// It was open before the service started: its begin lies on another timeline of media time.
    is_recovered: bool,
}

/// The model.
pub struct AlarmModel {
    node: Arc<str>,
    sequence: u64,
    open: HashMap<EventKey, Open>,
    refused: u64,
}

impl AlarmModel {
    /// A model that continues after `sequence`.
    pub fn new(node: Arc<str>, sequence: u64) -> Self {
        Self { node, sequence, open: HashMap::new(), refused: 0 }
    }

    /// Takes over an event that was open before a restart; it must be confirmed within that time
    /// after its hold time or it ends as unconfirmed.
    pub fn recover(&mut self, event: Event, hold: Duration, now: Instant) {
        let confirm_until = Some(now + hold + CONFIRM_GRACE);
        let spoken = SessionNumber(0);
        self.open.insert(event.key(), Open { event, spoken, confirm_until, is_recovered: true });
    }

    /// Takes a change and returns the events to commit and publish, in order.
    pub fn step(&mut self, change: EventChange) -> Vec<Event> {
        if self.is_from_replaced_session(&change) {
            return Vec::new();
        }
        match change.what {
            ChangeKind::Raised | ChangeKind::Escalated => self.raise(change),
            ChangeKind::Ended(why) => self.end_by(&change, why),
            ChangeKind::Found => self.find(&change),
            ChangeKind::Ongoing => Vec::new(),
        }
    }

    /// Ends what was not confirmed in time.
    pub fn tick(&mut self, now: Instant, wall: Wall) -> Vec<Event> {
        let late = |open: &Open| open.confirm_until.is_some_and(|until| until <= now);
        self.end_where(|_, open| late(open), EventEnd::Unconfirmed, wall)
    }

    /// Ends every open event of a stream.
    pub fn forget_stream(&mut self, stream: &str, why: EventEnd, wall: Wall) -> Vec<Event> {
        self.end_where(|key, _| &*key.stream == stream, why, wall)
    }

    /// Demands confirmation of the open events of a stream that whoever was rebuilt spoke for: the
    /// successors know nothing of what was open. All others go on as they are.
    pub fn doubt_stream(&mut self, stream: &str, whose: Doubted, hold: impl Fn(&Event) -> Duration, now: Instant) {
        for (key, open) in &mut self.open {
            if &*key.stream == stream && whose.concerns(key) {
                open.spoken = SessionNumber(0);
                open.confirm_until = Some(now + hold(&open.event) + CONFIRM_GRACE);
            }
        }
    }

    /// Every open event.
    pub fn open_events(&self) -> impl Iterator<Item = &Event> {
        self.open.values().map(|open| &open.event)
    }

    /// Changes that were refused because too many events were open.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// A session that was replaced has no say in an event that its successor spoke of. Asked per
    /// event: the lanes of a stream are drained apart, and one may still be busy with the end of the
    /// old session while another has reached the new one.
    fn is_from_replaced_session(&mut self, change: &EventChange) -> bool {
        // Session 0 is the stream's or the monitor's own word, which belongs to no session.
        if change.session == SessionNumber(0) {
            return false;
        }
        let Some(open) = self.open.get_mut(&change.key) else { return false };
        open.spoken = open.spoken.max(change.session);
        change.session < open.spoken
    }

    fn raise(&mut self, change: EventChange) -> Vec<Event> {
        let Some(open) = self.open.get_mut(&change.key) else {
            if self.open.len() >= OPEN_MAX {
                self.refused += 1;
                return Vec::new();
            }
            let mut event = fresh(&self.node, &change);
            self.sequence += 1;
            number(&mut event, self.sequence);
            let spoken = change.session;
            let open = Open { event: event.clone(), spoken, confirm_until: None, is_recovered: false };
            self.open.insert(change.key, open);
            return vec![event];
        };
        open.confirm_until = None;
        let event = &mut open.event;
        event.session = change.session;
        event.message.clone_from(&change.message);
        event.value = change.value.map(f64::from);
        event.peak = change.peak.map(f64::from).or(event.peak);
        if change.severity <= event.severity {
            // Known already: a restart, a rebuilt detector, or a new session found it again.
            return Vec::new();
        }
        event.severity = change.severity;
        event.max_severity = event.max_severity.max(change.severity);
        event.state = EventState::Escalated;
        event.changed_at = change.changed_at;
        self.sequence += 1;
        number(event, self.sequence);
        vec![event.clone()]
    }

    fn end_by(&mut self, change: &EventChange, why: EventEnd) -> Vec<Event> {
        let Some(mut open) = self.open.remove(&change.key) else { return Vec::new() };
        let event = &mut open.event;
        event.message.clone_from(&change.message);
        event.value = change.value.map(f64::from);
        event.peak = change.peak.map(f64::from).or(event.peak);
        event.end_s = change.end.filter(|_| !open.is_recovered).map(|end| end.as_report_secs());
        self.sequence += 1;
        close(event, why, change.ended_at.unwrap_or(change.changed_at), change.changed_at);
        number(event, self.sequence);
        vec![open.event]
    }

    fn find(&mut self, change: &EventChange) -> Vec<Event> {
        let mut raised = fresh(&self.node, change);
        self.sequence += 1;
        number(&mut raised, self.sequence);
        let mut ended = raised.clone();
        ended.end_s = Some(ended.start_s);
        self.sequence += 1;
        close(&mut ended, EventEnd::Cleared, change.started_at, change.changed_at);
        number(&mut ended, self.sequence);
        vec![raised, ended]
    }

    fn end_where(&mut self, doomed: impl Fn(&EventKey, &Open) -> bool, why: EventEnd, wall: Wall) -> Vec<Event> {
        let mut keys: Vec<EventKey> =
            self.open.iter().filter(|(key, open)| doomed(key, open)).map(|(key, _)| key.clone()).collect();
        keys.sort();
        let mut ended = Vec::with_capacity(keys.len());
        for key in keys {
            let Some(mut open) = self.open.remove(&key) else { continue };
            self.sequence += 1;
            close(&mut open.event, why, wall, wall);
            number(&mut open.event, self.sequence);
            ended.push(open.event);
        }
        ended
    }
}

fn number(event: &mut Event, sequence: u64) {
    event.sequence = sequence;
    event.change_id = Uuid::now_v7().to_string();
}

fn close(event: &mut Event, why: EventEnd, ended_at: Wall, changed_at: Wall) {
    event.state = EventState::Ended;
    event.end_reason = Some(why);
    event.ended_at = Some(ended_at);
    event.changed_at = changed_at;
}

fn fresh(node: &Arc<str>, change: &EventChange) -> Event {
    let card = &change.card;
    Event {
        schema: SCHEMA.to_owned(),
        id: Uuid::now_v7().to_string(),
        change_id: String::new(),
        sequence: 0,
        fingerprint: change.key.fingerprint(change.program),
        stream: change.key.stream.clone(),
        program: change.program,
        rendition: None,
        track: change.key.track,
        detector: change.key.detector.clone(),
        severity: change.severity,
        max_severity: change.severity,
        state: EventState::Raised,
        end_reason: None,
        started_at: change.started_at,
        raised_at: change.changed_at,
        changed_at: change.changed_at,
        ended_at: None,
        start_s: change.start.as_report_secs(),
        end_s: None,
        value: change.value.map(f64::from),
        threshold: change.threshold.map(f64::from),
        peak: change.peak.map(f64::from),
        unit: change.unit.to_owned(),
        message: change.message.clone(),
        profile: card.profile.clone(),
        tier: card.tier.clone(),
        labels: card.labels.clone(),
        session: change.session,
        node: node.clone(),
        runbook_url: card.runbook_url.clone(),
        evidence: None,
        stored: None,
    }
}

/// Name of the pseudo-stream under which the monitor speaks of itself; no configured name has an `@`.
pub const MONITOR_STREAM: &str = "@monitor";

/// A change of one of the monitor's own conditions.
pub fn monitor_change(
    detector: &'static str,
    what: ChangeKind,
    severity: Severity,
    message: String,
    now: Wall,
) -> EventChange {
    use crate::event::StreamCard;
    use crate::media_time::MediaTime;
    use crate::track::TrackId;
    let card = StreamCard { stream: MONITOR_STREAM.into(), ..StreamCard::default() };
    EventChange {
        key: EventKey { stream: card.stream.clone(), track: TrackId::INPUT, detector: detector.into() },
        card: Arc::new(card),
        program: None,
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::track::TrackId;
    use std::time::SystemTime;

    fn model() -> AlarmModel {
        AlarmModel::new("node".into(), 41)
    }

    fn change(what: ChangeKind, severity: Severity, session: u64) -> EventChange {
        let mut change = monitor_change("black", what, severity, "picture black".to_owned(), Wall(SystemTime::now()));
        change.session = SessionNumber(session);
        change
    }

    #[test]
    fn one_id_from_raise_to_end_and_a_sequence_without_gaps() {
        let mut model = model();
        let raised = model.step(change(ChangeKind::Raised, Severity::Info, 1));
        let escalated = model.step(change(ChangeKind::Escalated, Severity::Major, 1));
        let ended = model.step(change(ChangeKind::Ended(EventEnd::Cleared), Severity::Major, 1));
        let all = [&raised[0], &escalated[0], &ended[0]];
        assert!(all.iter().all(|event| event.id == raised[0].id));
        assert_eq!(all.map(|event| event.sequence), [42, 43, 44]);
        assert_eq!(ended[0].max_severity, Severity::Major);
        assert_eq!(model.open_events().count(), 0);
    }

    #[test]
    fn a_replaced_session_says_nothing_more() {
        let mut model = model();
        assert_eq!(model.step(change(ChangeKind::Raised, Severity::Info, 2)).len(), 1);
        assert!(model.step(change(ChangeKind::Ended(EventEnd::Cleared), Severity::Info, 1)).is_empty());
        assert_eq!(model.open_events().count(), 1);
    }

    #[test]
    fn after_a_restart_an_event_found_again_keeps_its_id_and_pages_nobody() {
        let mut model = model();
        let before = model.step(change(ChangeKind::Raised, Severity::Warning, 1)).remove(0);
        let mut after = AlarmModel::new("node".into(), 42);
        let now = Instant::now();
        after.recover(before.clone(), Duration::from_secs(2), now);
        assert!(after.step(change(ChangeKind::Raised, Severity::Warning, 1)).is_empty());
        assert!(after.tick(now + Duration::from_secs(3_600), Wall(SystemTime::now())).is_empty(), "it was confirmed");
        let ended = after.step(change(ChangeKind::Ended(EventEnd::Cleared), Severity::Warning, 1));
        assert_eq!(ended[0].id, before.id);
    }

    #[test]
    fn after_a_restart_an_event_not_found_again_ends_as_unconfirmed() {
        let mut model = model();
        let before = model.step(change(ChangeKind::Raised, Severity::Warning, 1)).remove(0);
        let mut after = AlarmModel::new("node".into(), 42);
        let now = Instant::now();
        after.recover(before, Duration::from_secs(2), now);
        let wall = Wall(SystemTime::now());
        assert!(after.tick(now + Duration::from_secs(61), wall).is_empty());
        let ended = after.tick(now + Duration::from_secs(62), wall);
        assert_eq!(ended[0].end_reason, Some(EventEnd::Unconfirmed));
    }

    /// A change of that detector on that track.
    fn change_of(detector: &str, track: TrackId, what: ChangeKind) -> EventChange {
        let mut change = change(what, Severity::Warning, 1);
        change.key = EventKey { stream: "lobby".into(), track, detector: detector.into() };
        change
    }

    #[test]
    fn the_end_of_an_event_counts_though_another_lane_has_reached_the_next_session() {
        let mut model = model();
        let video = |what, session| {
            let mut change = change_of("black", TrackId::video(0), what);
            change.session = SessionNumber(session);
            change
        };
        assert_eq!(model.step(video(ChangeKind::Raised, 1)).len(), 1);
        let mut sound = change_of("silence", TrackId::audio(0), ChangeKind::Raised);
        sound.session = SessionNumber(2);
        assert_eq!(model.step(sound).len(), 1);
        assert_eq!(model.step(video(ChangeKind::Ended(EventEnd::Cleared), 1)).len(), 1);
    }

    #[test]
    fn after_a_restart_low_session_numbers_are_not_taken_for_old_ones() {
        let mut old = model();
        let before = old.step(change(ChangeKind::Raised, Severity::Warning, 57)).remove(0);
        let mut after = model();
        after.recover(before, Duration::ZERO, Instant::now());
        assert!(after.step(change(ChangeKind::Raised, Severity::Warning, 1)).is_empty());
        assert_eq!(after.step(change(ChangeKind::Ended(EventEnd::Cleared), Severity::Warning, 1)).len(), 1);
    }

    #[test]
    fn rebuilt_sound_detectors_put_neither_pictures_nor_the_input_in_doubt() {
        let mut model = model();
        for (detector, track) in [
            ("black", TrackId::video(0)),
            ("silence", TrackId::audio(0)),
            ("input_down", TrackId::INPUT),
            ("timestamp", TrackId::INPUT),
        ] {
            assert_eq!(model.step(change_of(detector, track, ChangeKind::Raised)).len(), 1);
        }
        let (now, wall) = (Instant::now(), Wall(SystemTime::now()));
        let later = now + CONFIRM_GRACE;
        let ended = |events: Vec<Event>| events.iter().map(|event| event.detector.to_string()).collect::<Vec<_>>();
        model.doubt_stream("lobby", Doubted::Lane(LaneKind::Sound), |_| Duration::ZERO, now);
        assert_eq!(ended(model.tick(later, wall)), ["silence"]);
        model.doubt_stream("lobby", Doubted::Lane(LaneKind::Input), |_| Duration::ZERO, now);
        assert_eq!(ended(model.tick(later, wall)), ["timestamp"]);
        model.doubt_stream("lobby", Doubted::Stream, |_| Duration::ZERO, now);
        assert_eq!(ended(model.tick(later, wall)), ["black", "input_down"]);
    }

    #[test]
    fn a_point_event_is_raised_and_ended_under_one_id() {
        let events = model().step(change(ChangeKind::Found, Severity::Info, 1));
        assert_eq!(events.iter().map(|event| event.state).collect::<Vec<_>>(), [EventState::Raised, EventState::Ended]);
        assert_eq!(events[0].id, events[1].id);
        assert_ne!(events[0].change_id, events[1].change_id);
    }
}
