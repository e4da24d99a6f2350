//! Small pictures of a track, a bounded number of them, evenly spread over what was seen so far.
//!
//! Owned by a record. Which pictures will matter is known only when the events are, so one of each
//! second is kept; when there are too many, every other one goes and the distance doubles.

use std::sync::Arc;

use avwatch_actors::media_time::MediaTime;

/// Most pictures of a track.
const STILLS_MAX: usize = 4_096;
/// Most bytes of all pictures of a track.
const BYTES_MAX: usize = 40 << 20;
/// Distance of the first pictures.
const DISTANCE: MediaTime = MediaTime::from_millis(1_000);

/// One small picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Still {
    /// When it is shown.
    pub at: MediaTime,
    /// Width as it is to be shown.
    pub width: u32,
    /// Height as it is to be shown.
    pub height: u32,
    /// A JPEG file.
    pub jpeg: Arc<[u8]>,
}

/// Small pictures of a track.
#[derive(Clone, Debug, PartialEq)]
pub struct Stills {
    distance: MediaTime,
    stills: Vec<Still>,
    bytes: usize,
}

impl Default for Stills {
    fn default() -> Self {
        Self { distance: DISTANCE, stills: Vec::new(), bytes: 0 }
    }
}

impl Stills {
    /// Whether a picture of this time should be kept: the first one of every stretch.
    pub fn wants(&self, at: MediaTime) -> bool {
        self.stills.last().is_none_or(|last| self.stretch(last.at) < self.stretch(at))
    }

    /// Keeps a picture; thins out when there are too many.
    pub fn push(&mut self, still: Still) {
        self.bytes += still.jpeg.len();
        self.stills.push(still);
        while self.stills.len() > 1 && (self.stills.len() > STILLS_MAX || self.bytes > BYTES_MAX) {
            self.thin_out();
        }
    }

    /// The picture to show for what began at `from`: the first one at or after it, else the last one.
    pub fn nearest(&self, from: MediaTime) -> Option<&Still> {
        let place = self.stills.partition_point(|still| still.at < from);
        self.stills.get(place).or(self.stills.last())
    }

    /// Every picture, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Still> {
        self.stills.iter()
    }

    /// The first picture.
    pub fn first(&self) -> Option<&Still> {
        self.stills.first()
    }

    fn stretch(&self, at: MediaTime) -> i64 {
        at.as_nanos().div_euclid(self.distance.as_nanos())
    }

    fn thin_out(&mut self) {
        self.distance += self.distance;
        let (distance, mut last) = (self.distance.as_nanos(), None);
        self.stills.retain(|still| {
            let stretch = still.at.as_nanos().div_euclid(distance);
            let is_first = last != Some(stretch);
            last = Some(stretch);
            is_first
        });
        self.bytes = self.stills.iter().map(|still| still.jpeg.len()).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stills(seconds: i64, bytes: usize) -> Stills {
        let jpeg: Arc<[u8]> = vec![0; bytes].into();
        let mut stills = Stills::default();
        for picture in 0..seconds * 25 {
            let at = MediaTime::from_millis(picture * 40);
            if stills.wants(at) {
                stills.push(Still { at, width: 320, height: 180, jpeg: jpeg.clone() });
            }
        }
        stills
    }

    fn times(stills: &Stills) -> Vec<i64> {
        stills.stills.iter().map(|still| still.at.as_millis() / 1_000).collect()
    }

    #[test]
    fn the_first_picture_of_every_second_is_kept() {
        assert_eq!(times(&stills(12, 10)), (0..12).collect::<Vec<_>>());
    }

    #[test]
    fn the_pictures_of_many_hours_are_as_many_as_may_be_and_evenly_spread() {
        assert_eq!(times(&stills(3_600, 10)).len(), 3_600, "of one hour all are kept");
        assert_eq!(times(&stills(14_400, 10)), (0..3_600).map(|place| place * 4).collect::<Vec<_>>());
    }

    #[test]
    fn large_pictures_are_thinned_out_by_their_bytes() {
        let stills = stills(200, 1 << 20);
        assert!(stills.bytes <= BYTES_MAX && stills.stills.len() >= 20, "{}", stills.stills.len());
    }

    #[test]
    fn the_picture_of_an_event_is_the_first_one_at_or_after_its_begin() {
        let stills = stills(10, 10);
        let at = |millis| stills.nearest(MediaTime::from_millis(millis)).expect("there are some").at.as_millis();
        assert_eq!([at(-5), at(0), at(4_000), at(4_040), at(9_500)], [0, 0, 4_000, 5_000, 9_000]);
        assert!(Stills::default().nearest(MediaTime::ZERO).is_none());
    }
}
