//! Deblocking: which pictures go through the filter that smooths the edges of coded blocks.
//!
//! H.264 filters every picture after it is decoded (ITU-T H.264, 8.7), for the eye and for the pictures that refer to
//! it. To pictures that no other refers to, B-pictures as a rule, it makes no difference to what follows whether they
//! are filtered, and of what is measured only seams of blocks and sharpness tell the difference. While a stream is
//! well these are looked at in the other pictures alone, and those are decoded unfiltered, which saves up to a
//! tenth of decoding. As soon as something looks like damage, every picture is filtered and looked at for a while; a pattern
//! whose squares move along the grid of blocks looks like that for as long as it lasts.
//!
//! Pure, one per track of pictures, on its session's thread.

use avwatch_actors::frame::PictureFacts;
use avwatch_actors::media_time::MediaTime;

use super::slices::Slice;

/// How long every picture is filtered after the last that looked damaged: so long hits of `block_corruption` count together.
const WARY: MediaTime = MediaTime::from_millis(2_000);
/// Torn blocks beyond what content tears that look like damage: deviations of what chance gives, as of a hit of
/// `block_corruption` …
const DEVIATIONS: f32 = 2.0;
/// … and the least share of all blocks that its option `excess` takes.
const EXCESS_MIN: f32 = 0.000_2;
/// Pictures in a row that may be left out: B-pictures between two others in usual streams. Of streams in which hardly any
/// picture is referred to, one in so many is looked at all the same.
const IN_A_ROW_MAX: u32 = 7;

/// Decides for one track of H.264 which packets are decoded unfiltered.
#[derive(Debug, Default)]
pub(crate) struct UnfilteredPictures {
    /// How long pictures are still to be filtered, all of them.
    wary: MediaTime,
    in_a_row: u32,
}

impl UnfilteredPictures {
    /// Whether a picture is to be decoded unfiltered: no other refers to it, and nothing looks like damage.
    pub(crate) fn takes(&mut self, picture: Option<Slice>) -> bool {
        let may_be = self.wary == MediaTime::ZERO && picture.is_some_and(|slice| !slice.is_referred_to);
        let is_taken = may_be && self.in_a_row < IN_A_ROW_MAX;
        self.in_a_row = if is_taken { self.in_a_row + 1 } else { 0 };
        is_taken
    }

    /// Something is wrong.
    pub(crate) fn suspect(&mut self) {
        self.wary = WARY;
    }

    /// Takes in what a picture showed for so long.
    pub(crate) fn saw(&mut self, facts: &PictureFacts, lasts: MediaTime) {
        let seams = &facts.seams;
        let is_torn = seams.measured && seams.excess() > EXCESS_MIN.max(DEVIATIONS * seams.chance());
        if facts.signs.damaged || is_torn {
            self.suspect();
        } else {
            self.wary = (self.wary - lasts).max(MediaTime::ZERO);
        }
    }
}

#[cfg(test)]
mod tests {
    use avwatch_actors::frame::{DecodeSigns, SeamFacts};

    use super::*;

    const NON_REFERENCE: Option<Slice> = Some(Slice { is_idr: false, is_referred_to: false });

    const PICTURE: MediaTime = MediaTime::from_millis(40);

    #[test]
    fn what_others_refer_to_and_what_is_not_known_is_filtered() {
        let mut pictures = UnfilteredPictures::default();
        assert!(pictures.takes(NON_REFERENCE));
        assert!(!pictures.takes(Some(Slice { is_idr: false, is_referred_to: true })));
        assert!(!pictures.takes(None));
    }

    #[test]
    fn where_no_picture_is_referred_to_one_in_eight_is_filtered() {
        let mut pictures = UnfilteredPictures::default();
        assert_eq!((0..80).filter(|_| !pictures.takes(NON_REFERENCE)).count(), 10);
    }

    #[test]
    fn after_damage_every_picture_is_filtered_for_two_seconds() {
        let seams =
            SeamFacts { measured: true, torn: 40, blocks: 8_160, blocks_shifted: 7_973, ..SeamFacts::default() };
        let torn = PictureFacts { seams, ..PictureFacts::default() };
        let damaged =
            PictureFacts { signs: DecodeSigns { damaged: true, ..DecodeSigns::default() }, ..PictureFacts::default() };
        for facts in [torn, damaged] {
            let mut pictures = UnfilteredPictures::default();
            assert!(pictures.takes(NON_REFERENCE));
            pictures.saw(&facts, PICTURE);
            for _ in 0..50 {
                assert!(!pictures.takes(NON_REFERENCE));
                pictures.saw(&PictureFacts::default(), PICTURE);
            }
            assert!(pictures.takes(NON_REFERENCE));
        }
        let mut pictures = UnfilteredPictures::default();
        pictures.suspect();
        assert!(!pictures.takes(NON_REFERENCE));
    }

    #[test]
    fn what_content_tears_by_chance_is_no_damage() {
        for (torn, torn_shifted) in [(0, 0), (3, 0), (60, 52), (400, 390)] {
            let seams =
                SeamFacts { measured: true, torn, torn_shifted, blocks: 8_160, blocks_shifted: 7_973, grey_share: 0.0 };
            let mut pictures = UnfilteredPictures::default();
            pictures.saw(&PictureFacts { seams, ..PictureFacts::default() }, PICTURE);
            assert!(pictures.takes(NON_REFERENCE), "{torn} and {torn_shifted}");
        }
    }
}
