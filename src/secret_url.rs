//! A URL that never shows its secrets.
//!
//! `Display`, `Debug` and `Serialize` replace credentials, secret query values and stream keys; the
//! raw text is had by [`SecretUrl::expose`] alone, at the one place that connects.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::RwLock;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::Url;

/// Longest URL that is accepted, in bytes.
pub const URL_BYTES_MAX: usize = 4096;

/// Query keys whose values may be shown: settings of transports that carry no secret.
const PLAIN_QUERY_KEYS: [&str; 12] = [
    "mode",
    "latency",
    "size",
    "fps",
    "defects",
    "seed",
    "codec",
    "duration",
    "transport",
    "pkt_size",
    "localaddr",
    "tracks",
];

/// First segments of paths that hold a user and a password in the next two, as providers of television over the internet give
/// them out (`/live/USER/PASSWORD/77.ts`).
const LOGIN_FOLDERS: [&str; 4] = ["live", "movie", "series", "timeshift"];

/// Fetched texts that are shorter are not hidden: they would hide half of every path.
const FETCHED_BYTES_MIN: usize = 4;

/// Fetched texts that are remembered, at most.
const FETCHED_MAX: usize = 100_000;

/// What the configuration fetched from elsewhere since it must not stand in it.
static FETCHED: RwLock<BTreeSet<Box<str>>> = RwLock::new(BTreeSet::new());

/// Remembers a text that `${file:…}` or `${env:…}` fetched: no URL that is made from now on shows it in its path.
pub(crate) fn hide(fetched: &str) {
    let mut texts = FETCHED.write().unwrap_or_else(|poisoned| poisoned.into_inner());
    if fetched.len() >= FETCHED_BYTES_MIN && texts.len() < FETCHED_MAX {
        texts.insert(fetched.into());
    }
}

/// A URL whose every printed form hides user, password, query values not known to be plain, what was fetched into its path, and
/// logins in it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SecretUrl {
    url: Url,
    shown: Box<str>,
}

impl SecretUrl {
    fn new(url: Url) -> Self {
        let shown = redacted(&url).into();
        Self { url, shown }
    }

    /// The URL with its secrets. Only the connector may call it, and may not log what it gets.
    pub fn expose(&self) -> &Url {
        &self.url
    }

    /// The same with segments added to its path, unless it ends in them already.
    #[must_use]
    pub fn joined(&self, segments: &str) -> Self {
        let mut url = self.url.clone();
        let path = url.path().trim_end_matches('/');
        if !path.ends_with(&format!("/{segments}")) {
            let path = format!("{path}/{segments}");
            url.set_path(&path);
        }
        Self::new(url)
    }

    /// The scheme, in lower case.
    pub fn scheme(&self) -> &str {
        self.url.scheme()
    }

    /// Host as written, without port.
    pub fn host(&self) -> Option<&str> {
        self.url.host_str()
    }

    /// The URL as it may be shown.
    pub fn redacted(&self) -> String {
        self.shown.to_string()
    }
}

fn redacted(url: &Url) -> String {
    let mut shown = url.clone();
    if !shown.username().is_empty() || shown.password().is_some() {
        // Both setters only fail for URLs that cannot have credentials, which these have.
        let _ = shown.set_username("***");
        let _ = shown.set_password(None);
    }
    if url.query().is_some() {
        let pairs: Vec<String> = url
            .query_pairs()
            .map(|(key, value)| {
                let plain = PLAIN_QUERY_KEYS.contains(&key.as_ref());
                if plain { format!("{key}={value}") } else { format!("{key}=***") }
            })
            .collect();
        shown.set_query(Some(&pairs.join("&")));
    }
    if let Some(path) = redacted_path(url) {
        shown.set_path(&path);
    }
    shown.set_fragment(None);
    shown.to_string()
}

/// Whether a text that begins before the path of an address ends within it, as one does that is the whole address.
fn reaches_into_path(fetched: &str) -> bool {
    fetched.split_once("://").map_or(fetched, |(_, rest)| rest).contains('/')
}

