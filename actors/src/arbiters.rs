//! Detector arbiters: the threads on which detector actors live, and the watchdog over them.
//!
//! Arbiters are made here, chosen by load, watched by the plain thread `watchdog`, and replaced
//! when a detector does not return. They are never the control arbiter.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix::prelude::*;

use crate::lifeline::Lifeline;
use crate::pulse::{InCall, Pulse};
use crate::status::Health;
use crate::worker;

/// How often an arbiter beats.
const BEAT_EVERY: Duration = Duration::from_millis(250);

/// How often the watchdog looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Without a beat for so long, and in one and the same call, an arbiter counts as lost.
pub const STILL_MAX: Duration = Duration::from_secs(2);

/// Without a beat for so long, an arbiter counts as lost though no detector is in call, and the
/// control arbiter as stuck.
const STILL_UNCALLED_MAX: Duration = Duration::from_secs(10);

/// What one look of the watchdog counts for at most: when the whole process stood still, or the
/// machine is so busy that the watchdog itself comes late, that is nobody's fault.
const LOOK_COUNTS_MAX: Duration = Duration::from_millis(500);

/// Beats on its arbiter's time.
struct Heart(Arc<Pulse>);

impl Actor for Heart {
    type Context = Context<Self>;
    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.run_interval(BEAT_EVERY, |heart, _| heart.0.beat());
    }
}

/// One arbiter with its pulse.
#[derive(Clone)]
pub struct Seat {
    /// Where actors are started.
    pub arbiter: ArbiterHandle,
    /// Proof that it turns.
    pub pulse: Arc<Pulse>,
    /// Which place among the arbiters it has; a replacement takes the same place.
    pub place: usize,
    /// Counts replacements of this place.
    pub generation: u64,
    groups: Arc<AtomicUsize>,
}

