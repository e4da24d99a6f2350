//! A detector group and the tier of its stream: which detectors are at work, and what a frame is credited with.
//!
//! Part of the detector group, on its arbiter. A session tells its tier with its make-up, so that the
//! group changes at exactly the frame from which on more or less was looked at. A detector that has lost
//! its basis is taken off its seat and its open event ends as *unwatched*: nobody looks, so nothing may
//! be called over, nor going on. It comes back as a fresh instance.

use std::sync::Arc;

use super::DetectorGroup;
use crate::detector::{LaneKind, Verdict};
use crate::detector_host::DetectorHost;
use crate::event::{EventEnd, StreamCard, Wall};
use crate::media_time::MediaTime;
use crate::tier::{Tier, TierDial};

/// The longest time that one frame may stand for: the longest usual group of pictures, with room.
const STRIDE_MAX: MediaTime = MediaTime::from_millis(12_000);

/// How much time a frame stands for that ends at `end`, when those before it were left out on purpose;
/// `expected` is the number due and the end of the frame before. Zero where every frame is looked at,
/// and after frames of ours were lost.
pub(super) fn stride(tier: Option<Tier>, expected: Option<(u64, MediaTime)>, seq: u64, end: MediaTime) -> MediaTime {
    match (tier, expected) {
        (Some(Tier::Light | Tier::Keyframes), Some((next, last_end))) if seq == next => {
            (end - last_end).clamp(MediaTime::ZERO, STRIDE_MAX)
        }
        _ => MediaTime::ZERO,
    }
}

/// A stream in triage is looked at in full as soon as pictures are not as they should be. Sound is looked at
/// in full anyway, and what is never more than an `info` is no reason to decode all.
pub(super) fn heed(dial: Option<&TierDial>, host: &DetectorHost, verdict: &Verdict) {
    if let Some(dial) = dial
        && host.spec.lane == LaneKind::Picture
        && host.may_warn
        && matches!(verdict, Verdict::Faulty { .. })
    {
        dial.suspect();
    }
}

impl DetectorGroup {
    /// Takes over what events say of the stream; the tier is said by what is in force.
    pub(super) fn take_card(&mut self, card: Arc<StreamCard>) {
        self.card = match self.tier {
            Some(tier) => Arc::new(StreamCard { tier: Some(tier.name().to_owned()), ..(*card).clone() }),
            None => card,
        };
    }

    /// Another tier is in force from here on. Seats of detectors that can now judge are filled by the caller.
    pub(super) fn enter_tier(&mut self, tier: Tier, now: Wall) {
        let before = self.tier.replace(tier);
        if before == Some(tier) {
            return;
        }
        // Whoever judges by time between pictures must not take the new distance for a fault.
        let is_sparser = |tier: Tier| tier >= Tier::Keyframes;
        let begins_anew =
            self.kind() == LaneKind::Picture && before.is_some_and(|before| is_sparser(before) != is_sparser(tier));
        let at = self.clock.now();
        for seat in 0..self.seats.len() {
            for host in (0..self.seats[seat].hosts.len()).rev() {
                if tier > self.seats[seat].hosts[host].spec.cheapest {
                    // With the words of the tier in which it was seen.
                    let change = self.seats[seat].hosts[host].lifecycle.end(at, EventEnd::Unwatched);
                    self.emit(seat, host, change, at, now);
                    self.seats[seat].hosts.remove(host);
                } else if begins_anew {
                    let seat = &mut self.seats[seat];
                    seat.hosts[host].begin_anew(&seat.info, self.session.as_ref());
                }
            }
        }
        self.take_card(self.card.clone());
    }
}
