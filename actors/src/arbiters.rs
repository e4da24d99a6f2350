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

/// Without a beat for so long, an arbiter counts as lost if a detector is in call, and the control
/// arbiter as stuck.
pub const STILL_MAX: Duration = Duration::from_secs(2);

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
}

impl Arbiters {
    /// Starts `count` arbiters. Must be called on a running actix system.
    pub fn start(count: usize) -> Arc<Self> {
        let seats = (0..count.max(1)).map(|place| new_seat(place, 0)).collect();
        Arc::new(Self { seats: Mutex::new(seats) })
    }

    /// The arbiter with the fewest groups; counts one more for it.
    pub fn choose(&self) -> Seat {
        let seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let seat = seats
            .iter()
            .min_by_key(|seat| seat.groups.load(Ordering::Relaxed))
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
        *seat = new_seat(place, generation + 1);
        true
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
    /// The call that does not return.
    pub call: InCall,
}

struct Watched {
    place: usize,
    generation: u64,
    beats: u64,
    call: Option<InCall>,
    since: Instant,
    reported: bool,
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
        let mut watched: Vec<Watched> = Vec::new();
        let mut control_seen = (control.beats(), Instant::now());
        while !line.is_cut() {
            std::thread::sleep(LOOK_EVERY);
            let now = Instant::now();
            if control.beats() != control_seen.0 {
                control_seen = (control.beats(), now);
            }
            health.set_control_stuck(now - control_seen.1 > 5 * STILL_MAX);
            let seats = arbiters.snapshot();
            watched.retain(|old| seats.iter().any(|seat| seat.place == old.place && seat.generation == old.generation));
            for seat in &seats {
                if let Some(message) = look_at(seat, &mut watched, now) {
                    lost.do_send(message);
                }
            }
        }
    };
    // The thread ends by the cut; nobody waits for it.
    drop(worker::spawn("watchdog", line, work, |_| {})?);
    Ok(())
}

fn look_at(seat: &Seat, watched: &mut Vec<Watched>, now: Instant) -> Option<ArbiterLost> {
    let (beats, call) = (seat.pulse.beats(), seat.pulse.in_call());
    let Some(old) = watched.iter_mut().find(|old| old.place == seat.place) else {
        let (place, generation) = (seat.place, seat.generation);
        watched.push(Watched { place, generation, beats, call, since: now, reported: false });
        return None;
    };
    if old.beats != beats || old.call != call {
        (old.beats, old.call, old.since) = (beats, call, now);
        return None;
    }
    let call = call.filter(|_| !old.reported && now - old.since > STILL_MAX)?;
    old.reported = true;
    Some(ArbiterLost { place: seat.place, generation: seat.generation, call })
}
