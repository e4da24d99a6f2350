//! Fingerprints of messages: what differs from case to case is taken out, so that the same fault
//! has the same words. Pure.

/// Longest fingerprint in bytes; what comes behind makes no other fault.
const BYTES_MAX: usize = 300;

/// Least length of a word of hexadecimal digits that is taken for an id.
const HEX_MIN: usize = 8;

/// Appends the message with numbers, ids, quotations, addresses and the stream's own name folded.
pub(super) fn fold(message: &[u8], stream: &[u8], out: &mut Vec<u8>) {
    let (limit, mut at) = (out.len() + BYTES_MAX, 0);
    while at < message.len() && out.len() < limit {
        let rest = &message[at..];
        let is_begin = at == 0 || !is_word(message[at - 1]);
        let (length, with): (usize, &[u8]) = if let Some(length) = quotation(rest, is_begin) {
            (length, b"\"..\"")
        } else if !is_word(rest[0]) {
            out.push(rest[0]);
            at += 1;
            continue;
        } else if is_begin && is_name(rest, stream) {
            (stream.len(), b"<stream>")
        } else if let Some(length) = is_begin.then(|| address(rest)).flatten() {
            (length, b"<url>")
        } else if let Some(length) = is_begin.then(|| id(rest)).flatten() {
            (length, b"<id>")
        } else if rest[0].is_ascii_digit() {
            (number(rest), b"<n>")
        } else {
            out.push(rest[0]);
            at += 1;
            continue;
        };
        out.extend_from_slice(with);
        at += length;
    }
    out.truncate(limit);
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn is_name(rest: &[u8], stream: &[u8]) -> bool {
    !stream.is_empty() && rest.starts_with(stream) && !rest.get(stream.len()).is_some_and(|byte| is_word(*byte))
}

/// Length of the quotation that begins here; the line is JSON, so `"` stands as `\"`.
fn quotation(rest: &[u8], is_begin: bool) -> Option<usize> {
    if let Some(inside) = rest.strip_prefix(b"\\\"") {
        return memchr::memmem::find(inside, b"\\\"").map(|length| length + 4);
    }
    let inside = rest.strip_prefix(b"'").filter(|_| is_begin)?;
    memchr::memchr(b'\'', inside).map(|length| length + 2)
}

/// Length of the URL that begins here.
fn address(rest: &[u8]) -> Option<usize> {
    let scheme = rest.iter().position(|byte| !byte.is_ascii_alphanumeric())?;
    if scheme == 0 || !rest[scheme..].starts_with(b"://") {
        return None;
    }
    let is_end = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'\\' | b',' | b')' | b'>');
    let end = rest.iter().position(is_end).unwrap_or(rest.len());
    // `http://host: cause` ends with the host.
    Some(if rest[end - 1] == b':' { end - 1 } else { end })
}

/// Length of the id that begins here: `0x…`, a UUID, or a long word of hexadecimal digits.
fn id(rest: &[u8]) -> Option<usize> {
    let (skipped, digits) = rest.strip_prefix(b"0x").map_or((0, rest), |digits| (2, digits));
    let length = digits.iter().position(|byte| !byte.is_ascii_hexdigit() && *byte != b'-').unwrap_or(digits.len());
    let word = digits[..length].strip_suffix(b"-").unwrap_or(&digits[..length]);
    let ends = !digits.get(length).is_some_and(|byte| is_word(*byte));
    let is_id = skipped > 0 || (word.len() >= HEX_MIN && word.iter().any(u8::is_ascii_digit) && has_letter(word));
    (is_id && ends && !word.is_empty()).then(|| skipped + word.len())
}

fn has_letter(word: &[u8]) -> bool {
    word.iter().any(u8::is_ascii_alphabetic)
}

/// Length of the number that begins here, its fraction included.
fn number(rest: &[u8]) -> usize {
    let is_part = |(at, byte): (usize, &u8)| {
        byte.is_ascii_digit()
            || (matches!(byte, b'.' | b',' | b':') && rest.get(at + 1).is_some_and(u8::is_ascii_digit))
    };
    rest.iter().enumerate().position(|part| !is_part(part)).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn folded(message: &str, stream: &str) -> String {
        let mut out = Vec::new();
        fold(message.as_bytes(), stream.as_bytes(), &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn what_differs_from_case_to_case_is_taken_out() {
        for (message, expected) in [
            ("session 12 ended after 3.5 s", "session <n> ended after <n> s"),
            ("cannot open srt://10.0.0.1:9000/x?a=b: no answer", "cannot open <url>: no answer"),
            ("lobby: lobby2 is not lobby", "<stream>: lobby<n> is not <stream>"),
            ("no 'news.ts' in \\\"a b\\\" now", "no \"..\" in \"..\" now"),
            ("it's the operator's", "it's the operator's"),
            ("at 0x7ffe12 and 01890a5d-ac96-774b-bcce-b302099a8057", "at <id> and <id>"),
            ("from 10.0.0.1:9000 at 12:00:01", "from <n> at <n>"),
            ("decade faced", "decade faced"),
        ] {
            assert_eq!(folded(message, "lobby"), expected);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_folded_within_the_limit(
            message in prop::collection::vec(any::<u8>(), 0..600),
            stream in prop::collection::vec(any::<u8>(), 0..4),
        ) {
            let mut out = Vec::new();
            fold(&message, &stream, &mut out);
            prop_assert!(out.len() <= BYTES_MAX);
        }

        #[test]
        fn numbers_never_make_another_fault(one in any::<u32>(), other in any::<u32>()) {
            let say = |number: u32| folded(&format!("lost {number} packets"), "");
            prop_assert_eq!(say(one), say(other));
        }
    }
}
