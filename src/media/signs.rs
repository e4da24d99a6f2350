//! What the decoder and the packets said of each frame, and how far damage reaches.
//!
//! Evidence is found packet by packet in decoding order, frames are judged in the order they are
//! shown. Damage holds from the first evidence until a key frame or recovery point has been shown
//! cleanly, because everything in between may refer to what was damaged; decoders flag only a
//! tenth of it. Pictures shown before a key frame but decoded after it (open GOP) settle with it.
//! Pure, one per track, on the session's thread.

use avwatch_actors::frame::DecodeSigns;

/// Most pieces of evidence held at once; beyond it the newest replaces the one before.
const EVIDENCE_MAX: usize = 64;

/// What was wrong with one packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PacketTrouble {
    /// Marked by the demuxer: lost or damaged transport packets.
    pub corrupt: bool,
    /// Errors that the decoder returned or wrote to its log.
    pub errors: u16,
    /// The decoder said that it concealed something.
    pub concealed: bool,
    /// The decoder said that a picture it refers to is missing.
    pub reference_missing: bool,
}

impl PacketTrouble {
    /// Anything at all.
    pub(crate) fn any(self) -> bool {
        self != Self::default()
    }
}

/// Whether decoding began in an open group: at a key picture followed by pictures that are shown before it and
/// refer to what came earlier. Until the next key picture the decoder misses references that nobody lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Join {
    /// No key picture was decoded yet.
    #[default]
    Awaited,
    /// At a key picture with that raw time of showing.
    At(i64),
    /// In an open group.
    Open,
    /// Long enough ago, or in a closed group.
    Over,
}

impl Join {
    /// A packet is decoded.
    pub(crate) fn packet(&mut self, key: bool, pts: Option<i64>) {
        *self = match (*self, pts) {
            (Self::Awaited, Some(pts)) if key => Self::At(pts),
            (Self::At(_) | Self::Open, _) if key => Self::Over,
            (Self::At(begun), Some(pts)) if pts < begun => Self::Open,
            (same, _) => same,
        };
    }
}

/// A frame as the decoder delivers it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ShownFrame {
    /// Number of its packet in decoding order.
    pub packet: u64,
    /// Raw presentation time.
    pub pts: Option<i64>,
    /// A random access point.
    pub key: bool,
    /// The frame itself carries a mark of damage.
    pub marked: bool,
    /// The frame itself carries a mark of concealment.
    pub concealed: bool,
}

#[derive(Clone, Copy, Debug)]
struct Evidence {
    packet: u64,
    pts: Option<i64>,
    trouble: PacketTrouble,
    /// Already reported with a frame: only its reach still counts.
    told: bool,
}

/// The damage of one track.
#[derive(Debug)]
pub(crate) struct DamageTracker {
    intra_only: bool,
    tuned: bool,
    evidence: Vec<Evidence>,
}

impl DamageTracker {
    /// Starts clean; with `intra_only` no frame refers to another.
    pub(crate) fn new(intra_only: bool) -> Self {
        Self { intra_only, tuned: false, evidence: Vec::new() }
    }

    /// Takes down what was wrong with a packet; nothing if nothing was.
    pub(crate) fn packet(&mut self, packet: u64, pts: Option<i64>, trouble: PacketTrouble) {
        if !trouble.any() {
            return;
        }
        if let Some(last) = self.evidence.last_mut().filter(|last| last.packet == packet && !last.told) {
            last.trouble.corrupt |= trouble.corrupt;
            last.trouble.concealed |= trouble.concealed;
            last.trouble.reference_missing |= trouble.reference_missing;
            last.trouble.errors = last.trouble.errors.saturating_add(trouble.errors);
            return;
        }
        // The oldest says from where on, the newest how far: those between may go.
        if self.evidence.len() == EVIDENCE_MAX {
            self.evidence.pop();
        }
        self.evidence.push(Evidence { packet, pts, trouble, told: false });
    }

    /// Judges a frame as it is shown.
    pub(crate) fn shown(&mut self, frame: ShownFrame) -> DecodeSigns {
        let mut signs = DecodeSigns { key: frame.key, concealed: frame.concealed, ..DecodeSigns::default() };
        let mut own = frame.marked || frame.concealed;
        for evidence in self.evidence.iter_mut().filter(|evidence| evidence.packet <= frame.packet && !evidence.told) {
            evidence.told = true;
            signs.errors = signs.errors.saturating_add(evidence.trouble.errors);
            if evidence.packet == frame.packet {
                own = true;
                signs.packet_corrupt |= evidence.trouble.corrupt;
                signs.concealed |= evidence.trouble.concealed;
                signs.reference_missing |= evidence.trouble.reference_missing;
            }
        }
        if self.intra_only {
            signs.damaged = own || signs.errors > 0;
            signs.key = true;
            self.tuned = true;
            self.evidence.retain(|evidence| evidence.packet > frame.packet);
        } else {
            if own && (frame.marked || frame.concealed) {
                self.mark(frame);
            }
            if frame.key {
                self.tuned = true;
                self.settle(frame, own);
            }
            signs.damaged = self.evidence.iter().any(|evidence| evidence.packet <= frame.packet);
        }
        signs.tuned = self.tuned;
        signs
    }

    /// A mark that came with the frame is evidence too, already told.
    fn mark(&mut self, frame: ShownFrame) {
        if self.evidence.iter().any(|evidence| evidence.packet == frame.packet) {
            return;
        }
        if self.evidence.len() == EVIDENCE_MAX {
            self.evidence.pop();
        }
        let trouble = PacketTrouble::default();
        self.evidence.push(Evidence { packet: frame.packet, pts: frame.pts, trouble, told: true });
    }

