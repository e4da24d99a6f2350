//! Patience: how long one session may wait for its bytes, and what has arrived so far.
//!
//! One per session, shared by its byte sources, its connections and FFmpeg's interrupt callback, all
//! on the session's thread. Whoever waits asks it at least every [`SLICE`], so that a cut lifeline
//! or a passed deadline ends every wait. Never waits, locks, allocates or panics itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use avwatch_actors::lifeline::{CutReason, Lifeline};
use avwatch_actors::source::{SourceError, SourceLimits};

/// Longest time between two looks at the lifeline; well below the 250 ms that a cut may take.
pub const SLICE: Duration = Duration::from_millis(100);

/// How long bytes of a slow input gather at most: the time of two pictures, which are decoded one after the other while what
/// they refer to is in the caches.
const GATHERING: Duration = Duration::from_millis(80);
/// The same until it is known how fast they come.
const GATHERING_AT_FIRST: Duration = Duration::from_millis(40);
/// Less is not worth a wait.
const GATHERING_MIN: Duration = Duration::from_millis(5);

/// So many bytes gather at most. A socket's buffer holds more, also where the system grants no larger one than its default.
const GATHERED_MAX: u64 = 80 << 10;

/// Over how long it is looked how fast they come.
const RATE_OVER: Duration = Duration::from_millis(200);

/// No deadline.
const NEVER: u64 = u64::MAX;

/// Decides when waiting ends: when the lifeline is cut, or when our own deadline has passed.
///
/// Relaxed atomics throughout: one thread writes, and only the numbers themselves matter.
#[derive(Debug)]
pub struct Patience {
    line: Arc<Lifeline>,
    limits: SourceLimits,
    base: Instant,
    /// Nanoseconds after `base`.
    deadline: AtomicU64,
    /// In nanoseconds.
    stall: AtomicU64,
    opening: AtomicBool,
    /// It comes in segments, each as fast as the network carries it.
    in_segments: AtomicBool,
    received: AtomicU64,
    /// Of them, those that had arrived when the last wait began.
    waited_at: AtomicU64,
    /// How long bytes gather, in nanoseconds.
    gathering: AtomicU64,
    /// When it was looked last how fast bytes come, in nanoseconds after `base`, and how many had arrived by then.
    rated: AtomicU64,
    rated_at: AtomicU64,
    dropped: AtomicU64,
    /// Bytes of payload that had arrived when something was dropped last.
    hole: AtomicU64,
    /// How long what was dropped there lasts, in nanoseconds, where that is known.
    hole_lasts: AtomicU64,
    lost: AtomicU64,
}

impl Patience {
    /// Starts the clock of opening: from now on everything together may take `limits.open`.
    pub fn opening(line: &Arc<Lifeline>, limits: SourceLimits) -> Arc<Self> {
        let patience = Self {
            line: line.clone(),
            limits,
            base: Instant::now(),
            deadline: AtomicU64::new(nanos(limits.open)),
            stall: AtomicU64::new(nanos(limits.stall)),
            opening: AtomicBool::new(true),
            in_segments: AtomicBool::new(false),
            received: AtomicU64::new(0),
            waited_at: AtomicU64::new(0),
            gathering: AtomicU64::new(nanos(GATHERING_AT_FIRST)),
            rated: AtomicU64::new(0),
            rated_at: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            hole: AtomicU64::new(0),
            hole_lasts: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        };
        Arc::new(patience)
    }

    /// The thread is about to wait.
    pub fn rests(&self) {
        self.line.rests();
    }

    /// The thread waited for so long.
    pub fn idled(&self, time: Duration) {
        self.line.idled(time);
    }

    /// Starts the clock of one packet: it must come within the stall limit, however many bytes drip
    /// in meanwhile. Inputs that may be silent for ever have no such limit.
    pub fn expect_packet(&self) {
        let stall = self.stall.load(Ordering::Relaxed);
        let deadline =
            if self.limits.cut_when_silent { nanos(self.base.elapsed()).saturating_add(stall) } else { NEVER };
        self.opening.store(false, Ordering::Relaxed);
        self.deadline.store(deadline, Ordering::Relaxed);
    }

    /// Raises the stall limit to at least that, for inputs in segments, whose normal gaps are longer. Between two of them
    /// nobody waits for bytes that come little by little, and within one they do not gather: until it is read, the window
    /// of its connection stays as small as it began.
    pub fn tolerate(&self, gap: Duration) {
        self.stall.fetch_max(nanos(gap), Ordering::Relaxed);
        self.in_segments.store(true, Ordering::Relaxed);
    }

    /// The stall limit in force.
    pub fn stall_limit(&self) -> Duration {
        Duration::from_nanos(self.stall.load(Ordering::Relaxed))
    }

