//! The packet ring: the last seconds of a stream as it was sent, for evidence.
//!
//! Written by the session's thread, read by the thread that writes evidence; the lock is held for a push, or for
//! copying references. Bounded by time and by bytes: the oldest go first. It holds packets by reference, or for
//! MPEG-TS that arrives through our own byte sources the transport packets themselves, with all their damage.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use avwatch_actors::media_time::MediaTime;
use avwatch_actors::track::SessionNumber;

use super::held_packet::{HeldPacket, HeldTrack};

/// How far the tables of a transport stream may lie before the picture that needs them, in bytes.
const TABLES_WITHIN: u64 = 2 << 20;

/// How far beyond the newest packet something can have been seen: sound and picture do not come at the same time.
const AHEAD_MAX: MediaTime = MediaTime::from_millis(1_000);

/// What takes memory beside the bytes of an entry.
const ENTRY_BYTES: u64 = size_of::<Entry>() as u64;

/// In which form a session is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Packets of elementary streams.
    #[default]
    Packets,
    /// The bytes of a transport stream.
    Transport,
}

/// What is held of a moment.
#[derive(Clone)]
pub enum What {
    /// A packet of the track with that number at the demuxer.
    Packet(usize, Arc<HeldPacket>),
    /// Bytes of a transport stream, and where in it they begin.
    Bytes(u64, Arc<[u8]>),
    /// A packet began at that byte of the transport stream.
    Mark(u64),
}

/// One entry of a ring.
#[derive(Clone)]
pub struct Entry {
    /// Counts the entries of a ring.
    number: u64,
    arrived: Instant,
    /// Where on the session's timeline; bytes have no time.
    media: Option<MediaTime>,
    /// A clip can begin here.
    key: bool,
    /// What it is.
    pub what: What,
}

impl Entry {
    /// Where in a transport stream a packet began.
    fn place(&self) -> Option<u64> {
        match self.what {
            What::Mark(place) => Some(place),
            What::Packet(..) | What::Bytes(..) => None,
        }
    }

    fn weight(&self) -> u64 {
        ENTRY_BYTES
            + match &self.what {
                What::Packet(_, packet) => packet.weight(),
                What::Bytes(_, bytes) => bytes.len() as u64,
                What::Mark(_) => 0,
            }
    }
}

/// The ring of one stream.
pub struct PacketRing {
    lasts: Duration,
    bytes_max: AtomicU64,
    held: Mutex<Held>,
}

impl std::fmt::Debug for PacketRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PacketRing").field("lasts", &self.lasts).finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Held {
    session: SessionNumber,
    form: Form,
    tracks: Vec<Arc<HeldTrack>>,
    entries: VecDeque<Entry>,
    bytes: u64,
    next: u64,
    /// The number of the session's first entry.
    begun: u64,
    /// Bytes that came over all sessions, held or not.
    came: u64,
    /// When it was last asked what it would take, with the bytes that had come by then; and the answer, a second.
    asked: Option<(Instant, u64)>,
    rate: f64,
}

/// A moment of a session's timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The session.
    pub session: SessionNumber,
    /// Where on its timeline.
    pub at: MediaTime,
}

impl PacketRing {
    /// An empty ring for that long and that many bytes.
    pub fn new(lasts: Duration, bytes_max: u64) -> Self {
        Self { lasts, bytes_max: AtomicU64::new(bytes_max), held: Mutex::default() }
    }

    /// Sets how many bytes it may hold from the next push on.
    pub fn set_bytes_max(&self, bytes_max: u64) {
        // Relaxed: a number that stands for itself.
        self.bytes_max.store(bytes_max, Ordering::Relaxed);
    }

    /// How many bytes it holds.
    pub fn bytes(&self) -> u64 {
        self.lock().bytes
    }

    /// How many bytes its whole time would take, by what came since the last such question: also when it may hold
    /// nothing now, or it would never be given more.
    pub fn demand(&self) -> u64 {
        self.demand_at(Instant::now())
    }

