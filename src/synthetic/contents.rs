//! The contents of pictures: the programme, or what a defect shows in its place.
//!
//! Owned by whoever makes one stream or one clip. The programme is painted picture by picture, or comes from a reel
//! that many streams share.

use std::sync::Arc;

use avwatch_actors::media_time::MediaTime;

use super::defect::DefectKind;
use super::drive::Reel;
use super::picture::{PictureMaker, YuvPicture};
use super::recipe::Recipe;
use super::still::Stills;

/// What shows the programme.
enum Supply {
    Painted(Box<PictureMaker>),
    Shared(Arc<Reel>, u64),
}

/// Makes what is in one stream's pictures.
pub(super) struct Contents {
    supply: Supply,
    stills: Stills,
    frozen: Option<(u64, Arc<YuvPicture>)>,
}

impl Contents {
    /// The contents of a recipe; pictures of the reel when there is one.
    pub(super) fn new(recipe: &Recipe, reel: Option<&Arc<Reel>>) -> Self {
        let supply = match reel {
            Some(reel) => Supply::Shared(reel.clone(), recipe.seed),
            None => Supply::Painted(Box::new(PictureMaker::new(recipe))),
        };
        Self { supply, stills: Stills::default(), frozen: None }
    }

    /// The picture of that number, with the defect that is there, and since when.
    pub(super) fn picture(
        &mut self,
        recipe: &Recipe,
        number: u64,
        defect: Option<(DefectKind, MediaTime)>,
    ) -> Arc<YuvPicture> {
        let Some((kind, from)) = defect else {
            self.frozen = None;
            return self.programme(number);
        };
        if kind == DefectKind::Freeze {
            let onset = recipe.fps.first_at(from);
            if let Some((frozen, picture)) = &self.frozen
                && *frozen == onset
            {
                return picture.clone();
            }
            let picture = self.programme(onset);
            self.frozen = Some((onset, picture.clone()));
            return picture;
        }
        let still = match &self.supply {
            Supply::Shared(reel, _) => reel.still(kind),
            Supply::Painted(_) => self.stills.of(kind, recipe),
        };
        still.unwrap_or_else(|| self.programme(number))
    }

    fn programme(&mut self, number: u64) -> Arc<YuvPicture> {
        match &mut self.supply {
            Supply::Painted(maker) => maker.make(number),
            Supply::Shared(reel, seed) => reel.picture(number, *seed),
        }
    }
}
