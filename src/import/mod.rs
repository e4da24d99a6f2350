//! Channel lists of other programs – M3U, CSV, JSON – as streams to watch.
//!
//! Every stream comes with `mode = "observe"`: it is recorded but pages nobody until its settings fit.
//! Pure: text in, settings out. Addresses are judged where the settings are.

mod csv;
mod m3u;

use std::collections::BTreeSet;
use std::str::FromStr;

use serde_json::{Map, Value, json};

/// Most streams of one list.
pub const STREAMS_MAX: usize = 10_000;

/// Most columns that are named as not taken.
pub const IGNORED_MAX: usize = 100;

/// Longest name of such a column, in letters.
pub const IGNORED_LETTERS_MAX: usize = 64;

/// Longest name that is made of a title, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// How a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListFormat {
    /// Extended M3U with `#EXTINF`.
    M3u,
    /// Comma or semicolon separated, the columns named in the first line.
    Csv,
    /// A list of objects, or an object with the list under `streams` or `channels`.
    Json,
}

impl FromStr for ListFormat {
    type Err = ImportError;
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word.to_ascii_lowercase().as_str() {
            "m3u" | "m3u8" => Ok(Self::M3u),
            "csv" => Ok(Self::Csv),
            "json" => Ok(Self::Json),
            _ => Err(ImportError::Format),
        }
    }
}

/// Why a list cannot be read. Never repeats what stands in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// An unknown format.
    #[error("the format must be m3u, csv or json")]
    Format,
    /// Not of the format that it should be.
    #[error("line {line}: {why}")]
    Line {
        /// Where, from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// Too many streams.
    #[error("the list has more than {STREAMS_MAX} streams")]
    TooMany,
}

/// One channel of a list, before it has a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Channel {
    name: Option<String>,
    title: Option<String>,
    group: Option<String>,
    url: String,
    user_agent: Option<String>,
    line: usize,
}

/// A stream of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// Its name, unique in the list.
    pub name: String,
    /// Its settings, without the name.
    pub settings: Map<String, Value>,
    /// Where it stands in the list, from 1.
    pub line: usize,
}

/// What was read of a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct List {
    /// Its streams, in order.
    pub streams: Vec<Imported>,
    /// Columns of a table, or keys of its objects, that were not taken: at most [`IGNORED_MAX`], as they are written but for
    /// control characters and all after the first [`IGNORED_LETTERS_MAX`] letters.
    pub ignored: BTreeSet<String>,
}

/// The format that a text looks like.
pub fn guess(text: &str) -> ListFormat {
    let begin = text.trim_start_matches('\u{feff}').trim_start();
    if begin.starts_with('{') || begin.starts_with('[') {
        ListFormat::Json
    } else if begin.starts_with("#EXT") || begin.lines().next().is_some_and(|line| line.contains("://")) {
        ListFormat::M3u
    } else {
        ListFormat::Csv
    }
}

/// Reads a list.
///
/// # Errors
/// It is not of that format, or too long.
pub fn read(text: &str, format: ListFormat) -> Result<List, ImportError> {
    let text = text.trim_start_matches('\u{feff}');
    let (channels, ignored) = match format {
        // What a channel of a playlist has beside these is for players: guides, logos, caches.
        ListFormat::M3u => (m3u::read(text), BTreeSet::new()),
        ListFormat::Csv => csv::read(text)?,
        ListFormat::Json => of_json(text)?,
    };
    if channels.len() > STREAMS_MAX {
        return Err(ImportError::TooMany);
    }
    let mut taken = BTreeSet::new();
    let streams = channels.into_iter().map(|channel| stream_of(channel, &mut taken)).collect();
    Ok(List { streams, ignored })
}

/// Adds the name of a column that is not taken.
fn ignore(name: &str, ignored: &mut BTreeSet<String>) {
    let name: String = name.trim().chars().filter(|letter| !letter.is_control()).take(IGNORED_LETTERS_MAX).collect();
    if !name.is_empty() && ignored.len() < IGNORED_MAX {
        ignored.insert(name);
    }
}