    fn demand_at(&self, now: Instant) -> u64 {
        let mut held = self.lock();
        let rate = match held.asked {
            None => 0.0,
            Some((at, came)) => {
                let seconds = now.saturating_duration_since(at).as_secs_f64().max(0.1);
                let rate = (held.came - came) as f64 / seconds;
                // Of a stream that pauses, half is given up with each question.
                rate.max((rate + held.rate) / 2.0)
            }
        };
        (held.rate, held.asked) = (rate, Some((now, held.came)));
        // A quarter more, or a ring that is nearly full would be cut short by the next burst.
        (rate * self.lasts.as_secs_f64() * 1.25) as u64
    }

    /// That place of a session's timeline, if what is held is of that session and has come near it.
    pub fn place(&self, session: SessionNumber, at: MediaTime) -> Option<Moment> {
        let held = self.lock();
        let newest = held.entries.iter().rev().find_map(|entry| entry.media)?;
        (held.session == session && at <= newest + AHEAD_MAX).then_some(Moment { session, at })
    }

    /// Where the stream was when the clock said `raised`, less a while: nothing when it is not known.
    pub fn moment(&self, raised: Instant, before: MediaTime) -> Option<Moment> {
        let held = self.lock();
        let timed = || held.entries.iter().filter(|entry| entry.media.is_some());
        let entry = timed().rev().find(|entry| entry.arrived <= raised).or_else(|| timed().next())?;
        Some(Moment { session: held.session, at: entry.media? - before })
    }

    /// Takes references to what is held from `from` on, or from the key frame before it if that is still held.
    pub fn clip(&self, from: Moment) -> Option<Clip> {
        let held = self.lock();
        if held.session != from.session {
            return None;
        }
        let start = held.start(from.at)?;
        let first = held.entries.get(start)?;
        let begins = first.media.or_else(|| held.entries.iter().skip(start).find_map(|entry| entry.media))?;
        let mut clip = Clip {
            from,
            begins,
            key: first.key,
            reached: begins,
            form: held.form,
            tracks: held.tracks.clone(),
            entries: Vec::new(),
            bytes: 0,
            whole: held.entries.front().is_some_and(|oldest| oldest.number == held.begun),
            next: 0,
            end: None,
            place: first.place().unwrap_or(0),
            torn: false,
        };
        let first = held.with_tables(start, clip.place);
        clip.extend(held.entries.iter().skip(first));
        Some(clip)
    }

    /// Adds what came since to a clip; true while the session that it is of goes on.
    pub fn go_on(&self, clip: &mut Clip) -> bool {
        let held = self.lock();
        if held.session != clip.from.session {
            return false;
        }
        clip.tracks.clone_from(&held.tracks);
        let first = held.entries.partition_point(|entry| entry.number < clip.next);
        clip.extend(held.entries.iter().skip(first));
        true
    }

    /// A session begins: what is held of the one before is let go.
    pub(crate) fn begin(&self, session: SessionNumber, form: Form) {
        let mut held = self.lock();
        let (next, came, asked, rate) = (held.next, held.came, held.asked, held.rate);
        *held = Held { session, form, next, begun: next, came, asked, rate, ..Held::default() };
    }

    /// Tells what the tracks are.
    pub(crate) fn set_tracks(&self, tracks: Vec<Arc<HeldTrack>>) {
        self.lock().tracks = tracks;
    }

    /// Holds something.
    pub(crate) fn push(&self, media: Option<MediaTime>, key: bool, what: What) {
        self.push_at(Instant::now(), media, key, what);
    }

