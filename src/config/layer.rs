//! One layer of the configuration: a tree of values with the origin of each.
//!
//! A file is parsed once, with spans. Its `[[streams]]` and `[[logs]]` become a table by name here, before
//! merging, so that later layers reach a stream by its name instead of replacing the list.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::de::{DeArray, DeTable, DeValue};
use toml::{Table, Value};

use crate::config::error::{ConfigErrors, Problem};
use crate::config::origin::{KeyPath, Origin, Origins};

/// Largest configuration file, in bytes: ten thousand streams fit several times.
pub(crate) const FILE_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Most files of one folder.
pub(crate) const FOLDER_FILES_MAX: usize = 1000;

/// The key under which streams stand.
pub(crate) const STREAMS: &str = "streams";

/// The key under which logs of other programs stand.
pub(crate) const LOGS: &str = "logs";

/// Keys of lists in files that are tables by name everywhere else.
pub(crate) const BY_NAME: [&str; 2] = [STREAMS, LOGS];

/// Values with their origins.
#[derive(Clone, Default)]
pub(crate) struct Layer {
    pub(crate) tree: Table,
    pub(crate) origins: Origins,
}

impl Layer {
    /// The table at a path, when there is one.
    pub(crate) fn table_at(&self, path: &KeyPath) -> Option<&Table> {
        let mut table = &self.tree;
        for key in path.keys() {
            table = table.get(key)?.as_table()?;
        }
        Some(table)
    }

    /// A layer of one value; the path is not the root.
    pub(crate) fn of_one(path: &KeyPath, value: Value, origin: &Origin) -> Self {
        let mut layer = Self::default();
        note_origins(&value, path, origin, &mut layer.origins);
        let (mut place, mut value) = (path.clone(), value);
        while let (Some(key), Some(parent)) = (place.last().map(str::to_owned), place.parent()) {
            let table: Table = std::iter::once((key, value)).collect();
            if parent == KeyPath::root() {
                layer.tree = table;
                break;
            }
            layer.origins.table(parent.clone(), origin.clone());
            (place, value) = (parent, Value::Table(table));
        }
        layer
    }
}

/// Gives a value and everything below it one origin.
fn note_origins(value: &Value, path: &KeyPath, origin: &Origin, origins: &mut Origins) {
    match value {
        Value::Table(table) => {
            origins.table(path.clone(), origin.clone());
            for (key, value) in table {
                note_origins(value, &path.key(key), origin, origins);
            }
        }
        _ => origins.value(path.clone(), origin.clone()),
    }
}

/// The configuration files of a path: itself, or the `*.toml` files of a folder in the order of their names.
pub(crate) fn files_of(path: &Path) -> Result<Vec<PathBuf>, Problem> {
    let fail = |error: std::io::Error| Problem::Unreadable(error.to_string());
    if !std::fs::metadata(path).map_err(fail)?.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(fail)? {
        let file = entry.map_err(fail)?.path();
        let hidden = file.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if file.extension().is_some_and(|extension| extension == "toml") && !hidden && !file.is_dir() {
            files.push(file);
        }
        if files.len() > FOLDER_FILES_MAX {
            return Err(Problem::Unreadable(format!("more than {FOLDER_FILES_MAX} files in one folder")));
        }
    }
    files.sort();
    Ok(files)
}

