//! The registry of detectors: one file each, one row each.

mod kind;
mod settings;

pub use kind::{Defaults, DetectorKind, OptionDoc, OptionValue, Options};
pub use settings::DetectorSettings;

/// Every detector, by number.
pub const ALL: &[&DetectorKind] = &[];

/// The detector of that name.
pub fn by_name(name: &str) -> Option<&'static DetectorKind> {
    ALL.iter().copied().find(|kind| kind.name == name)
}