    fn push_at(&self, arrived: Instant, media: Option<MediaTime>, key: bool, what: What) {
        let bytes_max = self.bytes_max.load(Ordering::Relaxed);
        let mut held = self.lock();
        let entry = Entry { number: held.next, arrived, media, key, what };
        held.next += 1;
        held.bytes += entry.weight();
        held.came += entry.weight();
        held.entries.push_back(entry);
        while held.bytes > bytes_max
            || held.entries.front().is_some_and(|oldest| arrived.duration_since(oldest.arrived) > self.lasts)
        {
            let Some(oldest) = held.entries.pop_front() else { break };
            held.bytes -= oldest.weight();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Where a clip that shall show `from` begins: at the last key frame before it, else at the first after it.
    fn start(&self, from: MediaTime) -> Option<usize> {
        let first_byte = self.entries.iter().find_map(|entry| match entry.what {
            What::Bytes(place, _) => Some(place),
            What::Packet(..) | What::Mark(_) => None,
        });
        // The bytes that a mark speaks of may be gone already.
        let is_held = |entry: &Entry| match entry.what {
            What::Mark(place) => first_byte.is_some_and(|first| first <= place),
            What::Packet(..) | What::Bytes(..) => true,
        };
        let keys = || {
            let timed = self.entries.iter().enumerate().filter(|(_, entry)| entry.key && is_held(entry));
            timed.filter_map(|(place, entry)| Some((place, entry.media?)))
        };
        keys().take_while(|(_, at)| *at <= from).last().or_else(|| keys().next()).map(|(place, _)| place)
    }

    /// The entry from which on the tables for byte `place` are held, for a transport stream.
    fn with_tables(&self, start: usize, place: u64) -> usize {
        if self.form == Form::Packets {
            return start;
        }
        let from = place.saturating_sub(TABLES_WITHIN);
        let reaches = |entry: &Entry| match &entry.what {
            What::Bytes(begin, bytes) => begin + bytes.len() as u64 > from,
            What::Packet(..) | What::Mark(_) => false,
        };
        self.entries.iter().position(reaches).unwrap_or(start).min(start)
    }
}

/// A piece of a ring that is held on to.
pub struct Clip {
    /// What it was asked to show first.
    pub from: Moment,
    /// Where it begins.
    pub begins: MediaTime,
    /// It begins with a key frame.
    pub key: bool,
    /// How far it reaches.
    pub reached: MediaTime,
    /// In which form it is held.
    pub form: Form,
    /// What its tracks are.
    pub(super) tracks: Vec<Arc<HeldTrack>>,
    pub(super) entries: Vec<Entry>,
    /// Where in a transport stream its first picture begins.
    pub(super) place: u64,
    /// Where in a transport stream it ends: what began there is not in it, or not whole.
    pub(super) end: Option<u64>,
    /// What it holds on to.
    pub bytes: u64,
    /// Nothing of the session had been let go when it was taken.
    pub whole: bool,
    next: u64,
    /// Something was let go before it could be added.
    pub torn: bool,
}

impl Clip {
    fn extend<'a>(&mut self, entries: impl Iterator<Item = &'a Entry>) {
        for entry in entries {
            self.torn |= self.next > 0 && entry.number > self.next;
            self.next = entry.number + 1;
            self.reached = self.reached.max(entry.media.unwrap_or(self.reached));
            self.bytes += entry.weight();
            self.entries.push(entry.clone());
        }
    }

    /// Lets go of what comes after that time.
    pub fn cut_at(&mut self, until: MediaTime) {
        let is_after = |entry: &Entry| entry.key && entry.media.is_some_and(|at| at > until);
        if let Some(end) = self.entries.iter().position(|entry| is_after(entry) && entry.media > Some(self.begins)) {
            self.end = self.entries[end].place();
            self.entries.truncate(end);
        } else {
            self.end = self.entries.iter().rev().find_map(Entry::place);
        }
        self.reached = self.entries.iter().filter_map(|entry| entry.media).max().unwrap_or(self.begins);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LASTS: Duration = Duration::from_secs(30);

    fn at(seconds: f64) -> MediaTime {
        MediaTime::from_secs_f64(seconds)
    }

    /// A transport stream of four pieces a second of 1,000 bytes each, a key frame every two seconds.
    fn feed(ring: &PacketRing, begin: Instant, seconds: std::ops::Range<u64>) {
        for piece in seconds.start * 4..seconds.end * 4 {
            let arrived = begin + Duration::from_millis(250 * piece);
            ring.push_at(arrived, None, false, What::Bytes(piece * 1_000, vec![0; 1_000].into()));
            ring.push_at(arrived, Some(at(piece as f64 / 4.0)), piece % 8 == 0, What::Mark(piece * 1_000));
        }
    }

    fn ring(seconds: u64) -> (PacketRing, Instant) {
        let (ring, begin) = (PacketRing::new(LASTS, u64::MAX), Instant::now());
        ring.begin(SessionNumber(3), Form::Transport);
        feed(&ring, begin, 0..seconds);
        (ring, begin)
    }

    fn from(seconds: f64) -> Moment {
        Moment { session: SessionNumber(3), at: at(seconds) }
    }

    #[test]
    fn a_clip_begins_at_the_key_frame_before_its_time() {
        let (ring, _) = ring(20);
        let clip = ring.clip(from(7.3)).unwrap();
        assert_eq!((clip.begins, clip.key, clip.place, clip.whole), (at(6.0), true, 24_000, true));
        assert_eq!(clip.reached, at(19.75));
    }

    #[test]
    fn when_that_is_no_longer_held_it_begins_at_the_first_one_that_is() {
        let (ring, _) = ring(60);
        let clip = ring.clip(from(10.0)).unwrap();
        assert_eq!((clip.begins, clip.key, clip.whole), (at(30.0), true, false));
        assert!(ring.clip(Moment { session: SessionNumber(2), ..from(10.0) }).is_none(), "of another session");
    }

    #[test]
    fn a_clip_of_a_transport_stream_holds_the_tables_before_it() {
        let (ring, _) = ring(20);
        let clip = ring.clip(from(7.3)).unwrap();
        assert!(matches!(clip.entries[0].what, What::Bytes(0, _)), "two megabytes would reach beyond the begin");
    }

    #[test]
    fn a_clip_goes_on_with_what_comes_until_the_session_ends() {
        let (ring, begin) = ring(10);
        let mut clip = ring.clip(from(5.0)).unwrap();
        feed(&ring, begin, 10..14);
        assert!(ring.go_on(&mut clip));
        assert_eq!((clip.reached, clip.torn), (at(13.75), false));
        clip.cut_at(at(11.0));
        assert_eq!((clip.reached, clip.end), (at(11.75), Some(48_000)), "to the next key frame");
        ring.begin(SessionNumber(4), Form::Transport);
        assert!(!ring.go_on(&mut clip));
    }

    #[test]
    fn a_clip_says_when_the_ring_was_too_short_to_add_all() {
        let (ring, begin) = ring(10);
        let mut clip = ring.clip(from(5.0)).unwrap();
        feed(&ring, begin, 10..100);
        ring.go_on(&mut clip);
        assert!(clip.torn);
    }

    #[test]
    fn the_moment_of_an_event_is_found_by_the_clock() {
        let (ring, begin) = ring(20);
        let found = ring.moment(begin + Duration::from_millis(15_100), at(10.0)).unwrap();
        assert_eq!(found, from(5.0));
        assert!(PacketRing::new(LASTS, 0).moment(begin, at(0.0)).is_none());
    }

    #[test]
    fn a_place_is_of_the_session_that_is_held_and_not_in_its_future() {
        let (ring, _) = ring(20);
        assert_eq!(ring.place(SessionNumber(3), at(5.0)), Some(from(5.0)));
        assert!(ring.place(SessionNumber(2), at(5.0)).is_none() && ring.place(SessionNumber(3), at(25.0)).is_none());
    }

    #[test]
    fn a_ring_asks_for_what_comes_even_when_it_may_hold_nothing() {
        for bytes_max in [0, u64::MAX] {
            let (ring, begin) = (PacketRing::new(LASTS, bytes_max), Instant::now());
            assert_eq!(ring.demand_at(begin), 0);
            feed(&ring, begin, 0..10);
            let a_second = 4 * (1_000 + 2 * ENTRY_BYTES);
            assert_eq!(ring.demand_at(begin + Duration::from_secs(10)), a_second * 30 * 5 / 4);
            assert_eq!(ring.demand_at(begin + Duration::from_secs(20)), a_second * 30 * 5 / 8, "a stream that pauses");
        }
    }

    proptest! {
        #[test]
        fn a_ring_holds_no_more_than_it_may_and_the_newest(
            sizes in proptest::collection::vec(0_usize..5_000, 1..200), bytes_max in 0_u64..50_000,
        ) {
            let (ring, begin) = (PacketRing::new(LASTS, bytes_max), Instant::now());
            for (number, size) in sizes.iter().enumerate() {
                let what = What::Bytes(number as u64, vec![0; *size].into());
                ring.push_at(begin + Duration::from_millis(700 * number as u64), None, false, what);
                prop_assert!(ring.bytes() <= bytes_max);
            }
            let held = ring.lock();
            prop_assert_eq!(held.bytes, held.entries.iter().map(Entry::weight).sum::<u64>());
            prop_assert!(held.entries.len() <= 43, "30 s are at most 43 pieces");
            if let Some(last) = held.entries.back() {
                prop_assert_eq!(last.number + 1, sizes.len() as u64);
            }
        }
    }
}
