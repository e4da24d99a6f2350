//! Addresses as people write them: from a word on the command line or in a configuration to an
//! [`Address`].
//!
//! Pure: no file is looked at, so a configuration means the same on every machine. `check` looks
//! first whether a file of that name exists.

use std::path::PathBuf;

use crate::media::spec::Address;
use crate::media::transport_options::SCHEMES;
use crate::secret_url::{SecretUrl, UrlError};

/// What an address may be, for messages.
const ALLOWED: &str = "use a file path, file:, synthetic:, or a udp, rtp, tcp, http, https (also HLS and DASH), rtmp, rtmps, rtsp, rtsps or srt URL";

/// Why a text is no address. Never repeats what follows the scheme, which may hold a secret.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// Nothing was written.
    #[error("is empty; {ALLOWED}")]
    Empty,
    /// It holds what no address holds.
    #[error("holds control characters")]
    Control,
    /// The scheme is none that we open.
    #[error("is of the unsupported kind '{scheme}:'; {ALLOWED}; a path that contains ':' is written file:PATH")]
    Scheme {
        /// What stands before the colon.
        scheme: String,
    },
    /// A network address without the slashes.
    #[error("needs \"//\" after '{scheme}:'")]
    Slashes {
        /// The scheme.
        scheme: String,
    },
    /// It looks like a URL but is none.
    #[error("is no valid {scheme} address: {source}")]
    Url {
        /// The scheme.
        scheme: String,
        /// What is wrong with it.
        source: UrlError,
    },
    /// The address lacks its host.
    #[error("names no host; write one after the \"//\"")]
    NoHost,
    /// The address lacks its port.
    #[error("names no port; write one after the host, such as {scheme}://HOST:5000")]
    NoPort {
        /// The scheme.
        scheme: String,
    },
    /// A `file:` address that names nothing.
    #[error("names no file")]
    NoFile,
    /// A `file:` URL of another machine.
    #[error("names a file of another host; write file:///PATH or just the path")]
    OtherHost,
}

/// Reads an address. Words without the form of one are paths, whether a file is there or not:
/// opening tells.
///
/// `-` is standard input, `synthetic:…` a source made here. `file:PATH` takes the path as it is
/// written, `file:///PATH` is a URL and decodes `%20` and the like. Schemes are compared without case.
///
/// # Errors
///
/// It has the form of an address and is none that can be opened.
pub fn parse(text: &str) -> Result<Address, AddressError> {
    if text.is_empty() {
        return Err(AddressError::Empty);
    }
    if text.contains(['\0', '\n', '\r']) {
        return Err(AddressError::Control);
    }
    if text == "-" {
        return Ok(Address::Stdin);
    }
    let Some((scheme, rest)) = split_scheme(text) else { return Ok(Address::File(PathBuf::from(text))) };
    match scheme.as_str() {
        "synthetic" => Ok(Address::Synthetic(rest.to_owned())),
        "file" => file(text, rest),
        known if SCHEMES.contains(&known) => network(scheme, rest),
        _ => Err(AddressError::Scheme { scheme }),
    }
}

/// The scheme in lower case and what follows its colon; `None` for what is a path. One letter is a
/// drive of Windows.
fn split_scheme(text: &str) -> Option<(String, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let letters = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    let is_scheme = letters && scheme.len() >= 2 && scheme.starts_with(|first: char| first.is_ascii_alphabetic());
    is_scheme.then(|| (scheme.to_ascii_lowercase(), rest))
}

fn file(text: &str, rest: &str) -> Result<Address, AddressError> {
    if rest.is_empty() || rest == "//" {
        return Err(AddressError::NoFile);
    }
    if !rest.starts_with("//") {
        return Ok(Address::File(PathBuf::from(rest)));
    }
    let invalid = |error: url::ParseError| AddressError::Url { scheme: "file".to_owned(), source: error.into() };
    let url = url::Url::parse(text).map_err(invalid)?;
    url.to_file_path().map(Address::File).map_err(|()| AddressError::OtherHost)
}

