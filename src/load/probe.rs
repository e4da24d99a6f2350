//! Probes: two detectors at the two ends of every group that judge nothing and note when each frame was judged.
//!
//! They are numbered below and above all others, so that the first of them is asked before and the last one after the real
//! detectors. Latency is counted from the moment at which a frame was *due*, which is known before the run begins and does not
//! move when the machine falls behind; so a frame that is late because an earlier one took long counts in full
//! (coordinated omission). On the detector arbiters; they never wait for more than a batch of additions.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use avwatch_actors::detector::{Detector, DetectorSpec, Ladder, LaneKind, Precedence, Situation, Verdicts, Worse};
use avwatch_actors::frame::Stamp;
use avwatch_actors::item::Item;
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::tier::Tier;
use avwatch_actors::track::{TrackId, TrackInfo, TrackKind};
use hdrhistogram::Histogram;

use super::due::DueClock;

/// Pictures at the edges of a span that is known by what was judged alone: coded out of order, some of them were read before it.
const EDGE_FRAMES: u64 = 2;
/// Longest latency that is told apart, in microseconds.
const LATENCY_MAX_US: u64 = 60_000_000;
/// Sets of histograms; streams share them, so that two arbiters hardly ever meet at one.
const SHARDS: usize = 16;

/// A part of a frame's way, from due to judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// From due to its packet being read; of made frames nothing.
    Arrive,
    /// From due to being made or decoded, and measured.
    Ready,
    /// From there to its turn.
    Queue,
    /// All detectors of its group on it.
    Inspect,
    /// From due to the last verdict.
    Total,
}

impl Part {
    /// Every part, in order.
    pub const ALL: [Self; 5] = [Self::Arrive, Self::Ready, Self::Queue, Self::Inspect, Self::Total];

    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Arrive => "arrive",
            Self::Ready => "ready",
            Self::Queue => "queue",
            Self::Inspect => "inspect",
            Self::Total => "total",
        }
    }
}

/// One histogram per part, in microseconds.
#[derive(Clone, Debug)]
pub struct Latencies([Histogram<u64>; 5]);

impl Default for Latencies {
    fn default() -> Self {
        Self(std::array::from_fn(|_| {
            Histogram::new_with_bounds(1, LATENCY_MAX_US, 2).expect("constant bounds are valid")
        }))
    }
}

impl Latencies {
    /// The histogram of a part, in microseconds.
    pub fn part(&self, part: Part) -> &Histogram<u64> {
        &self.0[part as usize]
    }

    fn record(&mut self, part: Part, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.0[part as usize].saturating_record(micros.clamp(1, LATENCY_MAX_US));
    }

    fn add(&mut self, other: &Self) {
        for (sum, more) in self.0.iter_mut().zip(&other.0) {
            sum.add(more).expect("all histograms have the same bounds");
        }
    }
}

/// What the probes of a trial share.
pub struct ProbeBook {
    epoch: Instant,
    /// The measured span in nanoseconds from the epoch; nothing is due in it before it is set.
    from: AtomicU64,
    to: AtomicU64,
    shards: Vec<Mutex<Latencies>>,
}

impl Default for ProbeBook {
    fn default() -> Self {
        Self {
            epoch: Instant::now(),
            from: AtomicU64::new(u64::MAX),
            to: AtomicU64::new(u64::MAX),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }
}

impl ProbeBook {
    /// Measures what is due from then on, up to `to`.
    pub fn measure(&self, from: Instant, to: Instant) {
        // The end first, so that nobody sees a begin without it.
        self.to.store(self.nanos(to), Ordering::Release);
        self.from.store(self.nanos(from), Ordering::Release);
    }

    /// All latencies.
    pub fn latencies(&self) -> Latencies {
        let mut sum = Latencies::default();
        for shard in &self.shards {
            sum.add(&shard.lock().unwrap_or_else(PoisonError::into_inner));
        }
        sum
    }

    fn nanos(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.epoch).as_nanos()).unwrap_or(u64::MAX)
    }

    fn measures(&self, due: Instant) -> bool {
        let due = self.nanos(due);
        // Acquire pairs with the release of `measure`: who sees the begin sees the end.
        self.from.load(Ordering::Acquire) <= due && due < self.to.load(Ordering::Acquire)
    }
}

