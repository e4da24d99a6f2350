//! The arguments of `load`.

use std::time::Duration;

use clap::Args;

use super::cli::ListFormat;
use crate::load::schedule::APART_LEAST;
use crate::load::{Carriage, Limits, LoadSettings, LoadTier, Requirements, SourceKind, Streams};
use crate::profile::Profile;

/// Most streams of a trial: each synthetic one takes a thread.
const STREAMS_MAX: u32 = 20_000;
/// Measured seconds: of one number of streams, of each step of a search, at most.
const SECONDS: f64 = 30.0;
const SECONDS_OF_STEP: f64 = 10.0;
const SECONDS_MAX: f64 = 86_400.0;
/// Limit of the latency of encoded streams: half of that beyond which the service sheds. Demuxers hold a picture until the
/// next has come, and those of an HLS segment come at once.
const ENCODED_P99: Duration = Duration::from_millis(500);
/// Longest clip.
const CLIP_MAX: u64 = 600;
/// Furthest apart that defects are planted: a day of rounds and a cycle of them fit into the 26.5 hours after which presentation times
/// begin anew.
const APART_MAX: Duration = Duration::from_secs(30 * 60);
/// The same of made frames, of which all streams begin with a defect.
const APART_MAX_MADE: Duration = Duration::from_secs(120);

/// Arguments of `load`.
#[derive(Clone, Debug, Args)]
pub struct LoadArgs {
    /// So many streams; max steps up until a limit breaks
    #[arg(long, value_name = "N|max", default_value = "max", value_parser = streams)]
    pub streams: Wanted,
    /// Seconds to measure, after the warm-up; 30, of each step of a search 10, unless given
    #[arg(long, value_name = "S", value_parser = seconds)]
    pub seconds: Option<f64>,
    /// Frames made in process (engine and detectors only), or a clip encoded once and sent over loopback
    #[arg(long, value_enum, default_value_t)]
    pub source: SourceKind,
    /// Profile: built-in (see 'avwatch detectors') or set by --set profiles.NAME.…
    #[arg(long, value_name = "NAME", default_value = Profile::Ott.name())]
    pub profile: String,
    /// Set one key, such as detectors.blur.enabled=false
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = super::cli::setting)]
    pub set: Vec<String>,
    /// Size of the pictures; 320x180, encoded 1920x1080, unless given
    #[arg(long, value_name = "WIDTHxHEIGHT", value_parser = size)]
    pub size: Option<(u32, u32)>,
    /// Pictures a second, 1 to 60; 5, encoded 25, unless given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=60))]
    pub rate: Option<u32>,
    /// Channels of sound: 0 (none) or 2
    #[arg(long, value_name = "N", default_value = "2", value_parser = channels)]
    pub sound: u8,
    /// How encoded streams travel, by turns
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WAY,…", default_value = "udp,tcp,http,hls")]
    pub transport: Vec<Carriage>,
    /// How much of encoded streams is looked at
    #[arg(long, value_enum, default_value_t)]
    pub tier: LoadTier,
    /// Mean distance between planted defects of a track, from their ends to the next begins: 3s to 30m, of made frames to 2m. From
    /// 33s on encoded streams are sent a clip with defects in one round of so many, at another time in each stream, and its twin without
    /// any in the others: one in (TIME + 3 s) / 18 s, or over a quarter of --clip-seconds where that is longer
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = span)]
    pub apart: Duration,
    /// Least length of the encoded clip in seconds
    #[arg(long, value_name = "S", default_value_t = 20, value_parser = clap::value_parser!(u64).range(5..=CLIP_MAX))]
    pub clip_seconds: u64,
    /// What planted defects are drawn from: the same number plants the same
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Also measure what bare decoding of the same clip sustains; encoded only
    #[arg(long)]
    pub baseline: bool,
    /// Also measure a quarter of the streams, and compare CPU per stream
    #[arg(long)]
    pub quarter: bool,
    /// Streams to begin a search with
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=i64::from(STREAMS_MAX)))]
    pub first: u32,
    /// Limit of the 99th percentile from due to verdict [default: 100ms, with --source encoded 500ms]
    #[arg(long, value_name = "TIME", value_parser = span)]
    pub limit_p99: Option<Duration>,
    /// Limit of the share of frames dropped
    #[arg(long, value_name = "SHARE", default_value_t = Limits::default().drops, value_parser = share)]
    pub limit_drops: f64,
    /// Least share of frames judged
    #[arg(long, value_name = "SHARE", default_value_t = Limits::default().coverage, value_parser = share)]
    pub limit_coverage: f64,
    /// What the run must come to.
    #[command(flatten)]
    pub require: RequireArgs,
    /// How to write the report
    #[arg(long, value_enum, default_value_t)]
    pub format: ListFormat,
}

