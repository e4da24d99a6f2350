//! Thinning: which packets of a track are decoded, as the tier in force demands.
//!
//! Pure, one per track, on its session's thread. It decides packet by packet and keeps account of how
//! much media time was left out, so that the hole before the next frame is known to be ours and no fault
//! of the source. The same holds for what this machine dropped before it could be read, and for all that cannot be
//! decoded without it.
//!
//! | tier | pictures | sound |
//! |---|---|---|
//! | `full` | every one | every block |
//! | `light` | the decoder skips what no other refers to | every block |
//! | `keyframes` | key pictures, each by itself, at most two a second | every block |
//! | `audio` | none | every block |
//! | `transport` | none | none |

use avwatch_actors::media_time::MediaTime;
use avwatch_actors::tier::Tier;
use avwatch_actors::track::TrackKind;

/// How far decoding time may lie from showing time: 16 pictures, the most that H.264 and HEVC reorder.
const REORDER_MAX: MediaTime = MediaTime::from_millis(640);
/// Key pictures closer than this are one: where every picture is a key picture, two a second will do.
const KEYS_APART: MediaTime = MediaTime::from_millis(480);
/// More than this is never held to be left out before one frame.
const BALANCE_MAX: MediaTime = MediaTime::from_millis(30_000);
/// How much may have been lost with datagrams that this machine dropped: nobody knows what they held. Segments say more.
const LOST_MAX: MediaTime = MediaTime::from_millis(5_000);
/// A key packet is awaited no longer than this: some sources send none, their pictures are refreshed bit by bit.
const AWAITED_MAX: MediaTime = MediaTime::from_millis(15_000);
/// The same of a source that has sent two: before the next one pictures would be grey where what they refer to is missing.
const AWAITED_BETWEEN_KEYS_MAX: MediaTime = MediaTime::from_millis(30_000);
/// Pictures that a decoder may hold back: so many are not yet known to be skipped.
const HELD_BACK_MAX: u64 = 16;

/// How deep a track is decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Everything.
    #[default]
    All,
    /// What others refer to.
    References,
    /// Key pictures.
    Keys,
    /// Nothing: packets are only counted.
    Nothing,
}

impl Depth {
    /// How deep a track of that kind is decoded in a tier.
    pub(crate) fn of(kind: TrackKind, tier: Tier) -> Self {
        match (kind, tier) {
            (_, Tier::Full) => Self::All,
            (TrackKind::Video, Tier::Light) => Self::References,
            (TrackKind::Video, Tier::Keyframes) => Self::Keys,
            (TrackKind::Video, Tier::Audio) | (_, Tier::Transport) => Self::Nothing,
            (_, Tier::Light | Tier::Keyframes | Tier::Audio) => Self::All,
        }
    }
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is decoded along with the others.
    Decoded,
    /// It is decoded by itself: what the decoder has of it comes at once, or with its second field.
    Alone,
    /// It is left out, but for the second field of one that is decoded by itself.
    LeftOut,
}

/// The thinning of one track.
#[derive(Debug, Default)]
pub(crate) struct Thinning {
    depth: Depth,
    /// Pictures that refer to others wait for a key picture.
    awaits_key: bool,
    /// For how long they have waited.
    awaited: MediaTime,
    /// Key packets so far, counted up to two.
    keys: u8,
    /// Something was lost here since the last frame.
    has_lost: bool,
    /// How much at most.
    lost: MediaTime,
    /// When the last key picture was decoded by itself.
    last_key: Option<MediaTime>,
    /// Media time that came and was not shown since the last frame.
    balance: MediaTime,
    /// The next frame may lie behind what was left out.
    bridges: bool,
    /// Pictures given to the decoder, in how many packets, and frames got from it, since it began to skip.
    sent: u64,
    packets: u64,
    got: u64,
    /// Of them, those that were said to be left out.
    told: Skipped,
}

/// What the decoder itself has skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Skipped {
    /// Pictures.
    pub(crate) pictures: u64,
    /// Packets in which they came: more where each field has one of its own.
    pub(crate) packets: u64,
}