impl Seat {
    /// Notes that a group left.
    pub fn leave(&self) {
        // Only balance matters: choosing by a stale count is harmless.
        self.groups.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Every detector arbiter of the process.
pub struct Arbiters {
    seats: Mutex<Vec<Seat>>,
    /// Abandoned ones, with the beats that they had; one entry per thread that hangs. Never locked
    /// together with the seats.
    lost: Mutex<Vec<(Seat, u64)>>,
}

impl Arbiters {
    /// Starts `count` arbiters. Must be called on a running actix system.
    pub fn start(count: usize) -> Arc<Self> {
        let seats = (0..count.max(1)).map(|place| new_seat(place, 0)).collect();
        Arc::new(Self { seats: Mutex::new(seats), lost: Mutex::default() })
    }

    /// The calling arbiter as the only one, unwatched: for tests on virtual time, whose clock would
    /// run away from other threads.
    pub fn here() -> Arc<Self> {
        let seat = Seat {
            arbiter: Arbiter::current(),
            pulse: Arc::default(),
            place: 0,
            generation: 0,
            groups: Arc::default(),
        };
        Arc::new(Self { seats: Mutex::new(vec![seat]), lost: Mutex::default() })
    }

    /// The arbiter with the fewest groups; counts one more for it.
    pub fn choose(&self) -> Seat {
        self.choose_beside(&[])
    }

    /// An arbiter that one of `others` has, else the one with the fewest groups; counts one more for it. Groups of one
    /// stream are woken together: on one arbiter that is one thread.
    pub fn choose_beside(&self, others: &[&Seat]) -> Seat {
        let seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let is_beside =
            |seat: &&Seat| others.iter().any(|other| (seat.place, seat.generation) == (other.place, other.generation));
        let seat = seats
            .iter()
            .find(is_beside)
            .or_else(|| seats.iter().min_by_key(|seat| seat.groups.load(Ordering::Relaxed)))
            .expect("there is at least one arbiter")
            .clone();
        seat.groups.fetch_add(1, Ordering::Relaxed);
        seat
    }

    /// Puts a fresh arbiter in the place of a lost one, unless that was done already. The lost
    /// one's thread is abandoned: it holds whatever its actors held until it returns, if ever.
    pub fn replace(&self, place: usize, generation: u64) -> bool {
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(seat) = seats.iter_mut().find(|seat| seat.place == place && seat.generation == generation) else {
            return false;
        };
        let old = std::mem::replace(seat, new_seat(place, generation + 1));
        drop(seats);
        let beats = old.pulse.beats();
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).push((old, beats));
        true
    }

    /// Ends the abandoned arbiters that turn again; returns how many.
    fn end_returned(&self) -> usize {
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        let before = lost.len();
        lost.retain(|(seat, beats)| {
            let still = seat.pulse.beats() == *beats;
            // Its actors were fenced off and are of no use any more.
            still || !seat.arbiter.stop()
        });
        before - lost.len()
    }

    fn snapshot(&self) -> Vec<Seat> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn new_seat(place: usize, generation: u64) -> Seat {
    let arbiter = Arbiter::new().handle();
    let pulse = Arc::<Pulse>::default();
    let beaten = pulse.clone();
    Heart::start_in_arbiter(&arbiter, move |_| Heart(beaten));
    Seat { arbiter, pulse, place, generation, groups: Arc::default() }
}

/// An arbiter stands still in a detector's call.
#[derive(Message, Clone, Copy, Debug)]
#[rtype(result = "()")]
pub struct ArbiterLost {
    /// Its place.
    pub place: usize,
    /// Its generation.
    pub generation: u64,
    /// The call that does not return; absent when it stands still elsewhere.
    pub call: Option<InCall>,
}

struct Watched {
    place: usize,
    generation: u64,
    beats: u64,
    calls: u64,
    /// When it last moved, in the watch's own time.
    since: Duration,
    reported: bool,
}

/// Finds arbiters that stand still. Whoever looks owns it: the watchdog, or an inspection.
pub struct SeatWatch {
    watched: Vec<Watched>,
    looked: Instant,
    /// Its own time, which passes by at most [`LOOK_COUNTS_MAX`] from look to look.
    now: Duration,
}

impl Default for SeatWatch {
    fn default() -> Self {
        Self { watched: Vec::new(), looked: Instant::now(), now: Duration::ZERO }
    }
}

impl SeatWatch {
    /// Looks at these arbiters; tells of each that is lost, once. To be called every 250 ms or more often.
    pub fn look(&mut self, seats: &[Seat]) -> Vec<ArbiterLost> {
        self.now += self.looked.elapsed().min(LOOK_COUNTS_MAX);
        self.looked = Instant::now();
        self.watched
            .retain(|old| seats.iter().any(|seat| seat.place == old.place && seat.generation == old.generation));
        seats.iter().filter_map(|seat| look_at(seat, &mut self.watched, self.now)).collect()
    }
}

/// Starts the thread `watchdog`; it ends when `line` is cut. `lost` is told of every lost arbiter,
/// once each. Must be called on the control arbiter, whose own beat it watches too.
pub fn watch(
    arbiters: Arc<Arbiters>,
    health: Arc<Health>,
    line: Arc<Lifeline>,
    lost: Recipient<ArbiterLost>,
) -> std::io::Result<()> {
    let control = Arc::<Pulse>::default();
    Heart(control.clone()).start();
    let work = move |line: &Arc<Lifeline>| {
        let mut watch = SeatWatch::default();
        let mut control_seen = (control.beats(), watch.now);
        while !line.is_cut() {
            std::thread::sleep(LOOK_EVERY);
            for message in watch.look(&arbiters.snapshot()) {
                lost.do_send(message);
            }
            if control.beats() != control_seen.0 {
                control_seen = (control.beats(), watch.now);
            }
            health.set_control_stuck(watch.now - control_seen.1 > STILL_UNCALLED_MAX);
            for _ in 0..arbiters.end_returned() {
                health.returned();
            }
        }
    };
    // The thread ends by the cut; nobody waits for it.
    drop(worker::spawn_lasting("watchdog", line, work, |_| {})?);
    Ok(())
}

fn look_at(seat: &Seat, watched: &mut Vec<Watched>, now: Duration) -> Option<ArbiterLost> {
    let (beats, calls, call) = (seat.pulse.beats(), seat.pulse.calls(), seat.pulse.in_call());
    let Some(old) = watched.iter_mut().find(|old| old.place == seat.place) else {
        let (place, generation) = (seat.place, seat.generation);
        watched.push(Watched { place, generation, beats, calls, since: now, reported: false });
        return None;
    };
    if old.beats != beats || old.calls != calls {
        (old.beats, old.calls, old.since) = (beats, calls, now);
        return None;
    }
    let limit = if call.is_some() { STILL_MAX } else { STILL_UNCALLED_MAX };
    if old.reported || now - old.since <= limit {
        return None;
    }
    old.reported = true;
    Some(ArbiterLost { place: seat.place, generation: seat.generation, call })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks every 250 ms for that long; `turn` is what the arbiter does in between.
    fn watch_for(seconds: u64, seat: &Seat, mut turn: impl FnMut(&Pulse)) -> Option<ArbiterLost> {
        let mut watched = Vec::new();
        (0..seconds * 4).find_map(|look| {
            turn(&seat.pulse);
            look_at(seat, &mut watched, LOOK_EVERY * u32::try_from(look).expect("a small number"))
        })
    }

    fn with_seat(check: impl FnOnce(Seat)) {
        let system = System::new();
        system.block_on(async { check(new_seat(0, 0)) });
    }

    const CALL: InCall = InCall { group: 1, detector: 2 };

    #[test]
    fn a_detector_that_does_not_return_is_told_within_three_seconds() {
        with_seat(|seat| {
            seat.pulse.enter(CALL);
            let lost = watch_for(3, &seat, |_| {});
            assert_eq!(lost.and_then(|lost| lost.call), Some(CALL));
        });
    }

    #[test]
    fn a_slow_detector_that_does_return_is_not_taken_for_a_hanging_one() {
        with_seat(|seat| {
            let lost = watch_for(60, &seat, |pulse| pulse.enter(CALL));
            assert!(lost.is_none(), "every look found another call");
        });
    }

    #[test]
    fn an_arbiter_that_stands_still_outside_of_calls_is_given_up_too() {
        with_seat(|seat| {
            assert!(watch_for(10, &seat, |_| {}).is_none());
            assert!(watch_for(12, &seat, |_| {}).is_some_and(|lost| lost.call.is_none()));
        });
    }
}
