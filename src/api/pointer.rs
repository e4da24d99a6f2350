//! Where in a JSON text a reader gave up, as a JSON pointer (RFC 6901).
//!
//! The reader says line and column; the text up to there says to which value that belongs. Pure.

use serde_json::error::Error;

/// What an offset lies in: an object, at the value of a key, or an array, at a place.
enum Level {
    Object(Option<String>),
    Array(usize),
}

/// The value at which a reader of `text` gave up; of an object of which a key is unknown or missing, the object.
pub(super) fn pointer_of(error: &Error, text: &[u8]) -> String {
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    let before: usize = lines.take(error.line().saturating_sub(1)).map(<[u8]>::len).sum();
    pointer_at(text, before.saturating_add(error.column()).min(text.len()))
}

/// The pointer of a key of the value that a pointer leads to.
pub(super) fn key_of(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// The innermost value that has begun before `offset` and has not ended before it.
fn pointer_at(text: &[u8], offset: usize) -> String {
    let mut levels: Vec<Level> = Vec::new();
    let mut at = 0;
    while at < offset {
        let mut end = at + 1;
        let ends_value = match text[at] {
            b'{' => {
                levels.push(Level::Object(None));
                false
            }
            b'[' => {
                levels.push(Level::Array(0));
                false
            }
            b'}' | b']' => {
                levels.pop();
                true
            }
            b',' => {
                match levels.last_mut() {
                    Some(Level::Object(key)) => *key = None,
                    Some(Level::Array(place)) => *place += 1,
                    None => {}
                }
                false
            }
            b'"' => {
                end = end_of_string(text, at);
                match levels.last_mut() {
                    Some(Level::Object(key @ None)) => {
                        *key = serde_json::from_slice(&text[at..end]).ok();
                        false
                    }
                    _ => true,
                }
            }
            b':' | b' ' | b'\t' | b'\r' | b'\n' => false,
            _ => {
                let is_over = |byte: &u8| byte.is_ascii_whitespace() || b",:]}[{\"".contains(byte);
                end = text[at..].iter().position(is_over).map_or(text.len(), |length| at + length);
                true
            }
        };
        if ends_value && end >= offset {
            return path(&levels);
        }
        at = end;
    }
    // Of a container that should be none the reader tells before it enters it; else it gave up between the parts of one.
    if !matches!(text.get(offset), Some(b'{' | b'[')) {
        levels.pop();
    }
    path(&levels)
}

/// One after the quotation mark that ends the string at `at`.
fn end_of_string(text: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    while end < text.len() {
        match text[end] {
            b'\\' => end += 2,
            b'"' => return end + 1,
            _ => end += 1,
        }
    }
    text.len()
}

fn path(levels: &[Level]) -> String {
    levels.iter().fold(String::new(), |path, level| match level {
        Level::Object(key) => key_of(&path, key.as_deref().unwrap_or_default()),
        Level::Array(place) => format!("{path}/{place}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only its reading is tested")]
    struct Sample {
        number: u32,
        #[serde(default)]
        list: Vec<BTreeMap<String, Option<u8>>>,
        #[serde(default)]
        inner: Option<Box<Self>>,
        #[serde(default)]
        text: String,
    }

    #[test]
    fn a_wrong_value_is_found_wherever_it_stands() {
        for (text, pointer) in [
            (r#"{"number": "x"}"#, "/number"),
            (r#"{"number": -1}"#, "/number"),
            (r#"{"number": {"a": 1}}"#, "/number"),
            (r#"{"number": [1, 2]}"#, "/number"),
            (r#"{"number": true, "text": "a"}"#, "/number"),
            (r#"{"number": 1, "text": null}"#, "/text"),
            (r#"{"text": "a\"},{", "number": 1.5}"#, "/number"),
            ("{\n \"number\": 1,\n \"list\": [{}, {\"a\": 1, \"b/~\": 256}]\n}", "/list/1/b~1~0"),
            (r#"{"number": 1, "list": [{"a": 1}, 7]}"#, "/list/1"),
            (r#"{"number": 1, "list": {}}"#, "/list"),
            (r#"{"number": 1, "inner": {"number": "x"}}"#, "/inner/number"),
            // The object of which a key is unknown, missing or doubled.
            (r#"{"number": 1, "inner": {"number": 1, "other": 2}}"#, "/inner"),
            (r#"{"number": 1, "inner": {"text": "a" } , "text": "b"}"#, "/inner"),
            (r#"{"number": 1, "number": 1}"#, ""),
            ("{}", ""),
            ("[]", ""),
            ("7", ""),
            ("{\"number\":1,\"text\":\"ü\u{1f600}\",\"list\":[{\"ü\":\"x\"}]}", "/list/0/ü"),
        ] {
            let error = serde_json::from_str::<Sample>(text).expect_err(text);
            assert_eq!(pointer_of(&error, text.as_bytes()), pointer, "{text}: {error}");
        }
    }

    #[test]
    fn any_text_up_to_any_place_gives_some_pointer() {
        let text = br#"{"a":[1,{"b\\\"":[null,"c"]}],]}}"{:,tru"#;
        for offset in 0..=text.len() {
            for begin in 0..text.len() {
                pointer_at(&text[begin..], offset.min(text.len() - begin));
            }
        }
    }
}
