//! Triage: when a stream that idles at its key pictures is to be looked at in full.
//!
//! Pure, one per session, on its thread. It is raised by what detectors suspect of key pictures, and by what
//! packets show without being decoded: damage, jumps of time, and sizes out of the ordinary
//! ([`SizeWatch`]). It stays raised for [`HOLD`] after the last sign. To look in full is paid from a credit,
//! so that a stream that is always suspicious, such as a slate, costs a tenth of its pictures and no more. What
//! this machine dropped itself is no sign: damage follows from it, and looking at that in full, on a machine that already
//! falls behind, would have it drop more:
//!
//! | state | ends when |
//! |---|---|
//! | idle, credit grows to [`CREDIT_MAX`] | a sign, and credit for [`CREDIT_LEAST`] |
//! | raised, credit is spent | no sign for [`HOLD`], or no credit |

use avwatch_actors::media_time::MediaTime;
use avwatch_actors::tier::{Tier, TierDial};

use super::size_watch::SizeWatch;

/// How long a stream is looked at after the last sign: longer than most conditions take to show that they are over, and than it
/// usually is to the next key picture.
pub(crate) const HOLD: MediaTime = MediaTime::from_millis(3_000);
/// What may be spent at once: the longest usual hold time of a critical event.
const CREDIT_MAX: MediaTime = MediaTime::from_millis(60_000);
/// Less than this is not begun with.
const CREDIT_LEAST: MediaTime = MediaTime::from_millis(5_000);
/// So many seconds of idling earn one of looking.
const EARNED_IN: i64 = 10;
/// The furthest that one packet moves the clock.
const STEP_MAX: MediaTime = MediaTime::from_millis(2_000);
/// How long what packets show may follow from datagrams that this machine dropped: a packet is complete when the next
/// one begins, and readers hold some back.
const EXCUSED: MediaTime = MediaTime::from_millis(1_000);
/// A hole between packets that is suspicious: a few pictures, and more than any usual jitter of stamps.
const HOLE_LEAST: MediaTime = MediaTime::from_millis(400);

/// What a packet shows without being decoded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PacketSigns {
    /// When it is to be decoded, in the time of its track; times of showing do not rise evenly.
    pub at: Option<MediaTime>,
    /// How long it lasts.
    pub lasts: MediaTime,
    /// It begins with a picture that refers to no other.
    pub key: bool,
    /// Marked corrupt by the demuxer.
    pub corrupt: bool,
    /// Its size.
    pub bytes: u32,
    /// Datagrams of the stream that this machine dropped so far, before they could be read.
    pub dropped_here: u64,
}

/// Why a stream was raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suspicion {
    /// A packet is corrupt, or one before it was lost.
    Damage,
    /// Times jump.
    Time,
    /// Pictures became much smaller or larger.
    Size,
}

/// The triage of one session.
#[derive(Debug)]
pub(crate) struct Triage {
    credit: MediaTime,
    /// What is left of the time for which it is raised; nothing while it idles.
    left: Option<MediaTime>,
    last: Option<MediaTime>,
    dropped_here: u64,
    /// What is left of the time in which signs are ours.
    excused: MediaTime,
    sizes: SizeWatch,
}

impl Default for Triage {
    fn default() -> Self {
        Self {
            credit: CREDIT_MAX,
            left: None,
            last: None,
            dropped_here: 0,
            excused: MediaTime::ZERO,
            sizes: SizeWatch::default(),
        }
    }
}

impl Triage {
    /// Everything is looked at for now.
    pub(crate) fn is_raised(&self) -> bool {
        self.left.is_some()
    }

    /// The tier that should be in force. What is shed does not rise: there is no room for it.
    pub(crate) fn tier(&mut self, dial: &TierDial) -> Tier {
        if dial.is_shed() {
            // Nothing is spent on what is not looked at.
            self.left = None;
        }
        if dial.take_suspicion() && !dial.is_shed() {
            self.suspect();
        }
        let rises = dial.is_triage() && !dial.is_shed() && self.is_raised();
        if rises { Tier::Full } else { dial.wanted() }
    }

    /// Takes in a packet of the main track of pictures; says why the stream was raised, when it was.
    pub(crate) fn packet(&mut self, packet: &PacketSigns) -> Option<Suspicion> {
        let usual = MediaTime::from_nanos(packet.lasts.as_nanos().saturating_mul(3)).max(HOLE_LEAST);
        let step = match packet.at {
            Some(at) => self.reach(at),
            None => {
                self.pass(packet.lasts);
                MediaTime::ZERO
            }
        };
        if packet.dropped_here > self.dropped_here {
            self.excused = EXCUSED;
        }
        self.dropped_here = packet.dropped_here;
        let jumped = step < MediaTime::ZERO || step > usual;
        let is_odd = !packet.key && self.sizes.is_odd(packet.bytes, packet.lasts);
        let sign = match () {
            () if packet.corrupt => Suspicion::Damage,
            () if jumped => Suspicion::Time,
            () if is_odd => Suspicion::Size,
            () => return None,
        };
        self.suspect().then_some(sign)
    }