/// What a run must come to: exit status 1 when it does not.
#[derive(Clone, Debug, Default, Args)]
pub struct RequireArgs {
    /// Require so many streams within the limits
    #[arg(long, value_name = "N")]
    pub require_streams: Option<u32>,
    /// Require this 99th percentile from due to verdict
    #[arg(long, value_name = "TIME", value_parser = span)]
    pub require_p99: Option<Duration>,
    /// Require this recall
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub require_recall: Option<f64>,
    /// Require this precision
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub require_precision: Option<f64>,
    /// Require this coverage
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub require_coverage: Option<f64>,
    /// Require at most this share of frames dropped
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub require_drops: Option<f64>,
    /// Require this share of the streams that bare decoding sustains; with --baseline and a search
    #[arg(long, value_name = "SHARE", requires = "baseline")]
    pub require_baseline: Option<f64>,
    /// Require CPU per stream within this share of that at a quarter of the streams; with --quarter
    #[arg(long, value_name = "SHARE", value_parser = share, requires = "quarter")]
    pub require_linear: Option<f64>,
}

/// How many streams are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// So many.
    Number(u32),
    /// As many as hold.
    Max,
}

impl LoadArgs {
    /// What to do, or what is wrong with it.
    ///
    /// # Errors
    /// Options that contradict each other.
    pub fn settings(&self) -> Result<LoadSettings, String> {
        let is_encoded = self.source == SourceKind::Encoded;
        if self.baseline && !is_encoded {
            return Err("--baseline needs --source encoded: nothing is decoded otherwise".to_owned());
        }
        if self.require.require_baseline.is_some() && self.streams != Wanted::Max {
            return Err(
                "--require-baseline compares capacities: leave out --streams, so that it is searched for".to_owned()
            );
        }
        if self.tier != LoadTier::Full && !is_encoded {
            return Err("--tier needs --source encoded: made frames have no key frames".to_owned());
        }
        if !(APART_LEAST..=APART_MAX).contains(&self.apart) {
            return Err("--apart must lie between 3s and 30m: events need time to end".to_owned());
        }
        if self.apart > APART_MAX_MADE && !is_encoded {
            return Err(
                "--apart of more than 2m needs --source encoded: made streams all begin with a defect".to_owned()
            );
        }
        let streams = match self.streams {
            Wanted::Number(streams) => Streams::Fixed(streams),
            Wanted::Max => Streams::Search { first: self.first, most: STREAMS_MAX },
        };
        let default = if self.streams == Wanted::Max { SECONDS_OF_STEP } else { SECONDS };
        let require = &self.require;
        Ok(LoadSettings {
            source: self.source,
            streams,
            seconds: Duration::from_secs_f64(self.seconds.unwrap_or(default)),
            size: self.size.unwrap_or(if is_encoded { (1920, 1080) } else { (320, 180) }),
            rate: self.rate.unwrap_or(if is_encoded { 25 } else { 5 }),
            channels: self.sound,
            tier: self.tier,
            clip: Duration::from_secs(self.clip_seconds),
            apart: self.apart,
            ways: self.transport.clone(),
            seed: self.seed,
            profile: self.profile.clone(),
            sets: self.set.clone(),
            baseline: self.baseline,
            quarter: self.quarter,
            limits: Limits {
                p99: self.limit_p99.unwrap_or(if is_encoded { ENCODED_P99 } else { Limits::default().p99 }),
                drops: self.limit_drops,
                coverage: self.limit_coverage,
            },
            requirements: Requirements {
                streams: require.require_streams,
                p99: require.require_p99,
                recall: require.require_recall,
                precision: require.require_precision,
                coverage: require.require_coverage,
                drops: require.require_drops,
                baseline: require.require_baseline,
                linear: require.require_linear,
            },
        })
    }
}

fn streams(text: &str) -> Result<Wanted, String> {
    if text == "max" {
        return Ok(Wanted::Max);
    }
    match text.parse() {
        Ok(number) if (1..=STREAMS_MAX).contains(&number) => Ok(Wanted::Number(number)),
        _ => Err(format!("use max, or a number from 1 to {STREAMS_MAX}")),
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (1.0..=SECONDS_MAX).contains(&seconds) => Ok(seconds),
        _ => Err(format!("use a number of seconds from 1 to {SECONDS_MAX}")),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("use a share from 0 to 1, such as 0.95".to_owned()),
    }
}