impl Thinning {
    /// How deep the track is decoded.
    pub(crate) fn depth(&self) -> Depth {
        self.depth
    }

    /// Another depth from the next packet on. `intra` tracks need no key packet to begin at.
    pub(crate) fn go_to(&mut self, depth: Depth, intra: bool) {
        let was_whole = matches!(self.depth, Depth::All | Depth::References);
        let is_whole = matches!(depth, Depth::All | Depth::References);
        self.awaits_key = is_whole && !intra && (self.awaits_key || !was_whole);
        self.awaited = MediaTime::ZERO;
        self.bridges = true;
        self.last_key = None;
        (self.sent, self.packets, self.got, self.told) = (0, 0, 0, Skipped::default());
        self.depth = depth;
    }

    /// Packets were lost here, this machine dropped them; they last `lasts`, or nobody knows. `intra` tracks need no key
    /// packet to go on at.
    pub(crate) fn lose(&mut self, intra: bool, lasts: MediaTime) {
        if matches!(self.depth, Depth::All | Depth::References) && !intra && !self.awaits_key {
            self.awaits_key = true;
            self.awaited = MediaTime::ZERO;
        }
        self.lost = (if self.has_lost { self.lost } else { MediaTime::ZERO } + lasts).max(LOST_MAX).min(BALANCE_MAX);
        (self.bridges, self.has_lost) = (true, true);
    }

    /// Whether nothing was shown yet since packets were lost here.
    pub(crate) fn has_lost(&self) -> bool {
        self.has_lost
    }

    /// Whether pictures wait for a key packet.
    pub(crate) fn awaits_key(&self) -> bool {
        self.awaits_key
    }

    /// A packet that lasts `lasts` is left out, whatever the tier: a part of it was lost here.
    pub(crate) fn leave_out(&mut self, lasts: MediaTime) {
        self.balance = (self.balance + lasts).min(BALANCE_MAX);
    }

    /// Decides on a packet that lasts `lasts` and is to be decoded at `at`.
    pub(crate) fn admit(&mut self, key: bool, at: Option<MediaTime>, lasts: MediaTime) -> Fate {
        self.keys = (self.keys + u8::from(key)).min(2);
        let awaited_max = if self.keys < 2 { AWAITED_MAX } else { AWAITED_BETWEEN_KEYS_MAX };
        let fate = match self.depth {
            Depth::Nothing => Fate::LeftOut,
            Depth::Keys if key && self.is_apart(at) => Fate::Alone,
            Depth::Keys => Fate::LeftOut,
            Depth::All | Depth::References if self.awaits_key && !key && self.awaited < awaited_max => Fate::LeftOut,
            Depth::All | Depth::References => Fate::Decoded,
        };
        if fate == Fate::Alone {
            self.last_key = at;
        }
        if fate == Fate::Decoded {
            self.awaits_key = false;
            self.sent += 1;
            self.packets += 1;
        }
        if self.awaits_key {
            self.awaited += lasts;
        }
        if self.depth != Depth::All || self.awaits_key {
            self.leave_out(lasts);
        }
        fate
    }

    /// The packet that is about to be decoded holds the second field of the picture that the one before began.
    pub(crate) fn joins(&mut self) {
        self.sent = self.sent.saturating_sub(1);
    }

    fn is_apart(&self, at: Option<MediaTime>) -> bool {
        match (self.last_key, at) {
            (Some(last), Some(at)) => last.distance(at) >= KEYS_APART,
            _ => true,
        }
    }

    /// How much may have been left out before the next frame: exactly, and at most. Nothing while
    /// every frame is decoded.
    pub(crate) fn left_out(&self) -> Option<(MediaTime, MediaTime)> {
        self.bridges.then_some((self.balance, self.balance + self.unknown()))
    }

    /// By how much more media time may go on than is known to have been left out.
    pub(crate) fn unknown(&self) -> MediaTime {
        if self.has_lost { self.lost } else { REORDER_MAX }
    }

    /// A packet that is not decoded took its place on the timeline.
    pub(crate) fn passed(&mut self) {
        self.has_lost = false;
    }

