//! Addresses as people write them: from a word on the command line or in a configuration to an
//! [`Address`].

use std::path::{Path, PathBuf};

use crate::media::spec::Address;
use crate::media::transport_options::SCHEMES;
use crate::secret_url::{SecretUrl, UrlError};

/// Why a text is no address. Never repeats a URL, which may hold a secret.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// Nothing was written.
    #[error("the input is empty: give a file, a URL, or '-' for standard input")]
    Empty,
    /// It looks like a URL but is none.
    #[error("the {scheme} address is not valid: {source}")]
    Url {
        /// What stands before the colon.
        scheme: String,
        /// What is wrong with it.
        source: UrlError,
    },
    /// The scheme is none that we open.
    #[error("the scheme '{scheme}' is not supported; use one of {}, or a file", SCHEMES.join(", "))]
    Scheme {
        /// What stands before the colon.
        scheme: String,
    },
    /// The address lacks its host.
    #[error("the {scheme} address has no host")]
    NoHost {
        /// The scheme.
        scheme: String,
    },
    /// The address lacks its port.
    #[error("the {scheme} address needs a port, as in {scheme}://239.0.0.1:5000")]
    NoPort {
        /// The scheme.
        scheme: String,
    },
    /// A `file:` URL that names no file of this machine.
    #[error("the file address names no file of this machine; write file:///path or just the path")]
    File,
}

/// Reads an address. A file that exists wins over everything that its name could also mean.
///
/// `-` is standard input, `synthetic:…` a source made here; words without a known form are files,
/// whether they exist or not: opening tells. Schemes are compared without case.
pub fn parse(text: &str) -> Result<Address, AddressError> {
    if text.is_empty() {
        return Err(AddressError::Empty);
    }
    if text == "-" {
        return Ok(Address::Stdin);
    }
    if Path::new(text).exists() {
        return Ok(Address::File(PathBuf::from(text)));
    }
    let Some((scheme, rest)) = split_scheme(text) else { return Ok(Address::File(PathBuf::from(text))) };
    match scheme.as_str() {
        "synthetic" => Ok(Address::Synthetic(rest.to_owned())),
        "file" => file_url(text),
        known if SCHEMES.contains(&known) => network(&scheme, rest),
        _ => Err(AddressError::Scheme { scheme }),
    }
}

/// The scheme in lower case and what follows its colon; `None` for what is a path.
///
/// One letter is a drive of Windows. A colon after a slash, or one that is not followed by two
/// slashes, belongs to a file name: `synthetic:` and `file:` excepted.
fn split_scheme(text: &str) -> Option<(String, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let mut letters = scheme.chars();
    let sound = letters.next().is_some_and(|first| first.is_ascii_alphabetic())
        && letters.all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '+' | '-' | '.'));
    if !sound || scheme.len() < 2 {
        return None;
    }
    let scheme = scheme.to_ascii_lowercase();
    let is_address = rest.starts_with("//") || matches!(scheme.as_str(), "synthetic" | "file");
    is_address.then_some((scheme, rest))
}

fn file_url(text: &str) -> Result<Address, AddressError> {
    let url =
        url::Url::parse(text).map_err(|error| AddressError::Url { scheme: "file".to_owned(), source: error.into() })?;
    url.to_file_path().map(Address::File).map_err(|()| AddressError::File)
}

fn network(scheme: &str, rest: &str) -> Result<Address, AddressError> {
    let receives = matches!(scheme, "udp" | "rtp" | "srt");
    // `udp://:5000` and `udp://@:5000` are how many tools write "on all addresses".
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let rest = if receives { rest.strip_prefix('@').unwrap_or(rest) } else { rest };
    let whole = match rest.starts_with(':') && receives {
        true => format!("{scheme}://0.0.0.0{rest}"),
        false => format!("{scheme}://{rest}"),
    };
    let url: SecretUrl = whole.parse().map_err(|source| AddressError::Url { scheme: scheme.to_owned(), source })?;
    let exposed = url.expose();
    if exposed.host_str().is_none_or(str::is_empty) {
        return Err(AddressError::NoHost { scheme: scheme.to_owned() });
    }
    if (receives || scheme == "tcp") && exposed.port().is_none() {
        return Err(AddressError::NoPort { scheme: scheme.to_owned() });
    }
    Ok(Address::Url(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match parse(text) {
            Ok(Address::File(path)) => format!("file {}", path.display()),
            Ok(Address::Stdin) => "stdin".to_owned(),
            Ok(Address::Synthetic(recipe)) => format!("synthetic {recipe}"),
            Ok(Address::Url(url)) => format!("url {}", url.expose()),
            Err(error) => format!("error {error}"),
        }
    }

    #[test]
    fn every_form_is_understood() {
        for (text, meaning) in [
            ("-", "stdin"),
            ("clip.ts", "file clip.ts"),
            ("./a:b.ts", "file ./a:b.ts"),
            ("a:b.ts", "file a:b.ts"),
            ("C:\\clips\\a.ts", "file C:\\clips\\a.ts"),
            ("D:/clips/a.ts", "file D:/clips/a.ts"),
            ("/no/such/file.mp4", "file /no/such/file.mp4"),
            ("file:///tmp/a%20b.ts", "file /tmp/a b.ts"),
            ("synthetic:size=320x180&fps=25", "synthetic size=320x180&fps=25"),
            ("HTTP://Host/a.m3u8?x=1", "url http://host/a.m3u8?x=1"),
            ("udp://@239.1.1.1:5000", "url udp://239.1.1.1:5000"),
            ("udp://:5000", "url udp://0.0.0.0:5000"),
            ("rtp://@:5000", "url rtp://0.0.0.0:5000"),
            ("udp://[ff15::1]:5000?localaddr=eth1", "url udp://[ff15::1]:5000?localaddr=eth1"),
            ("srt://:9000?mode=listener", "url srt://0.0.0.0:9000?mode=listener"),
            ("rtsp://user:pw@cam/1", "url rtsp://user:pw@cam/1"),
        ] {
            assert_eq!(shown(text), meaning, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_opened_is_refused_in_words_without_secrets() {
        for (text, words) in [
            ("", "the input is empty"),
            ("gopher://S3cret@host/", "the scheme 'gopher' is not supported; use one of http, https"),
            ("http://", "the http address is not valid"),
            ("http://user:S3cret@host:99999/", "the http address is not valid"),
            ("udp://239.1.1.1", "the udp address needs a port"),
            ("rtmp:///S3cret/b:x", "the rtmp address has no host"),
            ("file://otherhost/a", "names no file of this machine"),
        ] {
            let shown = shown(text);
            assert!(shown.starts_with("error ") && shown.contains(words), "{text}: {shown}");
            assert!(!shown.contains("S3cret"), "{shown}");
        }
        let long = format!("http://host/{}", "a".repeat(5_000));
        assert!(shown(&long).contains("longer than"));
    }

    #[test]
    fn a_file_that_exists_wins_over_what_its_name_could_mean() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("synthetic:x");
        std::fs::write(&path, b"x").unwrap();
        assert!(matches!(parse(path.to_str().unwrap()), Ok(Address::File(_))));
    }
}
