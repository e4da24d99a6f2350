//! Making a line of foreign log text fit to be kept: no credentials, no control characters, bounded.

use std::fmt::Write;

/// Longest line that is kept, in characters.
const LINE_CHARS_MAX: usize = 400;

/// Cleans a line: secrets of addresses replaced, control characters escaped, cut to a bounded length.
pub(in crate::media) fn clean(line: &str) -> String {
    let mut shown = String::with_capacity(line.len().min(LINE_CHARS_MAX));
    let mut rest = line.trim_end();
    while let Some(at) = rest.find("://") {
        let start =
            rest[..at].rfind(|letter: char| !is_scheme(letter)).map_or(0, |index| index + next_len(rest, index));
        push_escaped(&mut shown, &rest[..start]);
        let address = &rest[start..];
        let end = address.find(|letter: char| letter.is_whitespace() || matches!(letter, '\'' | '"' | '<' | '>'));
        let (address, after) = address.split_at(end.unwrap_or(address.len()));
        push_escaped(&mut shown, &redacted(address));
        rest = after;
    }
    push_escaped(&mut shown, rest);
    if let Some((cut, _)) = shown.char_indices().nth(LINE_CHARS_MAX) {
        shown.truncate(cut);
        shown.push('…');
    }
    shown
}

/// An address without user, password, query, fragment, and RTMP stream key.
fn redacted(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    let visible = rest.split(['?', '#']).next().unwrap_or_default();
    let hidden_query = if visible.len() < rest.len() { "?***" } else { "" };
    let (authority, path) = visible.split_at(visible.find('/').unwrap_or(visible.len()));
    let host = match authority.rsplit_once('@') {
        Some((_, host)) => format!("***@{host}"),
        None => authority.to_owned(),
    };
    let path = match path.rsplit_once('/') {
        // The last segment of an RTMP address is the stream key.
        Some((parent, key)) if scheme.starts_with("rtmp") && !parent.is_empty() && !key.is_empty() => {
            format!("{parent}/***")
        }
        _ => path.to_owned(),
    };
    format!("{scheme}://{host}{path}{hidden_query}")
}

fn is_scheme(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '+' | '-' | '.')
}

/// Bytes of the character at a character boundary.
fn next_len(text: &str, at: usize) -> usize {
    text[at..].chars().next().map_or(0, char::len_utf8)
}

fn push_escaped(shown: &mut String, text: &str) {
    for letter in text.chars() {
        if letter.is_control() || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
            // Writing to a string cannot fail.
            let _ = write!(shown, "{}", letter.escape_default());
        } else {
            shown.push(letter);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_of_an_address_survives() {
        for (line, shown) in [
            (
                "Opening 'http://user:S3cret@host/a.m3u8?token=S3cret' for reading",
                "Opening 'http://***@host/a.m3u8?***' for reading",
            ),
            ("a srt://h:9000?passphrase=S3cret b rtsp://S3cret:x@h/s", "a srt://h:9000?*** b rtsp://***@h/s"),
            ("to rtmp://h/app/S3cret failed", "to rtmp://h/app/*** failed"),
            ("user@S3cret", "user@S3cret"),
            ("crypto+https://u:S3cret@h/x#S3cret", "crypto+https://***@h/x?***"),
            ("at http://a:S3cret@b@host/", "at http://***@host/"),
        ] {
            assert_eq!(clean(line), shown);
        }
    }

    #[test]
    fn control_characters_are_escaped_and_the_length_is_bounded() {
        assert_eq!(clean("a\x1b[31mb\nc\u{202e}d\n"), "a\\u{1b}[31mb\\nc\\u{202e}d");
        assert_eq!(clean(&"ä".repeat(1_000)).chars().count(), LINE_CHARS_MAX + 1);
    }

    #[test]
    fn odd_texts_do_not_panic() {
        for line in ["", "://", "ä://", "ü://@?#", "://://", "x://\u{0}"] {
            let _ = clean(line);
        }
    }
}