/// Reads one file.
pub(crate) fn read(path: &Path) -> Result<String, Problem> {
    let fail = |error: std::io::Error| Problem::Unreadable(error.to_string());
    let mut bytes = Vec::new();
    File::open(path).map_err(fail)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Problem::Unreadable(format!("longer than {FILE_BYTES_MAX} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| Problem::Unreadable("not UTF-8 text".to_owned()))
}

/// Parses the text of a file. Of a text with syntax errors nothing is kept.
pub(crate) fn parse(path: &Path, text: &str, errors: &mut ConfigErrors) -> Layer {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader { places: Places::new(path, text), layer: Layer::default(), errors };
    let (root, faults) = DeTable::parse_recoverable(text);
    if !faults.is_empty() {
        for fault in faults {
            let origin = reader.places.origin(fault.span().map_or(0, |span| span.start));
            // The parser's own rendering quotes the line, which may hold a secret; its message does not.
            reader.errors.push(origin, Problem::Syntax(fault.message().replace('\n', ", ")));
        }
        return Layer::default();
    }
    for (key, value) in root.into_inner() {
        let path = KeyPath::of(&[key.get_ref()]);
        let origin = reader.places.origin(key.span().start);
        let value = match value.into_inner() {
            DeValue::Array(list) if BY_NAME.contains(&key.get_ref().as_ref()) => {
                reader.layer.origins.table(path.clone(), origin);
                reader.by_name(list, &path)
            }
            value => reader.value(value, &path, origin),
        };
        if let Some(value) = value {
            reader.layer.tree.insert(key.into_inner().into_owned(), value);
        }
    }
    reader.layer
}

struct Reader<'a> {
    places: Places<'a>,
    layer: Layer,
    errors: &'a mut ConfigErrors,
}

impl Reader<'_> {
    /// Converts a value and notes the origins of everything in it; `None` after an error.
    fn value(&mut self, value: DeValue<'_>, path: &KeyPath, origin: Origin) -> Option<Value> {
        // Noted before what is in it: a list forgets its elements when it is noted.
        match &value {
            DeValue::Table(_) => self.layer.origins.table(path.clone(), origin.clone()),
            _ => self.layer.origins.value(path.clone(), origin.clone()),
        }
        Some(match value {
            DeValue::Table(table) => Value::Table(self.table(table, path)),
            DeValue::Array(list) => {
                let mut values = Vec::new();
                for (index, element) in list.into_iter().enumerate() {
                    let place = self.places.origin(element.span().start);
                    values.extend(self.value(element.into_inner(), &path.index(index), place));
                }
                Value::Array(values)
            }
            DeValue::String(text) => Value::String(text.into_owned()),
            DeValue::Boolean(flag) => Value::Boolean(flag),
            DeValue::Datetime(time) => Value::Datetime(time),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Value::Integer(number),
                Err(_) => return self.refuse(path, origin, "a whole number of 64 bits"),
            },
            DeValue::Float(number) => match number.as_str().parse() {
                Ok(number) => Value::Float(number),
                Err(_) => return self.refuse(path, origin, "a number"),
            },
        })
    }

    fn refuse(&mut self, path: &KeyPath, origin: Origin, expected: &str) -> Option<Value> {
        let expected = expected.to_owned();
        self.errors.push(origin, Problem::WrongValue { path: path.clone(), expected, nearest: None });
        None
    }

    fn table(&mut self, table: DeTable<'_>, path: &KeyPath) -> Table {
        let mut values = Table::new();
        for (key, value) in table {
            let place = self.places.origin(key.span().start);
            let below = path.key(key.get_ref());
            if let Some(value) = self.value(value.into_inner(), &below, place) {
                values.insert(key.into_inner().into_owned(), value);
            }
        }
        values
    }

    /// `[[streams]]` or `[[logs]]` as a table by name.
    fn by_name(&mut self, list: DeArray<'_>, path: &KeyPath) -> Option<Value> {
        let mut tables = Table::new();
        for (index, element) in list.into_iter().enumerate() {
            let origin = self.places.origin(element.span().start);
            let place = path.index(index);
            let DeValue::Table(table) = element.into_inner() else {
                self.refuse(&place, origin, "a table");
                continue;
            };
            let name = match table.get("name").map(|name| (name.span().start, name.get_ref())) {
                Some((_, DeValue::String(name))) => name.to_string(),
                Some((start, _)) => {
                    self.refuse(&place.key("name"), self.places.origin(start), "a text");
                    continue;
                }
                None => {
                    self.errors.push(origin, Problem::Missing { path: place.key("name") });
                    continue;
                }
            };
            let place = path.key(&name);
            if tables.contains_key(&name) {
                let why = format!("defined twice in this file; first at {}", self.layer.origins.of(&place));
                self.errors.push(origin, Problem::Invalid { path: place, why });
                continue;
            }
            self.layer.origins.table(place.clone(), origin);
            let table = self.table(table, &place);
            tables.insert(name, Value::Table(table));
        }
        Some(Value::Table(tables))
    }
}

/// Finds line and column of a byte offset.
struct Places<'a> {
    path: Arc<Path>,
    text: &'a str,
    /// Byte offset at which each line begins.
    lines: Vec<usize>,
}

impl<'a> Places<'a> {
    fn new(path: &Path, text: &'a str) -> Self {
        let starts = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { path: path.into(), text, lines: std::iter::once(0).chain(starts).collect() }
    }

    fn origin(&self, offset: usize) -> Origin {
        let line = self.lines.partition_point(|start| *start <= offset);
        let start = self.lines[line.saturating_sub(1)];
        let column = self.text.get(start..offset).map_or(0, |before| before.chars().count()) + 1;
        Origin::File { path: Arc::clone(&self.path), line: line as u32, column: column as u32 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Layer, String) {
        let mut errors = ConfigErrors::default();
        let layer = parse(Path::new("a.toml"), text, &mut errors);
        (layer, errors.to_string())
    }

    fn origin(layer: &Layer, keys: &[&str]) -> String {
        layer.origins.of(&KeyPath::of(keys)).to_string()
    }

    #[test]
    fn every_key_knows_its_line_and_column() {
        let (layer, errors) = parsed(concat!(
            "data_dir = \"/x\"\n[sources]\n  allow = [\n  \"é\", \"b\"]\n",
            "[[streams]]\nname = \"a\"\nsrt = { latency = \"1s\" }\n[streams.tracks.\"audio:1\"]\nrole = \"x\"\n",
        ));
        assert_eq!(errors, "");
        assert_eq!(origin(&layer, &["data_dir"]), "a.toml:1:1");
        assert_eq!(origin(&layer, &["sources", "allow"]), "a.toml:3:3");
        assert_eq!(origin(&layer, &["sources", "allow", "[1]"]), "a.toml:4:8");
        assert_eq!(origin(&layer, &["streams", "a"]), "a.toml:5:1");
        assert_eq!(origin(&layer, &["streams", "a", "srt", "latency"]), "a.toml:7:9");
        assert_eq!(origin(&layer, &["streams", "a", "tracks", "audio:1", "role"]), "a.toml:9:1");
    }

    #[test]
    fn syntax_errors_show_their_place_but_not_the_line() {
        let (_, errors) = parsed("a = 1\nb = \"S3cret\nc = S3cret\n");
        assert!(errors.starts_with("a.toml:2:"), "{errors}");
        assert!(!errors.contains("S3cret"), "{errors}");
    }

    #[test]
    fn a_stream_needs_a_name_and_has_it_alone() {
        let (layer, errors) = parsed(
            "[[streams]]\nurl = \"x\"\n[[streams]]\nname = 1\n[[streams]]\nname = \"a\"\n[[streams]]\nname = \"a\"\n",
        );
        let lines: Vec<&str> = errors.lines().collect();
        assert_eq!(
            lines,
            [
                "a.toml:1:1: 'streams[0].name' is missing",
                "a.toml:4:8: 'streams[1].name' must be a text",
                "a.toml:7:1: 'streams.a': defined twice in this file; first at a.toml:5:1",
            ]
        );
        assert_eq!(layer.table_at(&KeyPath::of(&["streams"])).map(Table::len), Some(1));
    }
}