/// What is noted of one track of one stream.
#[derive(Debug)]
pub struct TrackProbe {
    /// When the frame at hand came to its turn, in nanoseconds from the epoch.
    begun: AtomicU64,
    /// Frames judged in the measured span.
    judged: AtomicU64,
    /// The first and last of them, on the plan's timeline.
    first: AtomicI64,
    last: AtomicI64,
    /// The plan's time less media time.
    shift: AtomicI64,
}

impl Default for TrackProbe {
    fn default() -> Self {
        Self {
            begun: AtomicU64::new(0),
            judged: AtomicU64::new(0),
            first: AtomicI64::new(i64::MAX),
            last: AtomicI64::new(i64::MIN),
            shift: AtomicI64::new(0),
        }
    }
}

impl TrackProbe {
    /// Frames that were judged in the measured span.
    pub fn judged(&self) -> u64 {
        self.judged.load(Ordering::Relaxed)
    }

    /// The first and last of them, on the plan's timeline.
    pub fn span(&self) -> Option<(MediaTime, MediaTime)> {
        let (first, last) = (self.first.load(Ordering::Relaxed), self.last.load(Ordering::Relaxed));
        (first <= last).then(|| (MediaTime::from_nanos(first), MediaTime::from_nanos(last)))
    }

    /// What has to be added to media time for the plan's time.
    pub fn shift(&self) -> MediaTime {
        MediaTime::from_nanos(self.shift.load(Ordering::Relaxed))
    }
}

/// What is noted of one stream: its main picture and its main sound.
pub struct StreamProbe {
    clock: DueClock,
    book: Arc<ProbeBook>,
    shard: usize,
    tracks: [TrackProbe; 2],
}

impl StreamProbe {
    /// Probes for the stream of that number.
    pub fn new(number: usize, clock: DueClock, book: Arc<ProbeBook>) -> Arc<Self> {
        Arc::new(Self { clock, book, shard: number % SHARDS, tracks: Default::default() })
    }

    /// Frames of a main track that are due in a span; of fetched streams those of the span that was judged, so that
    /// holes count; `rate` is that of frames a second.
    pub fn expected(&self, kind: TrackKind, (from, to): (Instant, Instant), rate: f64) -> u64 {
        if let Some(frames) = self.clock.expected(kind, from, to) {
            return frames;
        }
        let seconds = match self.track(kind).span() {
            Some((first, last)) => (last - first).as_secs_f64() + 1.0 / rate,
            None => (to - from).as_secs_f64(),
        };
        let (expected, judged) = ((seconds * rate).round() as u64, self.track(kind).judged());
        if expected.saturating_sub(judged) <= EDGE_FRAMES { judged } else { expected }
    }

    /// What was noted of a main track.
    pub fn track(&self, kind: TrackKind) -> &TrackProbe {
        &self.tracks[usize::from(kind == TrackKind::Audio)]
    }

    /// The specs of its probes, to be added to those of the stream's detectors.
    pub fn specs(self: &Arc<Self>) -> Vec<Arc<DetectorSpec>> {
        let lanes = [LaneKind::Picture, LaneKind::Sound];
        lanes.into_iter().flat_map(|lane| [self.spec(lane, End::First), self.spec(lane, End::Last)]).collect()
    }

    fn spec(self: &Arc<Self>, lane: LaneKind, end: End) -> Arc<DetectorSpec> {
        let probe = self.clone();
        Arc::new(DetectorSpec {
            number: if end == End::First { 0 } else { u16::MAX },
            name: if end == End::First { PROBES[0] } else { PROBES[1] },
            unit: "",
            worse: Worse::Higher,
            lane,
            cheapest: Tier::Transport,
            precedence: Precedence::Apart,
            tuning: String::new(),
            ladder: Arc::new(|_| Ladder {
                steps: Vec::new(),
                raise_after: Duration::MAX,
                clear_after: Duration::ZERO,
                settle_after_change: Duration::ZERO,
            }),
            class_limits: None,
            threshold: None,
            message: |_: &Situation| String::new(),
            build: Arc::new(move |_: &TrackInfo| Box::new(Probe { probe: probe.clone(), end })),
            applies: |track| [TrackId::video(0), TrackId::audio(0)].contains(&track.track),
        })
    }

    fn begin(&self, stamp: &Stamp) {
        // Relaxed: the last probe is asked on the same thread.
        self.track(stamp.track.kind).begun.store(self.book.nanos(Instant::now()), Ordering::Relaxed);
    }

