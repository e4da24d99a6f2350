//! Key paths and where each key came from, so that every error can point at the line at fault.
//!
//! Plain data; filled while layers are read, looked up by every later check.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The place of a key in the configuration, such as `streams."news.hd".url` or `sources.allow[1]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyPath(Vec<String>);

impl KeyPath {
    /// The configuration as a whole.
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    /// The path of these keys.
    pub fn of(keys: &[&str]) -> Self {
        Self(keys.iter().map(|key| (*key).to_owned()).collect())
    }

    /// The path of a key below this one.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        let mut keys = self.0.clone();
        keys.push(key.to_owned());
        Self(keys)
    }

    /// The path of an element of the list at this one.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.key(&format!("[{index}]"))
    }

    /// The path above, until the root.
    pub fn parent(&self) -> Option<Self> {
        let (_, above) = self.0.split_last()?;
        Some(Self(above.to_vec()))
    }

    /// The keys from the root down; list elements as `[0]`.
    pub fn keys(&self) -> &[String] {
        &self.0
    }

    /// The last key.
    pub fn last(&self) -> Option<&str> {
        self.0.last().map(String::as_str)
    }
}

/// Whether a key may be written without quotes.
pub(crate) fn is_bare(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, key) in self.0.iter().enumerate() {
            let inside = key.strip_prefix('[').and_then(|key| key.strip_suffix(']'));
            let is_index = inside.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
            if place > 0 && !is_index {
                f.write_str(".")?;
            }
            // Keys are text from outside: control characters are escaped by the quoted form.
            if is_index || is_bare(key) { f.write_str(key)? } else { write!(f, "{key:?}")? }
        }
        Ok(())
    }
}

/// Where a key came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Built in: nobody wrote it.
    #[default]
    Default,
    /// A configuration file; line 0 means the file as a whole.
    File {
        /// As given on the command line, or the full path.
        path: Arc<Path>,
        /// From 1.
        line: u32,
        /// In characters, from 1.
        column: u32,
    },
    /// An environment variable.
    Environment {
        /// Its name.
        key: String,
    },
    /// A `--set` argument.
    Set {
        /// The part before `=`; the value may be a secret and is never kept here.
        argument: String,
    },
    /// A command-line option of its own for one key.
    Option {
        /// Such as `--shard`.
        name: &'static str,
    },
}

impl Origin {
    /// A file as a whole.
    pub fn whole_file(path: &Path) -> Self {
        Self::File { path: path.into(), line: 0, column: 0 }
    }

    /// The file, for origins that are one.
    pub fn file(&self) -> Option<PathBuf> {
        match self {
            Self::File { path, .. } => Some(path.to_path_buf()),
            Self::Default | Self::Environment { .. } | Self::Set { .. } | Self::Option { .. } => None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line: 0, .. } => write!(f, "{}", path.display()),
            Self::File { path, line, column } => write!(f, "{}:{line}:{column}", path.display()),
            Self::Environment { key } => write!(f, "environment {key}"),
            Self::Set { argument } if argument.is_empty() => f.write_str("--set"),
            Self::Set { argument } => write!(f, "--set {argument}"),
            Self::Option { name } => f.write_str(name),
        }
    }
}

/// The origin of every written key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Origins(BTreeMap<KeyPath, Origin>);

impl Origins {
    /// Notes where a value was written; a later one wins.
    pub fn value(&mut self, path: KeyPath, origin: Origin) {
        // A list that is replaced takes the places of its elements with it.
        let below: Vec<KeyPath> = self
            .0
            .range((Bound::Excluded(&path), Bound::Unbounded))
            .map(|(place, _)| place)
            .take_while(|place| place.0.starts_with(&path.0))
            .cloned()
            .collect();
        for place in below {
            self.0.remove(&place);
        }
        self.0.insert(path, origin);
    }

    /// Notes where a table was opened; the first one is kept, because that is where its owner looks.
    pub fn table(&mut self, path: KeyPath, origin: Origin) {
        self.0.entry(path).or_insert(origin);
    }

    /// Where the key was written, or the nearest table above it.
    pub fn of(&self, path: &KeyPath) -> Origin {
        let mut place = Some(path.clone());
        while let Some(path) = place {
            if let Some(origin) = self.0.get(&path) {
                return origin.clone();
            }
            place = path.parent();
        }
        Origin::Default
    }

    /// Whether someone wrote exactly this key.
    pub fn contains(&self, path: &KeyPath) -> bool {
        self.0.contains_key(path)
    }

    /// Whether someone wrote a key below this one: it is a table then.
    pub fn has_below(&self, path: &KeyPath) -> bool {
        let next = self.0.range((Bound::Excluded(path), Bound::Unbounded)).next();
        next.is_some_and(|(place, _)| place.0.starts_with(&path.0))
    }

    /// Adds the origins of a later layer, whose tables are those listed by `is_table`.
    pub(crate) fn absorb(&mut self, later: &Self, is_table: impl Fn(&KeyPath) -> bool) {
        for (path, origin) in &later.0 {
            if is_table(path) {
                self.table(path.clone(), origin.clone());
            } else {
                self.value(path.clone(), origin.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_print_as_they_are_written() {
        let path = KeyPath::of(&["streams", "news.hd", "tracks", "audio:1"]);
        assert_eq!(path.to_string(), "streams.\"news.hd\".tracks.\"audio:1\"");
        assert_eq!(KeyPath::of(&["sources", "allow"]).index(1).to_string(), "sources.allow[1]");
    }

    #[test]
    fn a_list_that_is_replaced_forgets_where_its_elements_were() {
        let mut origins = Origins::default();
        let path = KeyPath::of(&["sources", "allow"]);
        let (file, set) = (Origin::whole_file(Path::new("a")), Origin::Set { argument: "sources.allow".to_owned() });
        origins.value(path.clone(), file.clone());
        origins.value(path.index(1), file);
        origins.value(path.clone(), set.clone());
        assert_eq!(origins.of(&path.index(1)), set);
    }

    #[test]
    fn a_table_is_known_by_what_stands_below_it() {
        let mut origins = Origins::default();
        origins.value(KeyPath::of(&["receivers", "a", "slak", "url"]), Origin::default());
        origins.value(KeyPath::of(&["receivers", "a", "slaks"]), Origin::default());
        assert!(origins.has_below(&KeyPath::of(&["receivers", "a", "slak"])));
        assert!(!origins.has_below(&KeyPath::of(&["receivers", "a", "sla"])));
        assert!(!origins.has_below(&KeyPath::of(&["receivers", "a", "slaks"])));
    }

    #[test]
    fn a_key_that_nobody_wrote_has_the_origin_of_its_table() {
        let mut origins = Origins::default();
        let set = Origin::Set { argument: "streams.a".to_owned() };
        origins.table(KeyPath::of(&["streams", "a"]), set.clone());
        assert_eq!(origins.of(&KeyPath::of(&["streams", "a", "url"])), set);
        assert_eq!(origins.of(&KeyPath::of(&["server", "listen"])), Origin::Default);
    }
}
