//! The common and the combined format of access logs, with whatever a server adds behind.

use super::Fields;

/// What lines of the combined format hold, the parts of the request included.
pub(super) const FIELDS: [&str; 11] =
    ["host", "user", "time", "request", "method", "path", "protocol", "status", "bytes", "referer", "agent"];

/// Values behind those of the combined format.
pub(super) const EXTRA: [&str; 8] = ["extra1", "extra2", "extra3", "extra4", "extra5", "extra6", "extra7", "extra8"];

pub(super) fn parse(line: &str) -> Option<Fields<'_>> {
    let mut rest = line;
    let mut fields = Fields::default();
    fields.push("host", token(&mut rest)?);
    token(&mut rest)?;
    fields.push("user", token(&mut rest)?);
    fields.push("time", between(&mut rest, '[', ']')?);
    let request = between(&mut rest, '"', '"')?;
    fields.push("request", request);
    let mut parts = request.splitn(3, ' ');
    for name in ["method", "path", "protocol"] {
        if let Some(part) = parts.next() {
            fields.push(name, part);
        }
    }
    let status = token(&mut rest)?;
    if status.len() != 3 || !status.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    fields.push("status", status);
    fields.push("bytes", token(&mut rest)?);
    for name in ["referer", "agent"] {
        match between(&mut rest, '"', '"') {
            Some(value) => fields.push(name, value),
            None => break,
        }
    }
    for name in EXTRA {
        match between(&mut rest, '"', '"').or_else(|| token(&mut rest)) {
            Some(value) => fields.push(name, value),
            None => break,
        }
    }
    Some(fields)
}

fn token<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let text = rest.trim_start();
    let end = text.find(' ').unwrap_or(text.len());
    *rest = &text[end..];
    (end > 0).then_some(&text[..end])
}

/// What stands between two marks; a backslash before the second takes its meaning away.
fn between<'a>(rest: &mut &'a str, open: char, close: char) -> Option<&'a str> {
    let inside = rest.trim_start().strip_prefix(open)?;
    let mut escaped = false;
    for (at, letter) in inside.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if letter == close => {
                *rest = &inside[at + close.len_utf8()..];
                return Some(&inside[..at]);
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_common_and_the_combined_format_and_more_are_read() {
        let common = r#"203.0.113.9 - frank [10/Oct/2026:13:55:36 -0700] "GET /live/ch1/1.ts HTTP/1.1" 503 2326"#;
        let fields = parse(common).unwrap();
        for (name, value) in [
            ("host", "203.0.113.9"),
            ("user", "frank"),
            ("time", "10/Oct/2026:13:55:36 -0700"),
            ("method", "GET"),
            ("path", "/live/ch1/1.ts"),
            ("protocol", "HTTP/1.1"),
            ("status", "503"),
            ("bytes", "2326"),
        ] {
            assert_eq!(fields.get(name), Some(value), "{name}");
        }
        let longer = format!("{common} \"http://a/\" \"a \\\"b\\\"\" 4.250 HIT");
        let fields = parse(&longer).unwrap();
        assert_eq!((fields.get("agent"), fields.get("extra1")), (Some("a \\\"b\\\""), Some("4.250")));
        assert_eq!(fields.get("extra2"), Some("HIT"));
        let bare = r#"- - - [x] "-" 400 -"#;
        assert_eq!(parse(bare).unwrap().get("status"), Some("400"));
        for broken in ["", "a b c", r#"- - - [x] "GET / HTTP/1.1" many 5"#, r#"- - - [x "GET" 200 5"#] {
            assert_eq!(parse(broken), None, "{broken}");
        }
    }
}
