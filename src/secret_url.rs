//! A URL that never shows its secrets.
//!
//! `Display`, `Debug` and `Serialize` replace credentials, secret query values and stream keys; the
//! raw text is had by [`SecretUrl::expose`] alone, at the one place that connects.

use std::fmt;
use std::str::FromStr;

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

/// A URL whose every printed form hides user, password, and query values not known to be plain.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SecretUrl(Url);

impl SecretUrl {
    /// The URL with its secrets. Only the connector may call it, and may not log what it gets.
    pub fn expose(&self) -> &Url {
        &self.0
    }

    /// The same with segments added to its path, unless it ends in them already.
    #[must_use]
    pub fn joined(&self, segments: &str) -> Self {
        let mut url = self.0.clone();
        let path = url.path().trim_end_matches('/');
        if !path.ends_with(&format!("/{segments}")) {
            let path = format!("{path}/{segments}");
            url.set_path(&path);
        }
        Self(url)
    }

    /// The scheme, in lower case.
    pub fn scheme(&self) -> &str {
        self.0.scheme()
    }

    /// Host as written, without port.
    pub fn host(&self) -> Option<&str> {
        self.0.host_str()
    }

    /// The URL as it may be shown.
    pub fn redacted(&self) -> String {
        let mut shown = self.0.clone();
        if !shown.username().is_empty() || shown.password().is_some() {
            // Both setters only fail for URLs that cannot have credentials, which these have.
            let _ = shown.set_username("***");
            let _ = shown.set_password(None);
        }
        if self.0.query().is_some() {
            let pairs: Vec<String> = self
                .0
                .query_pairs()
                .map(|(key, value)| {
                    let plain = PLAIN_QUERY_KEYS.contains(&key.as_ref());
                    if plain { format!("{key}={value}") } else { format!("{key}=***") }
                })
                .collect();
            shown.set_query(Some(&pairs.join("&")));
        }
        if matches!(shown.scheme(), "rtmp" | "rtmps") {
            // The last path segment of an RTMP address is the stream key.
            if let Some((parent, key)) = self.0.path().rsplit_once('/')
                && !parent.is_empty()
                && !key.is_empty()
            {
                shown.set_path(&format!("{parent}/***"));
            }
        }
        shown.set_fragment(None);
        shown.to_string()
    }
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
        Ok(Self(Url::parse(text)?))
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