    fn end(&self, stamp: &Stamp) {
        let track = self.track(stamp.track.kind);
        let Some(at) = self.clock.plan_time(stamp) else { return };
        track.shift.store((at - stamp.media_time).as_nanos(), Ordering::Relaxed);
        let due = self.clock.due(stamp);
        if !self.book.measures(due) {
            return;
        }
        let now = Instant::now();
        track.judged.fetch_add(1, Ordering::Relaxed);
        track.first.fetch_min(at.as_nanos(), Ordering::Relaxed);
        track.last.fetch_max(at.as_nanos(), Ordering::Relaxed);
        let begun = self.book.epoch + Duration::from_nanos(track.begun.load(Ordering::Relaxed));
        let since = |earlier: Instant, later: Instant| later.saturating_duration_since(earlier);
        let mut latencies = self.book.shards[self.shard].lock().unwrap_or_else(PoisonError::into_inner);
        latencies.record(Part::Arrive, since(due, stamp.arrived));
        latencies.record(Part::Ready, since(due, stamp.ready));
        latencies.record(Part::Queue, since(stamp.ready, begun));
        latencies.record(Part::Inspect, since(begun, now));
        latencies.record(Part::Total, since(due, now));
    }
}

/// Names of the probes, in the accounts of CPU time.
pub const PROBES: [&str; 2] = ["load_first", "load_last"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    First,
    Last,
}

struct Probe {
    probe: Arc<StreamProbe>,
    end: End,
}

impl Detector for Probe {
    fn inspect(&mut self, item: &Item, _: &mut Verdicts) {
        let stamp = match item {
            Item::Video(frame) => &frame.stamp,
            Item::Audio(frame) => &frame.stamp,
            Item::Started(_) | Item::Packets(_) | Item::Clock(_) | Item::Gap(_) | Item::Ended(_) => return,
        };
        match self.end {
            End::First => self.probe.begin(stamp),
            End::Last => self.probe.end(stamp),
        }
    }
}

#[cfg(test)]
mod tests {
    use avwatch_actors::frame::{Repair, SourceTime};
    use avwatch_actors::track::SessionNumber;

    use super::*;

    const RATE: crate::synthetic::FrameRate = crate::synthetic::FrameRate { numerator: 25, denominator: 1 };

    fn stamp(begin: Instant, at: u64, ready: u64) -> Stamp {
        Stamp {
            track: TrackId::video(0),
            session: SessionNumber(1),
            seq: 0,
            media_time: MediaTime::from_millis(at as i64),
            lasts: MediaTime::from_millis(40),
            source_time: Some(SourceTime { pts: Some(at as i64), dts: None, base: (1, 1_000) }),
            repair: Repair::None,
            arrived: begin + Duration::from_millis(at),
            ready: begin + Duration::from_millis(ready),
        }
    }

    #[test]
    fn a_frame_that_is_judged_late_counts_from_when_it_was_due() {
        let book = Arc::<ProbeBook>::default();
        let begin = book.epoch;
        book.measure(begin, begin + Duration::from_secs(1));
        let probe = StreamProbe::new(0, DueClock::Made { begin, pictures: RATE }, book.clone());
        // It was got round to only just now, so the way from there on is short.
        while begin.elapsed() < Duration::from_millis(20) {
            std::hint::spin_loop();
        }
        let stamp = stamp(begin, 0, 20);
        probe.begin(&stamp);
        probe.end(&stamp);
        let latencies = book.latencies();
        assert!(latencies.part(Part::Total).max() >= 20_000);
        assert!(latencies.part(Part::Inspect).max() < 20_000);
        assert_eq!(probe.track(TrackKind::Video).judged(), 1);
    }

    #[test]
    fn what_is_due_outside_of_the_measured_span_is_not_counted() {
        let book = Arc::<ProbeBook>::default();
        let begin = book.epoch;
        book.measure(begin + Duration::from_secs(1), begin + Duration::from_secs(2));
        let probe = StreamProbe::new(0, DueClock::Made { begin, pictures: RATE }, book.clone());
        for at in [0, 999, 1_000, 1_999, 2_000] {
            probe.begin(&stamp(begin, at, at));
            probe.end(&stamp(begin, at, at));
        }
        let track = probe.track(TrackKind::Video);
        assert_eq!(track.judged(), 2);
        assert_eq!(track.span(), Some((MediaTime::from_millis(1_000), MediaTime::from_millis(1_999))));
    }
}