    /// Something is suspicious; true when that raises the stream.
    pub(crate) fn suspect(&mut self) -> bool {
        if self.excused > MediaTime::ZERO {
            return false;
        }
        let begins = self.left.is_none() && self.credit >= CREDIT_LEAST;
        if begins || self.left.is_some() {
            self.left = Some(HOLD);
        }
        begins
    }

    /// The track has come to that time; by how much it went on.
    pub(crate) fn reach(&mut self, at: MediaTime) -> MediaTime {
        let Some(last) = self.last.replace(at) else { return MediaTime::ZERO };
        let step = at - last;
        self.pass(step.clamp(MediaTime::ZERO, STEP_MAX));
        step
    }

    fn pass(&mut self, passed: MediaTime) {
        self.excused = (self.excused - passed).max(MediaTime::ZERO);
        match self.left {
            Some(left) => {
                self.credit = (self.credit - passed).max(MediaTime::ZERO);
                let is_over = left <= passed || self.credit == MediaTime::ZERO;
                self.left = (!is_over).then(|| left - passed);
            }
            None => {
                let earned = MediaTime::from_nanos(passed.as_nanos() / EARNED_IN);
                self.credit = (self.credit + earned).min(CREDIT_MAX);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FRAME: MediaTime = MediaTime::from_millis(40);

    fn usual(number: i64) -> PacketSigns {
        let key = number % 50 == 0;
        let bytes = if key { 60_000 } else { 9_000 + (number % 7) as u32 * 900 };
        let at = Some(MediaTime::from_millis(40 * number));
        PacketSigns { at, lasts: FRAME, key, corrupt: false, bytes, dropped_here: 0 }
    }

    /// A triage that saw so many usual packets, and the number of the next.
    fn idle_for(packets: i64) -> (Triage, i64) {
        let mut triage = Triage::default();
        for number in 0..packets {
            assert_eq!(triage.packet(&usual(number)), None, "packet {number} is like the others");
        }
        (triage, packets)
    }

    #[test]
    fn a_usual_stream_idles() {
        let (triage, _) = idle_for(5_000);
        assert!(!triage.is_raised());
    }

    #[test]
    fn pictures_that_became_tiny_raise_it_within_half_a_second() {
        let (mut triage, next) = idle_for(500);
        let raised = (next..next + 50).position(|number| {
            triage.packet(&PacketSigns { bytes: 90, key: false, ..usual(number) }) == Some(Suspicion::Size)
        });
        assert!(raised.is_some_and(|after| after <= 13), "{raised:?}");
    }

    #[test]
    fn damage_and_jumps_raise_it_at_once() {
        let (mut triage, next) = idle_for(200);
        assert_eq!(triage.packet(&PacketSigns { corrupt: true, ..usual(next) }), Some(Suspicion::Damage));
        let (mut triage, next) = idle_for(200);
        assert_eq!(triage.packet(&usual(next + 25)), Some(Suspicion::Time));
        let (mut triage, next) = idle_for(200);
        assert_eq!(triage.packet(&usual(next - 25)), Some(Suspicion::Time));
    }

    #[test]
    fn damage_that_follows_from_what_this_machine_dropped_does_not_have_it_look_closer() {
        let (mut triage, next) = idle_for(200);
        let torn = |number: i64| PacketSigns { corrupt: true, dropped_here: 3, ..usual(number) };
        assert_eq!((next..next + 25).find_map(|number| triage.packet(&torn(number))), None);
        let later = (next + 25..next + 30).find_map(|number| triage.packet(&torn(number)));
        assert_eq!(later, Some(Suspicion::Damage), "nothing was dropped for a second");
    }

    #[test]
    fn it_idles_again_three_seconds_after_the_last_sign() {
        let (mut triage, next) = idle_for(200);
        assert!(triage.suspect());
        let stays = (next..next + 500).take_while(|number| {
            triage.packet(&usual(*number));
            triage.is_raised()
        });
        assert_eq!(stays.count(), 74);
    }

    proptest! {
        #[test]
        fn a_stream_that_is_always_suspicious_is_looked_at_a_tenth_of_the_time(every in 1_i64..100) {
            let mut triage = Triage::default();
            let mut raised = 0_i64;
            let packets = 50_000;
            for number in 0..packets {
                triage.packet(&usual(number));
                if number % every == 0 {
                    triage.suspect();
                }
                raised += i64::from(triage.is_raised());
            }
            // A minute of credit at first, then a second for each ten.
            prop_assert!(raised <= 25 * 60 + packets / EARNED_IN + 1, "{}", raised);
            prop_assert!(raised >= 25 * 60, "{}", raised);
        }
    }
}
