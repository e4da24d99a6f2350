//! Profiles: named sets of defaults for a kind of programme and use.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A built-in profile. Profiles of the configuration inherit from one of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// Finished files: short hold times, everything reported.
    File,
    /// Live streams over the internet: the default of `run`.
    #[default]
    Ott,
    /// Broadcast under EBU rules: R 128 loudness target −23 LUFS.
    BroadcastEu,
    /// Broadcast under ATSC rules: A/85 loudness target −24 LKFS.
    BroadcastUs,
    /// Sound only: silence from −50 dBFS.
    Radio,
    /// Slates, barkers and cameras: a standing picture is normal for up to ten minutes.
    StaticOk,
    /// News and sport: faster alarms, no format nagging.
    NewsSport,
}

impl Profile {
    /// Every built-in profile.
    pub const ALL: [Self; 7] =
        [Self::File, Self::Ott, Self::BroadcastEu, Self::BroadcastUs, Self::Radio, Self::StaticOk, Self::NewsSport];

    /// The name in configuration and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Ott => "ott",
            Self::BroadcastEu => "broadcast-eu",
            Self::BroadcastUs => "broadcast-us",
            Self::Radio => "radio",
            Self::StaticOk => "static-ok",
            Self::NewsSport => "news-sport",
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A word that names no built-in profile.
#[derive(Debug, thiserror::Error)]
#[error("unknown profile '{0}'")]
pub struct UnknownProfile(pub String);

impl FromStr for Profile {
    type Err = UnknownProfile;
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|profile| profile.name() == word).ok_or_else(|| UnknownProfile(word.to_owned()))
    }
}
