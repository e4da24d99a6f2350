//! Addresses as people write them: a path, `file:`, `synthetic:`, or a URL of a known scheme.

use std::path::PathBuf;

use crate::media::spec::Address;
use crate::secret_url::SecretUrl;

/// Schemes of the network, with whether they need a port.
const SCHEMES: [(&str, bool); 10] = [
    ("udp", true),
    ("rtp", true),
    ("tcp", true),
    ("http", false),
    ("https", false),
    ("rtmp", false),
    ("rtmps", false),
    ("rtsp", false),
    ("rtsps", false),
    ("srt", true),
];

/// What an address may be, for messages.
const ALLOWED: &str = "use a file path, file:, synthetic:, or a udp, rtp, tcp, http, https (also HLS and DASH), rtmp, rtmps, rtsp, rtsps or srt URL";

/// Understands an address. The error never repeats the text, which may hold a secret.
pub fn parse_address(text: &str) -> Result<Address, String> {
    if text.is_empty() {
        return Err(format!("is empty; {ALLOWED}"));
    }
    if text.contains(['\0', '\n', '\r']) {
        return Err("holds control characters".to_owned());
    }
    let Some((scheme, rest)) = split_scheme(text) else {
        return Ok(Address::File(PathBuf::from(text)));
    };
    match scheme.to_ascii_lowercase().as_str() {
        "synthetic" => Ok(Address::Synthetic(rest.to_owned())),
        "file" => file(rest),
        scheme => match SCHEMES.into_iter().find(|(known, _)| *known == scheme) {
            Some((_, needs_port)) => network(text, rest, needs_port),
            None => Err(format!("is of no supported kind; {ALLOWED}; a path that contains ':' is written file:PATH")),
        },
    }
}

/// What stands before the first colon, when it looks like a scheme: two or more letters, digits, `+`, `-`, `.`.
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let letters = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    let is_scheme = letters && scheme.len() >= 2 && scheme.starts_with(|first: char| first.is_ascii_alphabetic());
    is_scheme.then_some((scheme, rest))
}

fn file(rest: &str) -> Result<Address, String> {
    let path = match rest.strip_prefix("//") {
        // file://localhost/path and file:///path are the same; other hosts are other machines.
        Some(after) => match after.strip_prefix("localhost").unwrap_or(after) {
            path if path.starts_with('/') => path,
            _ => return Err("names a file of another host".to_owned()),
        },
        None => rest,
    };
    if path.is_empty() { Err("names no file".to_owned()) } else { Ok(Address::File(PathBuf::from(path))) }
}

fn network(text: &str, rest: &str, needs_port: bool) -> Result<Address, String> {
    if !rest.starts_with("//") {
        return Err("needs \"//\" after the scheme".to_owned());
    }
    // udp://@239.0.0.1:5000 is how multicast is often written; the empty user means nothing.
    let text = text.replacen("://@", "://", 1);
    let url: SecretUrl = text.parse().map_err(|error: crate::secret_url::UrlError| error.to_string())?;
    let port = url.expose().port();
    // An SRT listener is written without a host: srt://:9000.
    let is_listener = url.scheme() == "srt" && port.is_some();
    if url.host().is_none_or(str::is_empty) && !is_listener {
        return Err("names no host; write one after the \"//\"".to_owned());
    }
    if needs_port && port.is_none() {
        return Err(format!("names no port; write one after the host, such as {}://HOST:5000", url.scheme()));
    }
    Ok(Address::Url(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_supported_kind_is_understood() {
        for (text, shown) in [
            ("clips/a.ts", "clips/a.ts"),
            ("/srv/10:30.ts", "/srv/10:30.ts"),
            ("file:a:b.ts", "a:b.ts"),
            ("file:///srv/a.ts", "/srv/a.ts"),
            ("synthetic:?fps=25", "synthetic:?fps=25"),
            ("udp://@239.0.0.1:5000", "udp://239.0.0.1:5000"),
            ("rtp://239.0.0.1:5004", "rtp://239.0.0.1:5004"),
            ("tcp://host:1", "tcp://host:1"),
            ("HTTPS://host/live.m3u8", "https://host/live.m3u8"),
            ("rtmp://host/app/key", "rtmp://host/app/***"),
            ("srt://0.0.0.0:9000?mode=listener", "srt://0.0.0.0:9000?mode=listener"),
            ("rtsp://host/s", "rtsp://host/s"),
            ("srt://[2001:db8::1]:9000", "srt://[2001:db8::1]:9000"),
        ] {
            assert_eq!(parse_address(text).expect(text).to_string(), shown);
        }
    }

    #[test]
    fn everything_else_is_refused_without_repeating_it() {
        for text in [
            "",
            "ftp://u:S3cret@host/a",
            "pipe:0",
            "lavfi:S3cret",
            "concat:a|b",
            "data:text,S3cret",
            "udp:239.0.0.1:5",
            "udp://239.0.0.1",
            "srt://host",
            "http://",
            "file://host/a",
            "file:",
            "exec:S3cret",
            "gopher://x",
            "a\nb",
            "http://[S3cret",
        ] {
            let why = parse_address(text).expect_err(text);
            assert!(!why.contains("S3cret"), "{why}");
        }
    }
}
