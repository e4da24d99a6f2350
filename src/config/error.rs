//! What can be wrong with a configuration, each with the place at fault.
//!
//! Messages name keys, never values: a value may be a secret.

use std::fmt;

use crate::config::origin::{KeyPath, Origin};

/// Most errors that are kept; a file of another format would otherwise fill the screen.
pub(crate) const ERRORS_MAX: usize = 100;

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigError {
    /// Where it was written.
    pub origin: Origin,
    /// What is wrong with it.
    pub problem: Problem,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.problem)
    }
}

impl std::error::Error for ConfigError {}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Problem {
    /// The file or folder cannot be read.
    #[error("cannot read the configuration: {0}")]
    Unreadable(String),
    /// The text is no TOML, or an argument is no `KEY=VALUE`.
    #[error("{0}")]
    Syntax(String),
    /// A key that does not exist.
    #[error("unknown key '{path}'{}", hint_or_known(nearest.as_deref(), known))]
    UnknownKey {
        /// The key.
        path: KeyPath,
        /// The existing key that was probably meant.
        nearest: Option<String>,
        /// The keys that there are in its place.
        known: Vec<String>,
    },
    /// A value of the wrong type or outside its range.
    #[error("'{path}' must be {expected}{}", hint(nearest.as_deref()))]
    WrongValue {
        /// The key.
        path: KeyPath,
        /// What would be right.
        expected: String,
        /// The word that was probably meant.
        nearest: Option<String>,
    },
    /// A value that fits its type but not its meaning.
    #[error("'{path}': {why}")]
    Invalid {
        /// The key.
        path: KeyPath,
        /// Why not.
        why: String,
    },
    /// A key that must be written and is not.
    #[error("'{path}' is missing")]
    Missing {
        /// The key.
        path: KeyPath,
    },
    /// A key that has a meaning, but not in this version.
    #[error("'{path}' is not available yet: {why}")]
    NotAvailable {
        /// The key.
        path: KeyPath,
        /// What there is instead.
        why: String,
    },
}

impl Problem {
    /// The key at fault, when there is one.
    pub fn path(&self) -> Option<&KeyPath> {
        match self {
            Self::Unreadable(_) | Self::Syntax(_) => None,
            Self::UnknownKey { path, .. }
            | Self::WrongValue { path, .. }
            | Self::Invalid { path, .. }
            | Self::Missing { path }
            | Self::NotAvailable { path, .. } => Some(path),
        }
    }
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map(|word| format!(" (did you mean '{word}'?)")).unwrap_or_default()
}

/// The key that was probably meant, or else all there are.
fn hint_or_known(nearest: Option<&str>, known: &[String]) -> String {
    match (nearest, known) {
        (Some(_), _) => hint(nearest),
        (None, []) => String::new(),
        (None, known) => format!(" (there are {})", known.join(", ")),
    }
}

/// Everything that is wrong with a configuration; prints one line for each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConfigErrors {
    errors: Vec<ConfigError>,
    left_out: usize,
}

impl ConfigErrors {
    /// Adds an error, unless one for the same key at the same place is there already.
    pub(crate) fn push(&mut self, origin: Origin, problem: Problem) {
        let error = ConfigError { origin, problem };
        if self.errors.contains(&error) {
            return;
        }
        if self.errors.len() < ERRORS_MAX {
            self.errors.push(error);
        } else {
            self.left_out += 1;
        }
    }

    /// Whether an error is known already because of which nothing was read at this key, so that this consequence need
    /// not be told: one about the key itself, about what should be the table around it, or about a mistyped key beside
    /// it that was meant to be this one.
    pub(crate) fn concerns(&self, path: &KeyPath) -> bool {
        let around = path.parent();
        self.errors.iter().any(|error| match &error.problem {
            Problem::UnknownKey { path: unknown, nearest, .. } => {
                unknown.parent() == around && nearest.as_deref() == path.last()
            }
            Problem::WrongValue { path: wrong, .. } => wrong == path || Some(wrong) == around.as_ref(),
            other => other.path() == Some(path),
        })
    }

    /// The unknown keys of a table, each with the key that was probably meant.
    pub(crate) fn unknown_in<'a>(
        &'a self,
        table: &'a KeyPath,
    ) -> impl Iterator<Item = (&'a KeyPath, Option<&'a str>)> + 'a {
        self.errors.iter().filter_map(move |error| match &error.problem {
            Problem::UnknownKey { path, nearest, .. } if path.parent().as_ref() == Some(table) => {
                Some((path, nearest.as_deref()))
            }
            _ => None,
        })
    }

    /// The errors in the order of the layers, a hundred at most.
    pub fn iter(&self) -> impl Iterator<Item = &ConfigError> {
        self.errors.iter()
    }

    /// True when nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }

    /// Nothing wrong: the value; otherwise all the errors.
    pub(crate) fn or<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, error) in self.errors.iter().enumerate() {
            if place > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        if self.left_out > 0 {
            write!(f, "\n… and {} more", self.left_out)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// The candidate nearest to a mistyped word, when one is near enough to be meant.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let word = word.to_lowercase();
    // A third of the letters may be wrong: beyond that a suggestion is noise.
    let distance_max = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, candidate), candidate))
        .filter(|(distance, _)| *distance <= distance_max)
        .min()
        .map(|(_, candidate)| candidate.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_suggested_and_a_far_one_is_not() {
        assert_eq!(nearest("blck", ["black", "blur", "freeze"]), Some("black".to_owned()));
        assert_eq!(nearest("URL", ["url", "name"]), Some("url".to_owned()));
        assert_eq!(nearest("zebra", ["black", "freeze"]), None);
    }

    #[test]
    fn a_flood_of_errors_is_counted_not_kept() {
        let mut errors = ConfigErrors::default();
        for number in 0..ERRORS_MAX + 5 {
            errors.push(Origin::Default, Problem::Syntax(number.to_string()));
        }
        assert_eq!(errors.iter().count(), ERRORS_MAX);
        assert!(errors.to_string().ends_with("… and 5 more"));
    }
}
