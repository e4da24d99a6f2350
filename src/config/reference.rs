//! References that fetch secrets: `${env:NAME}` and `${file:PATH}` inside strings.
//!
//! Resolved once when the configuration is read. `$${` is a literal `${`. What was fetched is never
//! searched for references again and never printed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::secret_url;

/// Largest file that a reference may fetch, in bytes.
pub(crate) const REFERENCE_BYTES_MAX: u64 = 64 * 1024;

/// A piece of a text.
#[derive(Debug, PartialEq)]
enum Piece<'a> {
    Plain(&'a str),
    Environment(&'a str),
    File(&'a str),
}

/// Splits a text into plain pieces and references.
fn pieces(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if let Some(before) = rest[..at].strip_suffix('$') {
            pieces.push(Piece::Plain(before));
            pieces.push(Piece::Plain("${"));
            rest = &rest[at + 2..];
            continue;
        }
        pieces.push(Piece::Plain(&rest[..at]));
        let (inside, after) = rest[at + 2..].split_once('}').ok_or("a reference without a closing '}'")?;
        let piece = match inside.split_once(':') {
            Some(("env", name)) if !name.is_empty() => Piece::Environment(name),
            Some(("file", path)) if !path.is_empty() => Piece::File(path),
            _ => return Err("an unknown reference: use ${env:NAME} or ${file:PATH}, and $${ for a plain ${".to_owned()),
        };
        pieces.push(piece);
        rest = after;
    }
    pieces.push(Piece::Plain(rest));
    pieces.retain(|piece| *piece != Piece::Plain(""));
    Ok(pieces)
}

/// The text with everything fetched. The error names the variable or file, never its content.
pub(crate) fn expand(text: &str, environment: &BTreeMap<&str, &str>) -> Result<String, String> {
    if !text.contains("${") {
        return Ok(text.to_owned());
    }
    let mut whole = String::new();
    for piece in pieces(text)? {
        match piece {
            Piece::Plain(plain) => whole.push_str(plain),
            Piece::Environment(name) => match environment.get(name) {
                Some(value) => {
                    secret_url::hide(value);
                    whole.push_str(value);
                }
                None => return Err(format!("environment variable {name} is not set")),
            },
            Piece::File(path) => {
                let value = read(Path::new(path))?;
                let value = value.trim_end_matches(['\n', '\r']);
                secret_url::hide(value);
                whole.push_str(value);
            }
        }
    }
    Ok(whole)
}

fn read(path: &Path) -> Result<String, String> {
    let fail = |why: &dyn std::fmt::Display| format!("cannot read {}: {why}", path.display());
    let mut text = String::new();
    // Asked before opening: opening a pipe that nobody writes to would wait for ever.
    if !std::fs::metadata(path).map_err(|error| fail(&error))?.is_file() {
        return Err(fail(&"not a regular file"));
    }
    let file = File::open(path).map_err(|error| fail(&error))?;
    file.take(REFERENCE_BYTES_MAX + 1).read_to_string(&mut text).map_err(|error| fail(&error))?;
    if text.len() as u64 > REFERENCE_BYTES_MAX {
        return Err(fail(&format_args!("longer than {REFERENCE_BYTES_MAX} bytes")));
    }
    Ok(text)
}

/// Whether the text is one reference and nothing else, and so holds no secret itself.
pub(crate) fn is_one(text: &str) -> bool {
    matches!(pieces(text).as_deref(), Ok([Piece::Environment(_) | Piece::File(_)]))
}

/// The text with every reference replaced, for showing it.
pub(crate) fn replaced(text: &str, by: &str) -> String {
    match pieces(text) {
        Ok(pieces) => pieces
            .into_iter()
            .map(|piece| match piece {
                Piece::Plain(plain) => plain,
                Piece::Environment(_) | Piece::File(_) => by,
            })
            .collect(),
        Err(_) => by.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_fetched_once_and_escapes_stay() {
        let environment = BTreeMap::from([("PASS", "a${env:PASS}b")]);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("token");
        std::fs::write(&path, "t0ken\n").expect("writable");
        let text = format!("x${{env:PASS}}y$${{z}}${{file:{}}}$", path.display());
        assert_eq!(expand(&text, &environment), Ok("xa${env:PASS}by${z}t0ken$".to_owned()));
    }

    #[test]
    fn what_cannot_be_fetched_names_the_source() {
        let none = BTreeMap::new();
        assert_eq!(expand("${env:NOPE}", &none), Err("environment variable NOPE is not set".to_owned()));
        assert!(expand("${file:/nonexistent/x}", &none).expect_err("absent").contains("cannot read /nonexistent/x"));
        assert!(expand("${file:/}", &none).expect_err("a folder").contains("not a regular file"));
        assert!(expand("${vault:x}", &none).expect_err("unknown").contains("unknown reference"));
        assert!(expand("${env:x", &none).expect_err("open").contains("closing"));
    }
}
