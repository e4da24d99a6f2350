//! A detector group: every detector of one lane of one stream, asked together about each item.
//!
//! Applies precedence, feeds the lifecycles and turns what they say into event changes. Owned by a
//! detector actor, on its arbiter; pure but for reading the clocks that it is handed.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::cpu_accounts::CpuAccounts;
use crate::detector::{DetectorSpec, INPUT_TRACK, LaneKind, Precedence};
use crate::detector_host::{Called, DetectorHost};
use crate::event::{EventChange, EventEnd, StreamCard, Wall};
use crate::group_clock::{ClockBook, GroupClock};
use crate::group_notes::GroupNotes;
use crate::group_parts::{shift, tracks_of};
use crate::item::{EndReason, Gap, GapReason, Item};
use crate::media_time::MediaTime;
use crate::meters::MeterBook;
use crate::precedence::overrule;
use crate::pulse::{InCall, Pulse};
use crate::tier::{Tier, TierDial};
use crate::track::{SessionInfo, TRACKS_MAX, TrackId, TrackInfo, TrackKind};
use crate::verdict_notes::VerdictNotes;

#[path = "detector_group_tiers.rs"]
mod tiers;
#[path = "detector_group_words.rs"]
mod words;

/// What to do with events that are still open when a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtEnd {
    /// Keep them: the next session confirms or clears them. For the service.
    Keep,
    /// Settle them: nothing follows. For checking an input once.
    Settle,
}

/// One track with the detectors that watch it.
struct Seat {
    info: TrackInfo,
    hosts: Vec<DetectorHost>,
    /// The number that its next frame should have, and where the last one ended.
    next: Option<(u64, MediaTime)>,
    /// From the end of the last frame to the end of this one, where frames are left out on purpose.
    stride: MediaTime,
}

/// The group.
pub struct DetectorGroup {
    number: u32,
    kind: LaneKind,
    card: Arc<StreamCard>,
    specs: Vec<Arc<DetectorSpec>>,
    accounts: Arc<CpuAccounts>,
    pulse: Arc<Pulse>,
    at_end: AtEnd,
    barred: BTreeSet<u16>,
    /// Where the stream's coverage is read; absent in one-shot checks.
    meters: Option<Arc<MeterBook>>,
    /// Where suspicions go.
    dial: Option<Arc<TierDial>>,
    /// The tier in force; nothing before a session has told it.
    tier: Option<Tier>,
    seats: Vec<Seat>,
    session: Option<Arc<SessionInfo>>,
    clock: GroupClock,
    book: ClockBook,
    changes: Vec<EventChange>,
    panics: u64,
    notes: GroupNotes,
}

impl DetectorGroup {
    /// A group without tracks: those come with the first [`Item::Started`].
    pub fn new(
        number: u32,
        kind: LaneKind,
        card: Arc<StreamCard>,
        specs: &[Arc<DetectorSpec>],
        accounts: Arc<CpuAccounts>,
        pulse: Arc<Pulse>,
        at_end: AtEnd,
    ) -> Self {
        Self {
            number,
            kind,
            card,
            specs: specs.iter().filter(|spec| spec.lane == kind).cloned().collect(),
            accounts,
            pulse,
            at_end,
            barred: BTreeSet::new(),
            meters: None,
            dial: None,
            tier: None,
            seats: Vec::new(),
            session: None,
            clock: GroupClock::default(),
            book: ClockBook::default(),
            changes: Vec::new(),
            panics: 0,
            notes: GroupNotes::default(),
        }
    }

    /// Goes on where that clock stands, and keeps the book: the group takes the place of another one.
    pub fn go_on(&mut self, book: ClockBook) {
        self.clock = book.read();
        self.book = book;
    }

    /// Notes what detectors say over time.
    #[must_use]
    pub fn with_notes(self, notes: Arc<VerdictNotes>) -> Self {
        Self { notes: GroupNotes::to(notes), ..self }
    }

    /// Reads coverage there.
    pub fn watch_meters(&mut self, meters: Arc<MeterBook>) {
        self.meters = Some(meters);
    }

    /// Tells that dial what is suspicious.
    pub fn suspect_to(&mut self, dial: Arc<TierDial>) {
        self.dial = Some(dial);
    }

    /// Which lane it drinks from.
    pub fn kind(&self) -> LaneKind {
        self.kind
    }

    /// Never builds these detectors: they did not return once.
    pub fn set_barred(&mut self, detectors: Vec<u16>) {
        self.barred = detectors.into_iter().collect();
    }