fn network(scheme: String, rest: &str) -> Result<Address, AddressError> {
    let Some(rest) = rest.strip_prefix("//") else { return Err(AddressError::Slashes { scheme }) };
    let receives = matches!(scheme.as_str(), "udp" | "rtp" | "srt");
    // `udp://@239.0.0.1:5000` is how multicast is often written; the empty user means nothing.
    let rest = if receives { rest.strip_prefix('@').unwrap_or(rest) } else { rest };
    // `udp://:5000` is how many tools write "on all addresses".
    let any = if receives && rest.starts_with(':') { "0.0.0.0" } else { "" };
    let whole = format!("{scheme}://{any}{rest}");
    let url: SecretUrl = match whole.parse() {
        Ok(url) => url,
        Err(UrlError::Malformed(url::ParseError::EmptyHost)) => return Err(AddressError::NoHost),
        Err(source) => return Err(AddressError::Url { scheme, source }),
    };
    if url.host().is_none_or(str::is_empty) {
        return Err(AddressError::NoHost);
    }
    if (receives || scheme == "tcp") && url.expose().port().is_none() {
        return Err(AddressError::NoPort { scheme });
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
            ("clips/a.ts", "file clips/a.ts"),
            ("./a:b.ts", "file ./a:b.ts"),
            ("/srv/10:30.ts", "file /srv/10:30.ts"),
            ("C:\\clips\\a.ts", "file C:\\clips\\a.ts"),
            ("D:/clips/a.ts", "file D:/clips/a.ts"),
            ("/no/such/file.mp4", "file /no/such/file.mp4"),
            ("file:aa:b%20.ts", "file aa:b%20.ts"),
            ("file:///tmp/a%20b.ts", "file /tmp/a b.ts"),
            ("file://localhost/tmp/a.ts", "file /tmp/a.ts"),
            ("synthetic:size=320x180&fps=25", "synthetic size=320x180&fps=25"),
            ("HTTP://Host/a.m3u8?x=1", "url http://host/a.m3u8?x=1"),
            ("udp://@239.1.1.1:5000", "url udp://239.1.1.1:5000"),
            ("udp://:5000", "url udp://0.0.0.0:5000"),
            ("rtp://@:5000", "url rtp://0.0.0.0:5000"),
            ("rtp://239.0.0.1:5004", "url rtp://239.0.0.1:5004"),
            ("tcp://host:1", "url tcp://host:1"),
            ("udp://[ff15::1]:5000?localaddr=eth1", "url udp://[ff15::1]:5000?localaddr=eth1"),
            ("srt://:9000?mode=listener", "url srt://0.0.0.0:9000?mode=listener"),
            ("srt://[2001:db8::1]:9000", "url srt://[2001:db8::1]:9000"),
            ("rtmp://host/app/key", "url rtmp://host/app/key"),
            ("rtsp://user:pw@cam/1", "url rtsp://user:pw@cam/1"),
        ] {
            assert_eq!(shown(text), meaning, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_opened_is_refused_in_words_without_secrets() {
        for (text, words) in [
            ("", "is empty; use a file path"),
            ("a\nb", "holds control characters"),
            ("gopher://S3cret@host/", "is of the unsupported kind 'gopher:'; use a file path"),
            ("ftp://u:S3cret@host/a", "is of the unsupported kind 'ftp:'"),
            ("pipe:0", "is of the unsupported kind 'pipe:'"),
            ("lavfi:S3cret", "is of the unsupported kind 'lavfi:'"),
            ("concat:a|b", "is of the unsupported kind 'concat:'"),
            ("data:text,S3cret", "is of the unsupported kind 'data:'"),
            ("exec:S3cret", "is of the unsupported kind 'exec:'"),
            ("ab:c.ts", "a path that contains ':' is written file:PATH"),
            ("http://", "names no host"),
            ("http://[S3cret", "is no valid http address"),
            ("http://user:S3cret@host:99999/", "is no valid http address"),
            ("udp:239.0.0.1:5", "needs \"//\" after 'udp:'"),
            ("udp://239.1.1.1", "names no port; write one after the host, such as udp://HOST:5000"),
            ("srt://host", "names no port"),
            ("rtmp:///S3cret/b:x", "names no host"),
            ("file:", "names no file"),
            ("file://", "names no file"),
            ("file://otherhost/a", "names a file of another host"),
        ] {
            let shown = shown(text);
            assert!(shown.starts_with("error ") && shown.contains(words), "{text}: {shown}");
            assert!(!shown.contains("S3cret"), "{shown}");
        }
        let long = format!("http://host/{}", "a".repeat(5_000));
        assert!(shown(&long).contains("longer than"));
    }
}