    /// A key frame ends the reach of what came before it, in decoding order or on the screen.
    fn settle(&mut self, key: ShownFrame, own: bool) {
        self.evidence.retain(|evidence| {
            if evidence.packet == key.packet {
                return own;
            }
            let leading = match (evidence.pts, key.pts) {
                (Some(evidence), Some(key)) => evidence < key,
                _ => false,
            };
            evidence.packet > key.packet && !leading && !evidence.told
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TROUBLE: PacketTrouble =
        PacketTrouble { corrupt: true, errors: 1, concealed: false, reference_missing: false };

    /// Shows frames given as (packet, pts, key) and returns which are damaged.
    fn check(tracker: &mut DamageTracker, frames: &[(u64, i64, bool)]) -> Vec<bool> {
        frames
            .iter()
            .map(|&(packet, pts, key)| {
                tracker.shown(ShownFrame { packet, pts: Some(pts), key, ..ShownFrame::default() }).damaged
            })
            .collect()
    }

    #[test]
    fn damage_lasts_until_the_next_key_frame() {
        let mut tracker = DamageTracker::new(false);
        assert_eq!(check(&mut tracker, &[(0, 0, true), (1, 1, false)]), [false, false]);
        tracker.packet(2, Some(2), TROUBLE);
        let frames = [(2, 2, false), (3, 3, false), (4, 4, true), (5, 5, false)];
        assert_eq!(check(&mut tracker, &frames), [true, true, false, false]);
    }

    #[test]
    fn pictures_decoded_before_the_evidence_are_clean() {
        // I0 P3 B1 B2 with B2 damaged: B1 and, in this order, nothing before it suffers.
        let mut tracker = DamageTracker::new(false);
        tracker.packet(3, Some(2), TROUBLE);
        assert_eq!(check(&mut tracker, &[(0, 0, true), (2, 1, false), (3, 2, false)]), [false, false, true]);
    }

    #[test]
    fn a_damaged_key_frame_does_not_end_damage() {
        let mut tracker = DamageTracker::new(false);
        check(&mut tracker, &[(0, 0, true)]);
        tracker.packet(1, Some(1), TROUBLE);
        assert_eq!(check(&mut tracker, &[(1, 1, true), (2, 2, false), (3, 3, true)]), [true, true, false]);
    }

    #[test]
    fn a_mark_on_the_frame_itself_reaches_as_far() {
        let mut tracker = DamageTracker::new(false);
        check(&mut tracker, &[(0, 0, true)]);
        let marked = ShownFrame { packet: 1, pts: Some(1), marked: true, ..ShownFrame::default() };
        assert!(tracker.shown(marked).damaged);
        assert_eq!(check(&mut tracker, &[(2, 2, false), (3, 3, true), (4, 4, false)]), [true, false, false]);
    }

    #[test]
    fn leading_pictures_after_tuning_in_are_no_damage() {
        // I2 B0 B1 P5: the leading B pictures refer to what was never received.
        let mut tracker = DamageTracker::new(false);
        tracker.packet(1, Some(0), TROUBLE);
        tracker.packet(2, Some(1), TROUBLE);
        let first = tracker.shown(ShownFrame { packet: 1, pts: Some(0), ..ShownFrame::default() });
        assert!(!first.tuned && first.damaged);
        assert_eq!(check(&mut tracker, &[(0, 2, true), (3, 5, false)]), [false, false]);
    }

    #[test]
    fn leading_pictures_of_a_damaged_group_stay_damaged_until_the_key_frame_shows() {
        let mut tracker = DamageTracker::new(false);
        check(&mut tracker, &[(0, 0, true)]);
        tracker.packet(1, Some(1), TROUBLE);
        let frames = [(1, 1, false), (3, 2, false), (4, 3, false), (2, 4, true), (5, 5, false)];
        assert_eq!(check(&mut tracker, &frames), [true, true, true, false, false]);
    }

    #[test]
    fn an_error_without_a_frame_is_told_with_the_next_frame() {
        let mut tracker = DamageTracker::new(false);
        check(&mut tracker, &[(0, 0, true)]);
        tracker.packet(1, Some(1), PacketTrouble { errors: 2, ..PacketTrouble::default() });
        let next = tracker.shown(ShownFrame { packet: 2, pts: Some(2), ..ShownFrame::default() });
        assert_eq!((next.errors, next.damaged, next.packet_corrupt), (2, true, false));
        let after = tracker.shown(ShownFrame { packet: 3, pts: Some(3), ..ShownFrame::default() });
        assert_eq!((after.errors, after.damaged), (0, true), "told once, but the damage goes on");
    }

    #[test]
    fn without_references_only_the_frame_itself_is_damaged() {
        let mut tracker = DamageTracker::new(true);
        tracker.packet(1, Some(1), TROUBLE);
        let frames = [(0, 0, true), (1, 1, true), (2, 2, true)];
        assert_eq!(check(&mut tracker, &frames), [false, true, false]);
    }

    #[test]
    fn a_flood_of_evidence_is_bounded() {
        let mut tracker = DamageTracker::new(false);
        for packet in 0..10_000 {
            tracker.packet(packet, None, TROUBLE);
        }
        assert!(tracker.evidence.len() <= EVIDENCE_MAX);
        assert!(tracker.shown(ShownFrame { packet: 5_000, ..ShownFrame::default() }).damaged);
    }
}