    /// Beats, and says why waiting should end, if it should.
    pub fn verdict(&self) -> Option<CutReason> {
        self.line.beat();
        if self.line.is_cut() {
            return Some(self.line.cut_reason().unwrap_or(CutReason::Stopped));
        }
        if nanos(self.base.elapsed()) < self.deadline.load(Ordering::Relaxed) {
            return None;
        }
        Some(if self.opening.load(Ordering::Relaxed) { CutReason::OpenLimit } else { CutReason::Stalled })
    }

    /// How long to wait before asking again: at most [`SLICE`], less when the deadline is near.
    pub fn slice(&self) -> Duration {
        let left = self.deadline.load(Ordering::Relaxed).saturating_sub(nanos(self.base.elapsed()));
        SLICE.min(Duration::from_nanos(left)).max(Duration::from_millis(1))
    }

    /// How long to let bytes gather before asking whether there are any: an input that sends little by little would wake
    /// its thread a few hundred times a second. Not while it opens, where answers are awaited, nor for what comes fast or in
    /// segments.
    pub fn gathering(&self) -> Option<Duration> {
        let received = self.received.load(Ordering::Relaxed);
        let came = received - self.waited_at.swap(received, Ordering::Relaxed);
        let is_steady = !self.opening.load(Ordering::Relaxed) && !self.in_segments.load(Ordering::Relaxed);
        let time = self.time_to_gather(nanos(self.base.elapsed()), received);
        let gathers = is_steady && (1..GATHERED_MAX).contains(&came) && time >= GATHERING_MIN;
        gathers.then(|| time.min(self.slice()))
    }

    /// How long bytes may gather, by how fast they came of late; `now` is in nanoseconds after `base`.
    fn time_to_gather(&self, now: u64, received: u64) -> Duration {
        let passed = Duration::from_nanos(now.saturating_sub(self.rated.load(Ordering::Relaxed)));
        if passed >= RATE_OVER {
            let came = received - self.rated_at.swap(received, Ordering::Relaxed);
            self.rated.store(now, Ordering::Relaxed);
            self.gathering.store(nanos(gathering_at(came, passed)), Ordering::Relaxed);
        }
        Duration::from_nanos(self.gathering.load(Ordering::Relaxed))
    }

    /// The error that the verdict stands for; `what` names the input without its secrets.
    pub fn error(&self, reason: &CutReason, what: &str) -> SourceError {
        let limits = SourceLimits { stall: self.stall_limit(), ..self.limits };
        SourceError::from_cut(reason, what, &limits)
    }

    /// Fails when waiting should end.
    pub fn check(&self, what: &str) -> Result<(), SourceError> {
        self.verdict().map_or(Ok(()), |reason| Err(self.error(&reason, what)))
    }

    /// Says that something came over the wire that is not payload, such as a header.
    pub fn stirred(&self) {
        self.line.progress();
    }

    /// Says that so many bytes of payload arrived.
    pub fn arrived(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
        self.line.progress();
    }

    /// Says that this machine dropped so many datagrams before what arrives next.
    pub fn dropped(&self, datagrams: u64) {
        if datagrams > 0 {
            self.hole.store(self.received.load(Ordering::Relaxed), Ordering::Relaxed);
            self.dropped.fetch_add(datagrams, Ordering::Relaxed);
        }
    }

    /// Says that this machine came too late for a part of the payload that lasts so long, and belongs before that byte.
    pub fn missed(&self, position: u64, lasts: Duration) {
        self.hole.store(position, Ordering::Relaxed);
        self.hole_lasts.fetch_add(nanos(lasts), Ordering::Relaxed);
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// The byte of the payload before which this machine dropped something last, and how long all lasts that it dropped
    /// since this was asked, as far as that is known.
    pub fn take_hole(&self) -> (u64, Duration) {
        let lasts = self.hole_lasts.swap(0, Ordering::Relaxed);
        (self.hole.load(Ordering::Relaxed), Duration::from_nanos(lasts))
    }

    /// Says that so many packets are missing from a numbered sequence.
    pub fn lost(&self, packets: u64) {
        self.lost.fetch_add(packets, Ordering::Relaxed);
    }

    /// What has arrived so far.
    pub fn counts(&self) -> ReceiveCounts {
        ReceiveCounts {
            received_bytes: self.received.load(Ordering::Relaxed),
            receive_dropped: self.dropped.load(Ordering::Relaxed),
            sequence_lost: self.lost.load(Ordering::Relaxed),
        }
    }

    /// The lifeline, for its phase.
    pub fn line(&self) -> &Arc<Lifeline> {
        &self.line
    }
}

/// What has arrived in a session so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceiveCounts {
    /// Bytes of payload, container overhead included.
    pub received_bytes: u64,
    /// Datagrams that this machine dropped before they could be read, and holes where it came too late for segments.
    pub receive_dropped: u64,
    /// Packets missing from the RTP sequence: lost on the way, or dropped here.
    pub sequence_lost: u64,
}