    /// A frame was shown that lasts `lasts`, behind `bridged` that was left out.
    pub(crate) fn shown(&mut self, bridged: MediaTime, lasts: MediaTime) {
        self.got += 1;
        if self.awaits_key {
            // It was held back: what was to be shown between it and the next may be lost as well.
            return;
        }
        self.has_lost = false;
        if self.depth == Depth::All {
            // From here on one frame follows the other.
            self.balance = MediaTime::ZERO;
            self.bridges = false;
            return;
        }
        self.balance = (self.balance - bridged - lasts).max(MediaTime::ZERO);
    }

    /// What the decoder itself has skipped since the last call.
    pub(crate) fn skipped(&mut self) -> Skipped {
        if self.depth != Depth::References {
            return Skipped::default();
        }
        let pictures = self.sent.saturating_sub(self.got + HELD_BACK_MAX).max(self.told.pictures);
        // Which of them came in two packets the decoder does not say: they are as the others are.
        let packets = pictures * self.packets / self.sent.max(1);
        let all = Skipped { pictures, packets: packets.max(self.told.packets) };
        let told = std::mem::replace(&mut self.told, all);
        Skipped { pictures: all.pictures - told.pictures, packets: all.packets - told.packets }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: MediaTime = MediaTime::from_millis(40);

    fn at(number: i64) -> Option<MediaTime> {
        Some(MediaTime::from_millis(40 * number))
    }

    /// Numbers of the packets that are decoded, of groups of `group` packets.
    fn decoded(thinning: &mut Thinning, numbers: std::ops::Range<i64>, group: i64) -> Vec<i64> {
        numbers.filter(|number| thinning.admit(number % group == 0, at(*number), FRAME) != Fate::LeftOut).collect()
    }

    #[test]
    fn in_keyframes_only_key_packets_are_decoded_each_alone() {
        let mut thinning = Thinning::default();
        thinning.go_to(Depth::Keys, false);
        assert_eq!(thinning.admit(true, at(0), FRAME), Fate::Alone);
        assert_eq!(decoded(&mut thinning, 1..100, 50), [50]);
    }

    #[test]
    fn where_every_packet_is_a_key_packet_two_a_second_are_decoded() {
        let mut thinning = Thinning::default();
        thinning.go_to(Depth::Keys, true);
        assert_eq!(decoded(&mut thinning, 0..50, 1), [0, 12, 24, 36, 48]);
    }

    #[test]
    fn back_in_full_decoding_waits_for_the_next_key_packet() {
        let mut thinning = Thinning::default();
        thinning.go_to(Depth::Keys, false);
        assert_eq!(decoded(&mut thinning, 0..10, 50), [0]);
        thinning.go_to(Depth::All, false);
        let all = decoded(&mut thinning, 10..60, 50);
        assert_eq!((all.first(), all.len()), (Some(&50), 10));
    }

    #[test]
    fn sound_comes_back_at_once() {
        let mut thinning = Thinning::default();
        thinning.go_to(Depth::Nothing, true);
        assert_eq!(thinning.admit(true, at(0), FRAME), Fate::LeftOut);
        thinning.go_to(Depth::All, true);
        assert_eq!(thinning.admit(false, at(1), FRAME), Fate::Decoded);
    }

    #[test]
    fn what_was_left_out_before_a_key_picture_is_known_to_the_frame() {
        let mut thinning = Thinning::default();
        thinning.go_to(Depth::Keys, false);
        decoded(&mut thinning, 0..1, 50);
        thinning.shown(MediaTime::ZERO, FRAME);
        decoded(&mut thinning, 1..51, 50);
        let expected = MediaTime::from_millis(49 * 40) + FRAME;
        assert_eq!(thinning.left_out().map(|(known, _)| known), Some(expected));
        thinning.shown(MediaTime::from_millis(49 * 40), FRAME);
        assert_eq!(thinning.left_out().map(|(known, _)| known), Some(MediaTime::ZERO));
    }

    #[test]
    fn pictures_go_on_at_the_next_key_packet_when_something_was_lost_here() {
        let mut thinning = Thinning::default();
        decoded(&mut thinning, 0..10, 50);
        thinning.shown(MediaTime::ZERO, FRAME);
        thinning.lose(false, MediaTime::ZERO);
        thinning.leave_out(FRAME);
        assert_eq!(decoded(&mut thinning, 12..60, 50).first(), Some(&50));
        let known = MediaTime::from_millis(40 * 39);
        assert_eq!(thinning.left_out(), Some((known, known + LOST_MAX)), "more may have been lost than is known");
        thinning.shown(MediaTime::ZERO, FRAME);
        assert_eq!((thinning.left_out(), thinning.has_lost()), (None, false));
    }

    #[test]
    fn as_much_may_have_been_lost_as_is_said_within_bounds() {
        let seconds = |count: i64| MediaTime::from_millis(count * 1_000);
        let mut thinning = Thinning::default();
        thinning.lose(true, seconds(8));
        assert_eq!(thinning.unknown(), seconds(8));
        thinning.lose(true, seconds(4));
        assert_eq!(thinning.unknown(), seconds(12));
        thinning.lose(true, seconds(60));
        assert_eq!(thinning.unknown(), BALANCE_MAX);
        thinning.passed();
        thinning.lose(true, seconds(1));
        assert_eq!(thinning.unknown(), LOST_MAX);
    }

    #[test]
    fn a_source_that_sends_no_key_packets_is_not_left_out_for_ever() {
        let mut thinning = Thinning::default();
        decoded(&mut thinning, 0..10, 1_000_000);
        thinning.lose(false, MediaTime::ZERO);
        let first = decoded(&mut thinning, 10..1_000, 1_000_000).first().copied();
        assert_eq!(first, Some(10 + AWAITED_MAX.as_nanos() / FRAME.as_nanos()));
    }

    #[test]
    fn the_end_of_a_long_group_is_waited_for() {
        let mut thinning = Thinning::default();
        decoded(&mut thinning, 0..510, 500);
        thinning.lose(false, MediaTime::ZERO);
        assert_eq!(decoded(&mut thinning, 510..1_200, 500).first(), Some(&1_000));
    }

    #[test]
    fn sound_goes_on_at_once_when_something_was_lost_here() {
        let mut thinning = Thinning::default();
        thinning.lose(true, MediaTime::ZERO);
        assert_eq!(thinning.admit(false, at(1), FRAME), Fate::Decoded);
    }

    #[test]
    fn in_full_nothing_is_left_out() {
        let mut thinning = Thinning::default();
        assert_eq!(decoded(&mut thinning, 0..100, 50).len(), 100);
        assert_eq!((thinning.left_out(), thinning.skipped()), (None, Skipped::default()));
    }

    #[test]
    fn what_the_decoder_skips_is_counted_but_for_what_it_may_hold_back() {
        let mut thinning = Thinning::default();
        thinning.go_to(Depth::References, false);
        for number in 0..300 {
            thinning.admit(number % 50 == 0, at(number), FRAME);
            if number % 3 == 0 {
                thinning.shown(MediaTime::ZERO, FRAME);
            }
        }
        let skipped = 200 - HELD_BACK_MAX;
        assert_eq!(thinning.skipped(), Skipped { pictures: skipped, packets: skipped });
        assert_eq!(thinning.skipped(), Skipped::default());
    }

    #[test]
    fn two_fields_are_one_picture_in_two_packets() {
        let mut thinning = Thinning::default();
        thinning.go_to(Depth::References, false);
        let mut skipped = Skipped::default();
        for number in 0..300 {
            for field in 0..2 {
                thinning.admit(number % 50 == 0 && field == 0, at(number), FRAME);
                if field == 1 {
                    thinning.joins();
                }
            }
            if number % 3 == 0 {
                thinning.shown(MediaTime::ZERO, FRAME);
            }
            let more = thinning.skipped();
            skipped.pictures += more.pictures;
            skipped.packets += more.packets;
        }
        let pictures = 200 - HELD_BACK_MAX;
        assert_eq!(skipped, Skipped { pictures, packets: 2 * pictures });
    }
}
