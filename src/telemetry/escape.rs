//! Escaping: nothing that a stream says may begin a new line, move a cursor or turn text around.

use std::fmt::Write;

/// True for what a terminal or an editor acts on instead of showing: control characters, line
/// separators, and marks that change the direction of text.
fn acts(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
        )
}

/// Appends text for people; what would act is written out as `\n` or `\u{1b}`.
pub(crate) fn push_text(out: &mut String, text: &str) {
    for character in text.chars() {
        if acts(character) {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
}

/// Appends a JSON string with its quotation marks.
pub(crate) fn push_json_string(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            other => push_json_character(out, other),
        }
    }
    out.push('"');
}

/// Appends JSON that is complete already; characters inside its strings that would act are escaped.
pub(crate) fn push_json_text(out: &mut String, json: &str) {
    for character in json.chars() {
        push_json_character(out, character);
    }
}

fn push_json_character(out: &mut String, character: char) {
    if acts(character) {
        // All of them lie below U+10000, so four digits are enough; a string can always be appended to.
        write!(out, "\\u{:04x}", u32::from(character)).expect("writing to a string does not fail");
    } else {
        out.push(character);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\nb\r\x1b[31m\u{9b}31m\u{7f}\u{202e}\u{2028}\0\"\\ü";

    #[test]
    fn hostile_text_stays_on_its_line() {
        let mut out = String::new();
        push_text(&mut out, HOSTILE);
        assert!(!out.chars().any(acts), "{out:?}");
        assert!(out.starts_with("a\\nb\\r\\u{1b}[31m") && out.ends_with("\"\\ü"), "{out}");
    }

    #[test]
    fn json_strings_read_back_as_they_were() {
        let mut out = String::new();
        push_json_string(&mut out, HOSTILE);
        assert!(!out.chars().any(acts), "{out:?}");
        assert_eq!(serde_json::from_str::<String>(&out).unwrap(), HOSTILE);
    }

    #[test]
    fn complete_json_keeps_its_meaning() {
        let json = serde_json::to_string(&[HOSTILE]).unwrap();
        let mut out = String::new();
        push_json_text(&mut out, &json);
        assert!(!out.chars().any(acts), "{out:?}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&out).unwrap(), [HOSTILE]);
    }
}
