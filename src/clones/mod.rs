//! Several clones of one service: whether together they run every detector on every stream.
//!
//! A clone is the same program with a part of the work: a shard of the streams, a subset of the detectors. No clone
//! knows of the others, so nobody but this check sees what all of them leave out. It reads the configuration of each
//! and compares what they want with what they run. Pure but for reading files; used by `config check --clones`.

mod division;
mod judge;
mod part;
mod words;

use std::collections::BTreeSet;
use std::path::PathBuf;

pub use judge::{Finding, Judgement, Streams, judge};
pub use part::{ClonePart, Names, Wish};

use crate::config::{self, Sources};

/// Most clones that are judged together: as many as there can be shards.
pub const CLONES_MAX: usize = crate::shard::SHARDS_MAX as usize;

/// The clones that were read.
pub struct Clones {
    /// In the order of their files.
    pub parts: Vec<ClonePart>,
    /// What is allowed but probably not meant, each once.
    pub warnings: Vec<String>,
}

/// Reads the configuration of every clone: its file or folder on top of the common layers.
///
/// # Errors
/// Every line that is to be told, each once.
pub fn read(common: &Sources, clones: &[PathBuf]) -> Result<Clones, Vec<String>> {
    if clones.len() > CLONES_MAX {
        return Err(vec![format!("more than {CLONES_MAX} clones")]);
    }
    let (mut parts, mut warnings, mut errors) = (Vec::new(), Lines::default(), Lines::default());
    for clone in clones {
        let mut sources = common.clone();
        sources.files.push(clone.clone());
        match config::load(&sources) {
            Ok(loaded) => {
                loaded.warnings.iter().for_each(|warning| warnings.add(warning.to_string()));
                parts.push(ClonePart::of(&clone.display().to_string(), &loaded));
            }
            // What is wrong with the common layers is wrong for every clone.
            Err(all) => all.to_string().lines().for_each(|line| errors.add(line.to_owned())),
        }
    }
    if errors.lines.is_empty() { Ok(Clones { parts, warnings: warnings.lines }) } else { Err(errors.lines) }
}

/// Lines in their order, each once.
#[derive(Default)]
struct Lines {
    lines: Vec<String>,
    known: BTreeSet<String>,
}

impl Lines {
    fn add(&mut self, line: String) {
        if self.known.insert(line.clone()) {
            self.lines.push(line);
        }
    }
}
