//! The menu: every case of the truth set, each planted clip with its clean twin.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::case::{Allowed, Asked, Case, Kind, Made};
use super::defect::Defect;
use super::encode::{Encode, late};
use super::material::Material;
use super::source::Source;
use super::{hard, planted_input, planted_picture, planted_real, planted_sound};

/// Detectors that may tell something of a clip, and why.
pub(crate) type Reasons<'a> = &'a [(&'static str, &'static str)];

/// Cases as they are put together.
#[derive(Default)]
pub(crate) struct Menu {
    /// In the order in which they are told.
    pub(crate) cases: Vec<Case>,
    twins: BTreeSet<String>,
}

/// All cases; those of real material only where it could be had.
pub(crate) fn all(material: &Material) -> Vec<Case> {
    let mut menu = Menu::default();
    planted_picture::add(&mut menu);
    planted_sound::add(&mut menu);
    planted_input::add(&mut menu, material);
    planted_real::add(&mut menu, material);
    hard::add(&mut menu, material);
    let mut names = BTreeSet::new();
    for case in &menu.cases {
        assert!(names.insert(case.name.clone()), "two cases are named {}", case.name);
    }
    menu.cases
}

impl Menu {
    /// A planted clip and, unless it is there already, its clean twin.
    pub(crate) fn plant(&mut self, source: &Source, encode: &Encode, defect: Defect) {
        self.plant_asking(source, encode, defect, None);
    }

    /// The same, with arguments for `check` once the detector is built.
    pub(crate) fn plant_asking(&mut self, source: &Source, encode: &Encode, defect: Defect, asked: Option<Asked>) {
        let first = defect.truth.first().map_or("nothing", |planted| planted.detector);
        let name = format!("{first}-{}.{}.{}", defect.label, source.name, encode.name);
        self.cases.push(Case { asked: asked.clone(), ..clip(name, Kind::Planted, source, encode, defect) });
        self.twin(source, encode, asked);
    }

    /// The clean twin of a source in an encoding, once.
    pub(crate) fn twin(&mut self, source: &Source, encode: &Encode, asked: Option<Asked>) {
        let suffix = asked.as_ref().map_or(String::new(), |asked| format!("-asking-{}", asked.detector));
        let name = format!("clean{suffix}.{}.{}", source.name, encode.name);
        if self.twins.insert(name.clone()) {
            self.cases.push(Case { asked, ..clip(name, Kind::Twin, source, encode, Defect::none()) });
        }
    }

    /// The clean twin of a source that has something to tell by itself.
    pub(crate) fn twin_allowing(&mut self, source: &Source, encode: &Encode, allowed: Reasons<'_>) {
        let defect = allowed.iter().fold(Defect::none(), |defect, (detector, why)| defect.allow(detector, why));
        let name = format!("clean.{}.{}", source.name, encode.name);
        if self.twins.insert(name.clone()) {
            self.cases.push(clip(name, Kind::Twin, source, encode, defect));
        }
    }

    /// A clip in which nothing is wrong.
    pub(crate) fn hard(&mut self, source: &Source, encode: &Encode, allowed: Reasons<'_>) {
        let defect = allowed.iter().fold(Defect::none(), |defect, (detector, why)| defect.allow(detector, why));
        let name = format!("hard.{}.{}", source.name, encode.name);
        self.cases.push(clip(name, Kind::Hard, source, encode, defect));
    }

    /// A file as it is, in which nothing is wrong.
    pub(crate) fn hard_file(&mut self, name: &str, file: PathBuf, seconds: f64, allowed: Reasons<'_>) {
        let allowed: Vec<Allowed> = allowed.iter().map(|(detector, why)| Allowed::always(detector, why)).collect();
        let make =
            move || Ok(Made { path: file.clone(), seconds, fps: 25.0, truth: Vec::new(), allowed: allowed.clone() });
        self.cases.push(Case {
            name: format!("hard.{name}.as-it-is"),
            kind: Kind::Hard,
            real: true,
            asked: None,
            make: Box::new(make),
        });
    }
}

/// A planted clip under a name of its own, without a twin.
pub(crate) fn planted(name: String, source: &Source, encode: &Encode, defect: Defect) -> Case {
    clip(name, Kind::Planted, source, encode, defect)
}

/// A clean clip under a name of its own.
pub(crate) fn clean(name: String, source: &Source, encode: &Encode, defect: Defect) -> Case {
    clip(name, Kind::Twin, source, encode, defect)
}

fn clip(name: String, kind: Kind, source: &Source, encode: &Encode, defect: Defect) -> Case {
    let (source, encode, file) = (source.clone(), encode.clone(), name.clone());
    let real = source.real;
    let make = move || {
        let path = encode.cook(&file, &source, &defect.picture, &defect.sound);
        let late = late(&path);
        let (truth, allowed) = (defect.truth.clone(), defect.allowed.clone());
        Ok(Made { path, seconds: source.seconds, fps: encode.fps(&source), truth, allowed }.later(late))
    };
    Case { name, kind, real, asked: None, make: Box::new(make) }
}
