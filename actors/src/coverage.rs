//! Coverage: the share of each track that was really inspected of late.
//!
//! Owned by the session's meters, on its thread. What is left undecoded, by the tier or for what this machine dropped, is scrambled or
//! cannot be decoded was not inspected; what comes is counted as packets, so that a track of which
//! nothing is decoded has a coverage too: none. Older packets count for half every ten seconds, and
//! not at all once the tier has changed. Frames displaced from full lanes are counted elsewhere.

use crate::item::PacketFacts;
use crate::track::{TRACKS_MAX, TrackId, TrackKind};

/// After so many seconds of media, packets count for half.
const HALF_LIFE_S: f64 = 10.0;

/// Packets of one track that came, and those that were inspected; both fade.
#[derive(Clone, Copy, Debug)]
struct Share {
    track: TrackId,
    came: f64,
    inspected: f64,
}

/// The coverage of a session's pictures and sound.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// At most four kinds of [`TRACKS_MAX`] tracks.
    tracks: Vec<Share>,
}

impl Coverage {
    /// Another tier is in force: what was before it no longer counts.
    pub fn begin(&mut self) {
        self.tracks.clear();
    }

    /// Takes in what the demuxer saw.
    pub fn note(&mut self, facts: &PacketFacts) {
        let kept = 0.5_f64.powf(facts.lasts.as_secs_f64().max(0.0) / HALF_LIFE_S);
        for (track, counts) in &facts.tracks {
            if !matches!(track.kind, TrackKind::Video | TrackKind::Audio) {
                continue;
            }
            let unseen = counts.left_out.saturating_add(counts.scrambled).saturating_add(counts.undecodable);
            let (came, inspected) = (f64::from(counts.packets), f64::from(counts.packets.saturating_sub(unseen)));
            if let Some(share) = self.tracks.iter_mut().find(|share| share.track == *track) {
                share.came = share.came * kept + came;
                share.inspected = share.inspected * kept + inspected;
            } else if self.tracks.len() < 4 * usize::from(TRACKS_MAX) {
                self.tracks.push(Share { track: *track, came, inspected });
            }
        }
    }

    /// The coverage of each track of which something came, from 0 to 1.
    pub fn ratios(&self) -> impl Iterator<Item = (TrackId, f64)> + '_ {
        // Less than a thousandth of a packet is left of what came two minutes ago.
        let known = self.tracks.iter().filter(|share| share.came > 0.001);
        known.map(|share| (share.track, (share.inspected / share.came).clamp(0.0, 1.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::PacketCounts;
    use crate::media_time::MediaTime;

    fn second(packets: u32, left_out: u32) -> PacketFacts {
        let counts = PacketCounts { packets, left_out, ..PacketCounts::default() };
        let lasts = MediaTime::from_millis(1_000);
        PacketFacts { lasts, tracks: vec![(TrackId::video(0), counts)], ..PacketFacts::default() }
    }

    fn ratio(coverage: &Coverage) -> Option<f64> {
        coverage.ratios().next().map(|(_, ratio)| ratio)
    }

    #[test]
    fn coverage_is_the_share_of_packets_that_were_not_left_out() {
        let mut coverage = Coverage::default();
        assert_eq!(ratio(&coverage), None, "nothing is known of what never came");
        (0..60).for_each(|_| coverage.note(&second(25, 24)));
        assert!((ratio(&coverage).expect("packets came") - 0.04).abs() < 1e-9);
    }

    #[test]
    fn what_was_seen_long_ago_does_not_count_for_ever() {
        let mut coverage = Coverage::default();
        (0..60).for_each(|_| coverage.note(&second(25, 0)));
        (0..60).for_each(|_| coverage.note(&second(25, 25)));
        assert!(ratio(&coverage).expect("packets came") < 0.02);
    }

    #[test]
    fn another_tier_shows_at_once() {
        let mut coverage = Coverage::default();
        coverage.note(&second(25, 25));
        assert_eq!(ratio(&coverage), Some(0.0));
        coverage.begin();
        coverage.note(&second(25, 0));
        assert_eq!(ratio(&coverage), Some(1.0));
    }
}