/// How long bytes may gather of which so many came in a time that is above 0.
fn gathering_at(came: u64, passed: Duration) -> Duration {
    let filled = GATHERED_MAX as f64 / came.max(1) as f64 * passed.as_secs_f64();
    Duration::from_secs_f64(filled.min(GATHERING.as_secs_f64()))
}

/// Nanoseconds, at most about 584 years.
fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(NEVER)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(open_ms: u64, cut_when_silent: bool) -> SourceLimits {
        SourceLimits { open: Duration::from_millis(open_ms), stall: Duration::ZERO, cut_when_silent }
    }

    #[test]
    fn a_passed_deadline_is_named_by_the_stage_it_belongs_to() {
        let patience = Patience::opening(&Arc::new(Lifeline::default()), limits(0, true));
        assert_eq!(patience.verdict(), Some(CutReason::OpenLimit));
        patience.expect_packet();
        assert_eq!(patience.verdict(), Some(CutReason::Stalled));
    }

    #[test]
    fn bytes_gather_where_they_come_little_by_little_and_nobody_waits_for_an_answer() {
        let patience = Patience::opening(&Arc::new(Lifeline::default()), limits(10_000, false));
        patience.arrived(1_316);
        assert_eq!(patience.gathering(), None, "an answer is awaited while it opens");
        patience.expect_packet();
        assert_eq!(patience.gathering(), None, "nothing came since");
        patience.arrived(1_316);
        assert_eq!(patience.gathering(), Some(GATHERING_AT_FIRST));
        assert_eq!(patience.gathering(), None, "nothing came meanwhile: it waits as long as it takes");
        patience.arrived(GATHERED_MAX as usize);
        assert_eq!(patience.gathering(), None, "what comes fast is read as it comes");
        patience.tolerate(Duration::from_secs(7));
        patience.arrived(1_316);
        assert_eq!(patience.gathering(), None, "a segment is fetched as fast as it comes");
    }

    #[test]
    fn bytes_gather_for_two_pictures_and_no_longer_than_a_small_buffer_holds_them() {
        let second = Duration::from_secs(1);
        let megabits = |count: u64| gathering_at(count * 125_000, second).as_millis();
        assert_eq!([0, 1, 6, 8].map(megabits), [80, 80, 80, 80]);
        assert_eq!([16, 40, 100].map(megabits), [40, 16, 6]);
        assert!(gathering_at(1 << 40, second) < GATHERING_MIN, "it is read as it comes");
        assert_eq!(gathering_at(1, Duration::from_secs(86_400)), GATHERING);
    }

    #[test]
    fn an_input_that_becomes_faster_gathers_for_less_time_and_for_longer_again_when_it_calms_down() {
        let patience = Patience::opening(&Arc::new(Lifeline::default()), limits(10_000, false));
        let mut received = 0;
        // Every 100 ms, in megabits a second.
        let rates = [[1; 4], [40; 4], [1; 4]].concat();
        let times = rates.iter().enumerate().map(|(turn, rate)| {
            received += rate * 12_500;
            patience.time_to_gather(nanos(Duration::from_millis(100)) * (turn as u64 + 1), received).as_millis()
        });
        assert_eq!(times.collect::<Vec<_>>(), [40, 80, 80, 80, 80, 16, 16, 16, 16, 80, 80, 80]);
    }

    #[test]
    fn an_input_that_may_be_silent_has_no_stall_deadline() {
        let patience = Patience::opening(&Arc::new(Lifeline::default()), limits(0, false));
        patience.expect_packet();
        assert_eq!(patience.verdict(), None);
    }

    #[test]
    fn the_reason_of_a_cut_wins_over_our_own_deadline() {
        let line = Arc::new(Lifeline::default());
        let patience = Patience::opening(&line, limits(0, true));
        line.cut(CutReason::Stopped);
        assert!(matches!(patience.check("x"), Err(SourceError::Stopped)));
    }

    #[test]
    fn the_stall_limit_in_an_error_is_the_tolerated_one() {
        let patience = Patience::opening(&Arc::new(Lifeline::default()), limits(1_000, true));
        patience.tolerate(Duration::from_secs(21));
        let error = patience.error(&CutReason::Stalled, "x");
        assert_eq!(error.to_string(), "cannot read x: nothing arrived for 21 s");
    }
}