fn stream_of(channel: Channel, taken: &mut BTreeSet<String>) -> Imported {
    let base = channel.name.as_deref().or(channel.title.as_deref()).map(slug).filter(|name| !name.is_empty());
    let base = base.unwrap_or_else(|| format!("stream-{}", taken.len() + 1));
    let mut name = base.clone();
    let mut number = 2;
    while !taken.insert(name.clone()) {
        name = format!("{base}-{number}");
        number += 1;
    }
    let mut settings = Map::new();
    settings.insert("url".to_owned(), json!(channel.url));
    settings.insert("mode".to_owned(), json!("observe"));
    let clean = |text: &str, most: usize| -> String {
        text.chars().filter(|letter| !letter.is_control()).take(most).collect::<String>().trim().to_owned()
    };
    if let Some(title) = channel.title.map(|title| clean(&title, 200)).filter(|title| !title.is_empty()) {
        settings.insert("title".to_owned(), json!(title));
    }
    if let Some(group) = channel.group.map(|group| clean(&group, 256)).filter(|group| !group.is_empty()) {
        settings.insert("labels".to_owned(), json!({ "group": group }));
    }
    if let Some(agent) = channel.user_agent.map(|agent| clean(&agent, 500)).filter(|agent| !agent.is_empty()) {
        settings.insert("user_agent".to_owned(), json!(agent));
    }
    Imported { name, settings, line: channel.line }
}

/// A name of letters, digits, '-', '_' and '.'.
fn slug(text: &str) -> String {
    let mut name = String::new();
    for letter in text.trim().chars() {
        if letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.') {
            name.push(letter.to_ascii_lowercase());
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
        if name.len() >= NAME_BYTES_MAX {
            break;
        }
    }
    name.trim_end_matches(['-', '.']).trim_start_matches('.').to_owned()
}

fn of_json(text: &str) -> Result<(Vec<Channel>, BTreeSet<String>), ImportError> {
    let wrong = |why: &str| ImportError::Line { line: 1, why: why.to_owned() };
    let json: Value = serde_json::from_str(text)
        .map_err(|error| ImportError::Line { line: error.line(), why: "it is no JSON".to_owned() })?;
    let list = match &json {
        Value::Array(list) => list,
        Value::Object(fields) => ["streams", "channels", "items"]
            .iter()
            .find_map(|key| fields.get(*key)?.as_array())
            .ok_or_else(|| wrong("there is no list under streams, channels or items"))?,
        _ => return Err(wrong("it is no list")),
    };
    let mut ignored = BTreeSet::new();
    let channels = list.iter().enumerate().map(|(place, item)| {
        let mut taken = Vec::new();
        let mut text = |keys: &[&'static str]| {
            let (key, text) = keys.iter().find_map(|key| Some((*key, item.get(*key)?.as_str()?)))?;
            taken.push(key);
            Some(text.to_owned())
        };
        let url = text(&["url", "uri", "source", "stream", "address"])
            .ok_or_else(|| ImportError::Line { line: place + 1, why: "entry without a url".to_owned() })?;
        let channel = Channel {
            name: text(&["name", "id"]),
            title: text(&["title", "display_name", "label"]),
            group: text(&["group", "category", "group_title"]),
            user_agent: text(&["user_agent"]),
            url,
            line: place + 1,
        };
        let keys = item.as_object().into_iter().flat_map(Map::keys);
        keys.filter(|key| !taken.contains(&key.as_str())).for_each(|key| ignore(key, &mut ignored));
        Ok(channel)
    });
    let channels = channels.collect::<Result<_, _>>()?;
    Ok((channels, ignored))
}