/// The path as it may be shown, where that is another one.
fn redacted_path(url: &Url) -> Option<String> {
    let decoded = |text| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let (mut path, whole) = (decoded(url.path()), decoded(url.as_str()));
    let mut is_other = false;
    for fetched in FETCHED.read().unwrap_or_else(|poisoned| poisoned.into_inner()).iter() {
        let is_in_path = path.contains(&**fetched);
        if !is_in_path && whole.contains(&**fetched) && reaches_into_path(fetched) {
            return Some("/***".to_owned());
        }
        if is_in_path {
            path = path.replace(&**fetched, "***");
            is_other = true;
        }
    }
    let mut segments: Vec<&str> = path.split('/').collect();
    if let ["", folder, user, password, file] = &mut segments[..] {
        let number = file.split('.').next().unwrap_or_default();
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        if matches!(url.scheme(), "http" | "https") && is_number && LOGIN_FOLDERS.contains(folder) {
            (*user, *password) = ("***", "***");
            is_other = true;
        }
    }
    // The last path segment of an RTMP address is the stream key.
    if matches!(url.scheme(), "rtmp" | "rtmps")
        && segments.len() > 2
        && let Some(key) = segments.last_mut().filter(|key| !key.is_empty())
    {
        *key = "***";
        is_other = true;
    }
    is_other.then(|| segments.join("/"))
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted())
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretUrl({})", self.redacted())
    }
}

/// Why a text is no URL; never repeats the text, which may hold a secret.
#[derive(Debug, thiserror::Error)]
pub enum UrlError {
    /// Too long.
    #[error("longer than {URL_BYTES_MAX} bytes")]
    TooLong,
    /// Not a URL.
    #[error("not a URL: {0}")]
    Malformed(#[from] url::ParseError),
}

impl FromStr for SecretUrl {
    type Err = UrlError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > URL_BYTES_MAX {
            return Err(UrlError::TooLong);
        }
        Ok(Self::new(Url::parse(text)?))
    }
}

impl Serialize for SecretUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SecretUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_survives_printing() {
        for raw in [
            "http://user:S3cret@host/live.m3u8?token=S3cret",
            "srt://host:9000?mode=caller&passphrase=S3cret",
            "rtmp://host/app/S3cret",
            "rtsp://S3cret@host/stream",
            "https://host/a?x=S3cret#S3cret",
            "http://host/live/S3cret/S3cret/77.ts",
        ] {
            let url: SecretUrl = raw.parse().expect("test URLs are valid");
            for shown in [url.to_string(), format!("{url:?}"), serde_json::to_string(&url).expect("a string")] {
                assert!(!shown.contains("S3cret"), "{shown}");
                assert!(shown.contains("host"), "{shown}");
            }
            assert!(url.expose().as_str().contains("S3cret"));
        }
    }

    #[test]
    fn what_was_fetched_into_a_path_is_not_shown() {
        hide("fetched w0rd");
        for raw in ["http://host/fetched%20w0rd/1.ts", "rtmp://host/a-fetched w0rd/key", "srt://host:1/x/fetched w0rd"]
        {
            let url: SecretUrl = raw.parse().expect("valid");
            assert!(!url.to_string().contains("w0rd") && url.to_string().contains("host"), "{url}");
            assert!(url.expose().as_str().contains("w0rd"));
        }
        hide("https://tv.example/whole/address.m3u8");
        hide("fetched.example");
        let whole: SecretUrl = "https://tv.example/whole/address.m3u8".parse().expect("valid");
        assert_eq!(whole.to_string(), "https://tv.example/***");
        let host: SecretUrl = "http://fetched.example/news/1.ts".parse().expect("valid");
        assert_eq!(host.to_string(), "http://fetched.example/news/1.ts", "a host alone stays readable");
        for plain in ["http://host/live/news/1.ts", "http://host/live/news/720p/index.m3u8"] {
            assert_eq!(plain.parse::<SecretUrl>().expect("valid").to_string(), plain);
        }
    }

    #[test]
    fn segments_are_added_once_and_keep_credentials_and_query() {
        for (base, joined) in [
            ("http://host:9093", "http://host:9093/api/v2/alerts"),
            ("http://u:p@host/am/?x=1", "http://u:p@host/am/api/v2/alerts?x=1"),
            ("http://host/api/v2/alerts", "http://host/api/v2/alerts"),
        ] {
            let url: SecretUrl = base.parse().expect("valid");
            assert_eq!(url.joined("api/v2/alerts").expose().as_str(), joined);
        }
    }

    #[test]
    fn settings_without_secrets_stay_readable() {
        let url: SecretUrl = "srt://203.0.113.7:9000?mode=caller&latency=200".parse().expect("valid");
        assert_eq!(url.to_string(), "srt://203.0.113.7:9000?mode=caller&latency=200");
    }
}