fn channels(text: &str) -> Result<u8, String> {
    match text {
        "0" => Ok(0),
        "2" => Ok(2),
        _ => Err("use 0 or 2".to_owned()),
    }
}

fn size(text: &str) -> Result<(u32, u32), String> {
    let parsed = text.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    let fits = |side: &u32, most: u32| (64..=most).contains(side) && side.is_multiple_of(2);
    match parsed {
        Some((width, height)) if fits(&width, 4_096) && fits(&height, 2_304) => Ok((width, height)),
        _ => Err("use WIDTHxHEIGHT, even numbers from 64x64 to 4096x2304".to_owned()),
    }
}

/// `50ms`, `2s`, `1m`.
fn span(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let scale = match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        _ => f64::NAN,
    };
    let seconds = number.parse::<f64>().unwrap_or(f64::NAN) * scale;
    if seconds > 0.0 && seconds <= 3_600.0 {
        return Ok(Duration::from_secs_f64(seconds));
    }
    Err("use a time such as 50ms or 2s, at most 60m".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::cli::{Cli, Command};

    #[track_caller]
    fn args(line: &str) -> LoadArgs {
        match Cli::from_arguments(line.split_whitespace()).expect(line).command {
            Command::Load(args) => *args,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn refused(line: &str, word: &str) {
        let error = Cli::from_arguments(line.split_whitespace()).expect_err(line);
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains(word), "{error}");
    }

    #[test]
    fn without_options_it_searches_with_made_frames() {
        let settings = args("avwatch load").settings().expect("no contradiction");
        assert_eq!(settings.source, SourceKind::Synthetic);
        assert!(matches!(settings.streams, Streams::Search { .. }));
        assert_eq!((settings.size, settings.rate, settings.channels), ((320, 180), 5, 2));
        assert_eq!((settings.seconds, settings.profile.as_str()), (Duration::from_secs(10), "ott"));
        assert_eq!(settings.limits, Limits::default());
    }

    #[test]
    fn encoded_streams_are_1080p25_unless_told_otherwise() {
        let settings = args("avwatch load --source encoded --streams 3 --seconds 6").settings().expect("fine");
        assert_eq!((settings.size, settings.rate), ((1920, 1080), 25));
        assert_eq!((settings.streams, settings.seconds), (Streams::Fixed(3), Duration::from_secs(6)));
        assert_eq!(settings.ways.len(), 4);
    }

    #[test]
    fn requirements_are_taken_over() {
        let line = "avwatch load --require-streams 5 --require-p99 50ms --require-recall 0.95 --require-precision 0.9 \
                    --require-coverage 0.99 --require-drops 0 --quarter --require-linear 0.1";
        let wanted = args(line).settings().expect("fine").requirements;
        assert_eq!((wanted.streams, wanted.p99), (Some(5), Some(Duration::from_millis(50))));
        assert_eq!((wanted.recall, wanted.linear, wanted.drops), (Some(0.95), Some(0.1), Some(0.0)));
    }

    #[test]
    fn wrong_usage_is_refused() {
        refused("avwatch load --streams 0", "max");
        refused("avwatch load --seconds 0", "seconds");
        refused("avwatch load --size 321x180", "even");
        refused("avwatch load --sound 1", "0 or 2");
        refused("avwatch load --require-p99 50", "50ms");
        refused("avwatch load --require-recall 95", "share");
        refused("avwatch load --require-linear 0.1", "quarter");
        refused("avwatch load --transport pigeon", "pigeon");
        assert!(args("avwatch load --baseline").settings().is_err());
        let fixed = "avwatch load --source encoded --streams 4 --baseline --require-baseline 0.5";
        assert!(args(fixed).settings().unwrap_err().contains("leave out --streams"));
    }

    #[test]
    fn defects_lie_half_an_hour_apart_at_most_and_two_minutes_in_made_frames() {
        let is_taken = |options: &str| args(&format!("avwatch load --apart {options}")).settings().is_ok();
        assert!(is_taken("2m") && is_taken("30m --source encoded"));
        assert!(!is_taken("121s") && !is_taken("31m --source encoded") && !is_taken("2s"));
    }
}