/// The streams as TOML, for a configuration file.
pub fn toml_of(streams: &[Imported]) -> String {
    let mut text = String::from("# Imported: everything is recorded, nobody is notified until mode is \"live\".\n");
    // A plain "${" of a list means nothing; in a configuration it would fetch.
    let quoted = |value: &Value| {
        let plain = value.as_str().unwrap_or_default().replace("${", "$${");
        toml::Value::String(plain).to_string()
    };
    for stream in streams {
        text.push_str(&format!("\n[[streams]]\nname = \"{}\"\n", stream.name));
        for (key, value) in &stream.settings {
            match value {
                Value::Object(fields) => {
                    let fields: Vec<String> =
                        fields.iter().map(|(key, value)| format!("{key} = {}", quoted(value))).collect();
                    text.push_str(&format!("{key} = {{ {} }}\n", fields.join(", ")));
                }
                value => text.push_str(&format!("{key} = {}\n", quoted(value))),
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, load};

    const M3U: &str = "\u{feff}#EXTM3U x-tvg-url=\"http://guide.example\"\r\n\
        #EXTINF:-1 tvg-id=\"one.de\" tvg-name=\"One HD\" group-title=\"News, \"\"live\"\"\",One | HD\r\n\
        #EXTVLCOPT:http-user-agent=Player/1.0\r\n\
        udp://@239.1.1.1:5000\r\n\r\n\
        #EXTINF:-1,Two\r\n#EXTGRP:Sport\r\nhttp://u:S3cret@example.org/two.m3u8?token=${env:HOME}\r\n\
        #EXTINF:-1,Two\r\nhttp://example.org/other.m3u8\r\nrtsp://example.org/bare\r\n";

    fn names(list: &List) -> Vec<&str> {
        list.streams.iter().map(|stream| &*stream.name).collect()
    }

    #[test]
    fn a_playlist_becomes_streams_that_are_only_observed() {
        assert_eq!(guess(M3U), ListFormat::M3u);
        let list = read(M3U, ListFormat::M3u).unwrap();
        assert_eq!(names(&list), ["one.de", "two", "two-2", "stream-4"]);
        let streams = &list.streams;
        let first = &streams[0].settings;
        assert_eq!((&first["url"], &first["mode"]), (&json!("udp://@239.1.1.1:5000"), &json!("observe")));
        assert_eq!((&first["title"], &first["user_agent"]), (&json!("One | HD"), &json!("Player/1.0")));
        assert_eq!(streams[1].settings["labels"], json!({ "group": "Sport" }));
    }

    #[test]
    fn what_is_printed_is_a_configuration_that_fetches_nothing() {
        let text = toml_of(&read(M3U, ListFormat::M3u).unwrap().streams);
        let file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
        std::fs::write(file.path(), &text).unwrap();
        let loaded = load(&Sources { files: vec![file.path().to_owned()], ..Sources::default() }).unwrap();
        assert_eq!(loaded.plan.streams.len(), 4);
        assert!(text.contains("token=$${env:HOME}"), "{text}");
    }

    #[test]
    fn a_table_is_read_by_the_names_of_its_columns() {
        for text in [
            "Name;Stream URL;Group\nOne;udp://239.1.1.1:5000;\"News; live\"\n;srt://example.org:9000;\n",
            "url,name,group\nudp://239.1.1.1:5000,One,\"News; live\"\nsrt://example.org:9000,,\n",
        ] {
            assert_eq!(guess(text), ListFormat::Csv);
            let list = read(text, ListFormat::Csv).unwrap();
            assert_eq!(names(&list), ["one", "stream-2"], "{text}");
            assert!(list.ignored.is_empty(), "{:?}", list.ignored);
            let streams = &list.streams;
            assert_eq!(streams[0].settings["labels"], json!({ "group": "News; live" }));
            assert_eq!(streams[1].settings["url"], "srt://example.org:9000");
        }
    }

    #[test]
    fn a_list_of_objects_is_read_under_usual_names() {
        let text = r#"{ "channels": [ { "name": "One", "url": "udp://239.1.1.1:5000", "group": "News" } ] }"#;
        assert_eq!(guess(text), ListFormat::Json);
        assert_eq!(names(&read(text, ListFormat::Json).unwrap()), ["one"]);
        assert_eq!(names(&read(r#"[{"id":"A b","uri":"srt://h:1"}]"#, ListFormat::Json).unwrap()), ["a-b"]);
    }

    #[test]
    fn columns_of_which_nothing_is_known_are_named() {
        let table = "Name,URL,Bitrate,Logo url,id,\nOne,udp://239.1.1.1:5000,8000,http://l,7,\n";
        let objects =
            r#"[{"name":"One","url":"udp://h:1","Bitrate":8000,"id":"7"},{"url":"udp://h:2","Logo url":null}]"#;
        for text in [table, objects] {
            let ignored = read(text, guess(text)).unwrap().ignored;
            assert_eq!(ignored.iter().collect::<Vec<_>>(), ["Bitrate", "Logo url", "id"], "{text}");
        }
        let long = format!("url,a\u{7}{}\nudp://h:1,x\n", "b".repeat(1_000));
        let ignored = read(&long, ListFormat::Csv).unwrap().ignored;
        assert_eq!(ignored.into_iter().collect::<Vec<_>>(), [format!("a{}", "b".repeat(IGNORED_LETTERS_MAX - 1))]);
    }

    #[test]
    fn a_list_that_cannot_be_read_is_told_by_its_line_without_its_content() {
        for (text, format, line) in [
            ("name,group\nS3cret,x\n", ListFormat::Csv, 1),
            ("name,url\nS3cret,\n", ListFormat::Csv, 2),
            ("name,url\n\"S3cret,udp://h:1\n", ListFormat::Csv, 2),
            ("[{\"name\": \"S3cret\"}]", ListFormat::Json, 1),
            ("[\n{", ListFormat::Json, 2),
            ("\"S3cret\"", ListFormat::Json, 1),
        ] {
            let error = read(text, format).unwrap_err();
            assert!(matches!(&error, ImportError::Line { line: found, .. } if *found == line), "{text}: {error:?}");
            assert!(!error.to_string().contains("S3cret"));
        }
    }
}
