//! `key=value key="quoted value" flag`.

use std::borrow::Cow;

use super::Fields;

pub(super) fn parse(line: &str) -> Option<Fields<'_>> {
    let mut fields = Fields::default();
    let mut has_pair = false;
    let mut rest = line.trim();
    while !rest.is_empty() {
        let end = rest.find([' ', '\t', '=']).unwrap_or(rest.len());
        let (key, after) = rest.split_at(end);
        if key.is_empty() {
            return None;
        }
        match after.strip_prefix('=') {
            Some(after) => {
                let (value, after) = value(after)?;
                fields.push(key, value);
                has_pair = true;
                rest = after.trim_start();
            }
            None => {
                fields.push(key, "true");
                rest = after.trim_start();
            }
        }
    }
    has_pair.then_some(fields)
}

/// The value that begins here, and what follows it.
fn value(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let Some(inside) = text.strip_prefix('"') else {
        let end = text.find([' ', '\t']).unwrap_or(text.len());
        return Some((Cow::Borrowed(&text[..end]), &text[end..]));
    };
    let mut escaped = false;
    for (at, letter) in inside.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => {
                let quoted = &inside[..at];
                let value = match quoted.contains('\\') {
                    // Go's quotation is that of JSON for what logs hold; what is not is taken as it stands.
                    true => serde_json::from_str(&text[..at + 2]).map_or(Cow::Borrowed(quoted), Cow::Owned),
                    false => Cow::Borrowed(quoted),
                };
                return Some((value, &inside[at + 1..]));
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
    fn pairs_quotations_and_flags_are_read() {
        let fields = parse(r#"level=error msg="it \"broke\" here" stream=lobby empty= late"#).unwrap();
        for (name, value) in
            [("level", "error"), ("msg", "it \"broke\" here"), ("stream", "lobby"), ("empty", ""), ("late", "true")]
        {
            assert_eq!(fields.get(name), Some(value), "{name}");
        }
        assert_eq!(parse("plain words"), None);
        assert_eq!(parse("a=\"open"), None);
        assert_eq!(parse("=x"), None);
    }
}