    /// Asks the detectors about an item; changes are fetched by [`DetectorGroup::drain_changes`].
    pub fn handle(&mut self, item: &Item, now: Wall) {
        match item {
            // A fresh actor may hear of the same start from its lane and from its supervisor.
            Item::Started(info) if self.knows(info) => return,
            Item::Started(info) => self.start(info, now),
            Item::Video(frame) => {
                self.note_gap(frame.stamp.track, frame.stamp.seq, frame.stamp.media_time, frame.stamp.end(), now)
            }
            Item::Audio(frame) => {
                self.note_gap(frame.stamp.track, frame.stamp.seq, frame.stamp.media_time, frame.stamp.end(), now)
            }
            Item::Packets(_) | Item::Clock(_) | Item::Gap(_) | Item::Ended(_) => {}
        }
        self.inspect(item, now);
        if let Item::Gap(gap) = item {
            self.freeze_clocks(gap);
        }
        if let Item::Ended(reason) = item {
            self.finish(reason, now);
        }
        self.book.write(self.clock);
    }

    /// The changes since the last call.
    pub fn drain_changes(&mut self) -> std::vec::Drain<'_, EventChange> {
        self.changes.drain(..)
    }

    /// Ends every open event for a reason of the configuration or of a person.
    pub fn end_all(&mut self, why: EventEnd, now: Wall) {
        let at = self.clock.now();
        for seat in 0..self.seats.len() {
            for host in 0..self.seats[seat].hosts.len() {
                let change = self.seats[seat].hosts[host].lifecycle.end(at, why);
                self.emit(seat, host, change, at, now);
            }
        }
        self.note_all(now);
    }

    /// Takes over new settings: instances whose settings are the same go on, the others are replaced
    /// and their open events end.
    pub fn retune(&mut self, card: Arc<StreamCard>, specs: &[Arc<DetectorSpec>], now: Wall) {
        let specs: Vec<_> = specs.iter().filter(|spec| spec.lane == self.kind).cloned().collect();
        let at = self.clock.now();
        for seat in 0..self.seats.len() {
            for host in (0..self.seats[seat].hosts.len()).rev() {
                let old = &self.seats[seat].hosts[host].spec;
                if specs.iter().any(|new| new.number == old.number && new.tuning == old.tuning) {
                    continue;
                }
                let change = self.seats[seat].hosts[host].lifecycle.end(at, EventEnd::ConfigChanged);
                self.emit(seat, host, change, at, now);
                self.seats[seat].hosts.remove(host);
            }
            self.seat_missing(seat, &specs, now);
        }
        self.take_card(card);
        self.specs = specs;
    }

    /// Builds the detectors that a seat lacks, and tells them of the session.
    fn seat_missing(&mut self, seat: usize, specs: &[Arc<DetectorSpec>], now: Wall) {
        let Seat { info, hosts, .. } = &mut self.seats[seat];
        let mut broken = Vec::new();
        for spec in specs {
            let is_seated = hosts.iter().any(|host| host.spec.number == spec.number);
            let is_idle = self.tier.is_some_and(|tier| tier > spec.cheapest);
            if is_seated || is_idle || !(spec.applies)(info) || self.barred.contains(&spec.number) {
                continue;
            }
            // Building and telling are calls too: they may hang as any other.
            self.pulse.enter(InCall { group: self.number, detector: spec.number });
            // A file that is checked has no pace that a detector could fall behind.
            let share = (self.at_end == AtEnd::Keep).then(|| self.accounts.share());
            let mut host = DetectorHost::new(spec.clone(), info, &self.accounts).within(share);
            if let Some(session) = &self.session {
                // What it finds about a start that is long past is no news; a panic shows again soon.
                drop(host.call(&Item::Started(session.clone()), info, None, self.accounts.now(), &self.accounts));
                host.findings.clear();
            }
            if !host.is_enabled() {
                broken.push(spec.name);
            }
            hosts.push(host);
        }
        self.pulse.leave();
        hosts.sort_by_key(|host| host.spec.number);
        let track = info.track;
        for name in broken {
            let text = format!("{name} disabled on {track}: it could not be built");
            tracing::error!(stream = &*self.card.stream, detector = name, %track, fault = "panic", "{text}");
            self.report_disabled(track, &text, now);
        }
    }

    /// Books the CPU time of all detectors.
    pub fn book(&mut self) {
        for host in self.seats.iter_mut().flat_map(|seat| &mut seat.hosts) {
            host.book();
        }
    }

    /// Panics of its detectors so far.
    pub fn panics(&self) -> u64 {
        self.panics
    }

    /// The newest media time that it has seen in the session.
    pub fn reached(&self) -> MediaTime {
        self.clock.reached()
    }

    fn knows(&self, info: &SessionInfo) -> bool {
        let same = |known: &Arc<SessionInfo>| known.session == info.session && known.revision >= info.revision;
        self.session.as_ref().is_some_and(same)
    }

    fn start(&mut self, info: &Arc<SessionInfo>, now: Wall) {
        if self.clock.enter(info) {
            for seat in &mut self.seats {
                seat.next = None;
                for host in &mut seat.hosts {
                    host.stand_still(info.at + self.clock.offset());
                }
            }
        }
        self.session = Some(info.clone());
        self.enter_tier(info.tier, now);
        let wanted: Vec<TrackInfo> = match self.kind {
            LaneKind::Picture => tracks_of(info, TrackKind::Video),
            LaneKind::Sound => tracks_of(info, TrackKind::Audio),
            LaneKind::Input => vec![TrackInfo::bare(INPUT_TRACK)],
        };
        self.leave_vanished(&wanted, now);
        let at = info.at + self.clock.offset();
        for track in wanted {
            self.seat(track, at, now);
        }
    }

    /// Ends what was open on tracks that are gone; that they are gone is told by the detectors of
    /// absence, which stay.
    fn leave_vanished(&mut self, wanted: &[TrackInfo], now: Wall) {
        let at = self.clock.now();
        for seat in 0..self.seats.len() {
            let track = self.seats[seat].info.track;
            if wanted.iter().any(|info| info.track == track) {
                continue;
            }
            for host in 0..self.seats[seat].hosts.len() {
                if self.seats[seat].hosts[host].spec.precedence != Precedence::Lost {
                    let change = self.seats[seat].hosts[host].lifecycle.end(at, EventEnd::Suspended);
                    self.emit(seat, host, change, at, now);
                }
            }
        }
    }

    /// Seats a track, or takes over what is new about it: a track that became stereo is watched by
    /// what only applies to stereo from then on.
    fn seat(&mut self, track: TrackInfo, at: MediaTime, now: Wall) {
        let known = self.seats.iter().position(|seat| seat.info.track == track.track);
        let seat = match known {
            Some(seat) => {
                let Seat { info, hosts, .. } = &mut self.seats[seat];
                if track.is_other_format_than(info) {
                    hosts.iter_mut().for_each(|host| host.lifecycle.format_changed(at));
                }
                *info = track;
                seat
            }
            None if self.seats.len() >= usize::from(TRACKS_MAX) => {
                tracing::warn!(stream = &*self.card.stream, track = %track.track, "too many tracks, this one is not inspected");
                return;
            }
            None => {
                self.seats.push(Seat { info: track, hosts: Vec::new(), next: None, stride: MediaTime::ZERO });
                self.seats.len() - 1
            }
        };
        let specs = std::mem::take(&mut self.specs);
        self.seat_missing(seat, &specs, now);
        self.specs = specs;
    }

    /// Tells the detectors when frames between the last and this one never came: a lane was full.
    fn note_gap(&mut self, track: TrackId, seq: u64, begin: MediaTime, end: MediaTime, now: Wall) {
        let Some(seat) = self.seats.iter_mut().find(|seat| seat.info.track == track) else { return };
        let expected = seat.next.replace((seq + 1, end));
        seat.stride = tiers::stride(self.tier, expected, seq, end);
        if let Some((next, last_end)) = expected
            && seq > next
        {
            let gap = Gap { track, from: last_end, to: begin, why: GapReason::Displaced };
            self.inspect(&Item::Gap(gap), now);
            self.freeze_clocks(&gap);
        }
    }

    fn freeze_clocks(&mut self, gap: &Gap) {
        let until = gap.to + self.clock.offset();
        for seat in self.seats.iter_mut().filter(|seat| gap.track == INPUT_TRACK || seat.info.track == gap.track) {
            for host in &mut seat.hosts {
                host.stand_still(until);
            }
        }
    }

    fn inspect(&mut self, item: &Item, now: Wall) {
        let track = item.track();
        for seat in 0..self.seats.len() {
            if track == INPUT_TRACK || self.seats[seat].info.track == track {
                self.ask(seat, item, now);
                overrule(&mut self.seats[seat].hosts);
                self.judge(seat, item, now);
            }
        }
        self.pulse.leave();
    }

    fn ask(&mut self, seat: usize, item: &Item, now: Wall) {
        let mut from = self.accounts.now();
        let mut troubles = Vec::new();
        let Seat { info, hosts, .. } = &mut self.seats[seat];
        for (index, host) in hosts.iter_mut().enumerate().filter(|(_, host)| host.is_enabled()) {
            if !host.admits(item, from) {
                continue;
            }
            if let Some(until) = host.missed_until() {
                host.stand_still(until + self.clock.offset());
            }
            self.pulse.enter(InCall { group: self.number, detector: host.spec.number });
            let (called, until) = host.call(item, info, self.session.as_ref(), from, &self.accounts);
            from = until;
            if !matches!(called, Called::Answered) {
                troubles.push((index, called));
            }
        }
        for (host, called) in troubles {
            self.report(seat, host, called, now);
        }
    }

    /// Says what went wrong with a call.
    fn report(&mut self, seat: usize, host: usize, called: Called, now: Wall) {
        let (stream, track) = (&*self.card.stream, self.seats[seat].info.track);
        let detector = self.seats[seat].hosts[host].spec.name;
        match called {
            Called::Answered => {}
            Called::Throttled => {
                let share = self.accounts.share();
                tracing::warn!(stream, detector, %track, fault = "throttled", share, "a detector takes more of a core than it may: it is throttled");
            }
            Called::Panicked(message) => {
                self.panics += 1;
                tracing::error!(stream, detector, %track, fault = "panic", "a detector panicked: {message}");
            }
            Called::Disabled(message) => {
                self.panics += 1;
                tracing::error!(stream, detector, %track, fault = "panic", "a detector panicked and is disabled: {message}");
                let text = format!("{detector} disabled on {track} after repeated internal failures: {message}");
                self.suspend(seat, host, &text, now);
            }
            Called::GivenUp(message) => {
                tracing::error!(stream, detector, %track, fault = "hungry", "a detector is disabled: {message}");
                let text = format!("{detector} disabled on {track}: {message}");
                self.suspend(seat, host, &text, now);
            }
        }
    }

    /// Ends what a disabled detector has open: what is no longer looked at is not open for ever.
    fn suspend(&mut self, seat: usize, host: usize, text: &str, now: Wall) {
        let at = self.clock.now();
        let change = self.seats[seat].hosts[host].lifecycle.end(at, EventEnd::Unwatched);
        self.emit(seat, host, change, at, now);
        self.report_disabled(self.seats[seat].info.track, text, now);
    }

    fn judge(&mut self, seat: usize, item: &Item, now: Wall) {
        let Some((at, lasts)) = item.span() else {
            // Gaps and ends last no time, but something may be found about them.
            self.emit_findings(seat, now);
            return;
        };
        // A frame that stands for others left out on purpose is credited with their time.
        let lasts = if item.is_frame() { lasts.max(self.seats[seat].stride) } else { lasts };
        self.clock.reach(at);
        let offset = self.clock.offset();
        let at = at + offset;
        for host in 0..self.seats[seat].hosts.len() {
            let Seat { info, hosts, .. } = &mut self.seats[seat];
            let seated = &mut hosts[host];
            let verdict = shift(seated.verdict, offset);
            tiers::heed(self.dial.as_deref(), seated, &verdict);
            let change = seated.lifecycle.judge(at, lasts, &verdict);
            self.notes.judge(&self.card.stream, info, seated, (at, lasts), &verdict, now);
            self.emit(seat, host, change, at, now);
        }
        self.emit_findings(seat, now);
    }

    /// Passes on what all tallies have, as at the end.
    pub fn note_all(&mut self, now: Wall) {
        for Seat { info, hosts, .. } in &mut self.seats {
            hosts.iter_mut().for_each(|host| self.notes.flush(&self.card.stream, info, host, now));
        }
    }

    fn finish(&mut self, reason: &EndReason, now: Wall) {
        if self.at_end == AtEnd::Keep {
            tracing::debug!(stream = &*self.card.stream, ?reason, "session over, events kept");
            return;
        }
        let at = self.clock.now();
        for seat in 0..self.seats.len() {
            for host in 0..self.seats[seat].hosts.len() {
                let change = self.seats[seat].hosts[host].lifecycle.finish(at);
                self.emit(seat, host, change, at, now);
            }
        }
    }
}

#[cfg(test)]
#[path = "detector_budget_tests.rs"]
mod budget_tests;
