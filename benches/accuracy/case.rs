//! Cases: a clip, how it comes about, and what is known to be right and wrong with it.
//!
//! A case is made on demand by a worker thread; its truth is known only then where it depends on
//! what a decoder makes of a damaged stream.

use std::path::PathBuf;

use super::common::media::Planted;

/// What a case is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Something was planted; recall and onset are judged on these.
    Planted,
    /// The same source and the same encoding with nothing planted.
    Twin,
    /// Nothing is wrong, and it was chosen to mislead.
    Hard,
}

impl Kind {
    /// For the documents.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Planted => "planted",
            Self::Twin => "clean twin",
            Self::Hard => "hard clean",
        }
    }
}

/// An event that may be told although it was not planted as such, and why that is right.
#[derive(Clone, Debug)]
pub(crate) struct Allowed {
    /// The detector.
    pub(crate) detector: &'static str,
    /// From when on.
    pub(crate) from: f64,
    /// Until when.
    pub(crate) to: f64,
    /// Why.
    pub(crate) why: &'static str,
}

impl Allowed {
    /// Allowed at any time of the clip.
    pub(crate) fn always(detector: &'static str, why: &'static str) -> Self {
        Self { detector, from: 0.0, to: f64::MAX, why }
    }
}

/// A clip that exists, with its truth.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    /// The file.
    pub(crate) path: PathBuf,
    /// How long it lasts.
    pub(crate) seconds: f64,
    /// Pictures a second; onset errors are told in frames of this rate.
    pub(crate) fps: f64,
    /// What was planted.
    pub(crate) truth: Vec<Planted>,
    /// What else may be told.
    pub(crate) allowed: Vec<Allowed>,
}

impl Made {
    /// The same with everything so much later.
    pub(crate) fn later(mut self, by: f64) -> Self {
        for planted in &mut self.truth {
            planted.start += by;
            planted.end += by;
        }
        for allowed in &mut self.allowed {
            allowed.from += by;
            allowed.to += by;
        }
        self
    }
}

/// Arguments of `check` that a case needs, passed once the detector they are for is built.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The detector that the arguments are for.
    pub(crate) detector: &'static str,
    /// The arguments.
    pub(crate) arguments: Vec<&'static str>,
}

/// How a clip is made; run by any worker, at most once.
pub(crate) type Make = Box<dyn Fn() -> Result<Made, String> + Send + Sync>;

/// A clip to be made and judged.
pub(crate) struct Case {
    /// `DETECTOR-WHAT.SOURCE.ENCODING`; unique.
    pub(crate) name: String,
    /// What it is for.
    pub(crate) kind: Kind,
    /// Its pictures or sound are real material.
    pub(crate) real: bool,
    /// What `check` is told besides, if anything.
    pub(crate) asked: Option<Asked>,
    /// Makes it.
    pub(crate) make: Make,
}
