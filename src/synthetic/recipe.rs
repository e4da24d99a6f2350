//! The recipe: the text after `synthetic:`, parsed and validated once.
//!
//! `?size=1280x720&fps=25&defects=black@10+2,end@60&seed=7&codec=h264&audio=2&rate=48000&loop=60&duration=60`,
//! with or without the question mark; every key may be left out. Times are seconds, or carry one of
//! the units `ms`, `s`, `m`, `h`. What a [`Recipe`] holds is within its limits; nobody asks again.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use avwatch_actors::media_time::MediaTime;

use super::defect::{DefectKind, Place};
use super::plan::block_samples;

/// Most defects in one recipe.
pub const DEFECTS_MAX: usize = 1_000;
/// Longest text that is looked at, in bytes: every defect of a full recipe fits.
const TEXT_MAX: usize = 64 << 10;
/// Longest time anywhere in a recipe.
const TIME_MAX: Duration = Duration::from_secs(366 * 86_400);
const WIDTHS: (u32, u32) = (64, 4096);
const HEIGHTS: (u32, u32) = (64, 2304);
const KEYS: [&str; 9] = ["size", "fps", "seed", "codec", "audio", "rate", "defects", "loop", "duration"];
const RATES: [u32; 4] = [32_000, 44_100, 48_000, 96_000];
const CHANNELS: [u8; 4] = [0, 1, 2, 6];

/// What was asked for and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot use synthetic source: {key} at character {at}: {why}")]
pub struct RecipeError {
    /// The key, or the text itself where no key is known.
    pub key: String,
    /// Where in the text it stands, counted in characters from 1, the question mark included.
    pub at: usize,
    /// What is wrong, and which values are allowed.
    pub why: String,
}

/// Pictures a second as a fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameRate {
    /// Pictures …
    pub numerator: i32,
    /// … in that many seconds.
    pub denominator: i32,
}

impl FrameRate {
    /// When the picture of that number is shown.
    pub fn time_of(self, number: u64) -> MediaTime {
        MediaTime::from_ticks(i64::try_from(number).unwrap_or(i64::MAX), self.denominator, self.numerator)
    }

    /// Number of the first picture that is shown at or after that time.
    pub fn first_at(self, time: MediaTime) -> u64 {
        // The integer estimate is off by at most one, for times are rounded to the nanosecond.
        let ticks = i128::from(time.as_nanos().max(0)) * i128::from(self.numerator);
        let mut number = (ticks / (i128::from(self.denominator) * 1_000_000_000)).max(1) as u64 - 1;
        while self.time_of(number) < time {
            number += 1;
        }
        number
    }

    /// Pictures a second.
    pub fn as_f64(self) -> f64 {
        f64::from(self.numerator) / f64::from(self.denominator)
    }

    /// Pictures from one key picture to the next: one second's.
    pub(super) fn key_distance(self) -> u64 {
        (self.as_f64().round() as u64).max(1)
    }
}

/// How pictures and sound reach the frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CodecChoice {
    /// As they were made: cheap, exact.
    #[default]
    Raw,
    /// Through a real H.264 and AAC encoder and decoder: dear, with real bit errors.
    H264,
}

/// One planted defect as written: kind, onset, length, in time after the start of a cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defect {
    /// What.
    pub kind: DefectKind,
    /// When it begins.
    pub from: Duration,
    /// For how long; zero for moments.
    pub lasts: Duration,
}

impl Defect {
    /// When it is over.
    pub fn to(&self) -> Duration {
        self.from + self.lasts
    }
}

/// What to make.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// Width in pixels, even, 64 to 4096.
    pub width: u32,
    /// Height in pixels, even, 64 to 2304.
    pub height: u32,
    /// Pictures a second, 1 to 240.
    pub fps: FrameRate,
    /// What tells one stream's pictures and sound from another's.
    pub seed: u64,
    /// Raw or really encoded.
    pub codec: CodecChoice,
    /// Audio channels: 0 (no audio track), 1, 2 or 6.
    pub channels: u8,
    /// Samples a second: 32000, 44100, 48000 or 96000.
    pub sample_rate: u32,
    /// What is wrong when, by onset; at most [`DEFECTS_MAX`].
    pub defects: Vec<Defect>,
    /// The defects come again after each of these.
    pub cycle: Option<Duration>,
    /// The stream is over after that time.
    pub duration: Option<Duration>,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            width: 1280,
            height: 720,
            fps: FrameRate { numerator: 25, denominator: 1 },
            seed: 1,
            codec: CodecChoice::Raw,
            channels: 2,
            sample_rate: 48_000,
            defects: Vec::new(),
            cycle: None,
            duration: None,
        }
    }
}

/// A piece of the text with its place.
#[derive(Clone, Copy)]
struct Piece<'a> {
    key: &'a str,
    text: &'a str,
    at: usize,
}

impl<'a> Piece<'a> {
    fn wrong(&self, why: impl fmt::Display) -> RecipeError {
        RecipeError { key: shorten(self.key), at: self.at + 1, why: why.to_string() }
    }

    /// Splits, keeping the places.
    fn split(self, separator: char) -> impl Iterator<Item = Piece<'a>> {
        let mut at = self.at;
        self.text.split(separator).map(move |text| {
            let piece = Piece { text, at, ..self };
            at += text.chars().count() + 1;
            piece
        })
    }
}

impl FromStr for Recipe {
    type Err = RecipeError;

    fn from_str(text: &str) -> Result<Self, RecipeError> {
        if text.len() > TEXT_MAX {
            let whole = Piece { key: "text", text, at: 0 };
            return Err(whole.wrong(format_args!("is longer than {TEXT_MAX} bytes")));
        }
        let (text, at) = text.strip_prefix('?').map_or((text, 0), |rest| (rest, 1));
        let mut recipe = Self::default();
        let mut seen: Vec<Piece<'_>> = Vec::new();
        if text.is_empty() {
            return Ok(recipe);
        }
        for setting in (Piece { key: "text", text, at }).split('&') {
            let Some((key, value)) = setting.text.split_once('=') else {
                let why = format!("'{}' is no setting: write key=value", shorten(setting.text));
                return Err(setting.wrong(why));
            };
            let piece = Piece { key, text: value, at: setting.at + key.chars().count() + 1 };
            if !KEYS.contains(&key) {
                let why = format!("unknown key{}; allowed: {}", nearest(key, &KEYS), KEYS.join(", "));
                return Err(Piece { at: setting.at, ..piece }.wrong(why));
            }
            if seen.iter().any(|earlier| earlier.key == key) {
                return Err(Piece { at: setting.at, ..piece }.wrong("is given twice"));
            }
            recipe.set(piece)?;
            seen.push(piece);
        }
        // What hangs on several keys is checked last, so that their order does not matter.
        if let Some(piece) = seen.iter().find(|piece| piece.key == "defects") {
            recipe.check_defects(piece)?;
        }
        recipe.defects.sort_by_key(|defect| (defect.from, defect.kind));
        Ok(recipe)
    }
}

impl Recipe {
    fn set(&mut self, piece: Piece<'_>) -> Result<(), RecipeError> {
        match piece.key {
            "size" => (self.width, self.height) = parse_size(&piece)?,
            "fps" => self.fps = parse_fps(&piece)?,
            "seed" => self.seed = piece.text.parse().map_err(|_| piece.wrong("write a whole number from 0 on"))?,
            "codec" => {
                self.codec = match piece.text {
                    "raw" => CodecChoice::Raw,
                    "h264" => CodecChoice::H264,
                    _ => return Err(piece.wrong("allowed: raw, h264")),
                }
            }
            "audio" => self.channels = one_of(&piece, &CHANNELS)?,
            "rate" => self.sample_rate = one_of(&piece, &RATES)?,
            "loop" => self.cycle = Some(parse_span(&piece, Duration::from_secs(1))?),
            "duration" => self.duration = Some(parse_span(&piece, Duration::from_millis(40))?),
            "defects" => {
                for one in piece.split(',').filter(|one| !one.text.is_empty()) {
                    if self.defects.len() == DEFECTS_MAX {
                        return Err(one.wrong(format_args!("at most {DEFECTS_MAX} defects")));
                    }
                    self.defects.push(parse_defect(&one)?);
                }
            }
            _ => return Err(piece.wrong("unknown key")),
        }
        Ok(())
    }

    fn check_defects(&self, piece: &Piece<'_>) -> Result<(), RecipeError> {
        // Recipes keep the written order here, so each one's place is found again by its number.
        let pieces = piece.split(',').filter(|one| !one.text.is_empty());
        let mut ends: Vec<(&Defect, Piece<'_>)> = self.defects.iter().zip(pieces).collect();
        for (defect, piece) in &ends {
            self.check_defect(defect, piece)?;
        }
        ends.sort_by_key(|(defect, _)| defect.from);
        for place in [Place::Picture, Place::Sound, Place::Input] {
            let mut busy_until = (Duration::ZERO, "");
            for (defect, piece) in ends.iter().filter(|(defect, _)| defect.kind.place() == place) {
                if defect.from < busy_until.0 {
                    return Err(piece.wrong(format_args!("'{}' overlaps '{}'", shorten(piece.text), busy_until.1)));
                }
                busy_until = (defect.to(), piece.text);
            }
        }
        Ok(())
    }

    fn check_defect(&self, defect: &Defect, piece: &Piece<'_>) -> Result<(), RecipeError> {
        let kind = defect.kind;
        let wrong = |why: String| Err(piece.wrong(format!("'{}' {why}", shorten(piece.text))));
        if self.channels < kind.channels_min() {
            return wrong(format!("needs audio={} or more", kind.channels_min()));
        }
        if let Some(cycle) = self.cycle
            && (defect.to() > cycle || defect.from >= cycle)
        {
            return wrong(format!("does not end within loop={}", cycle.as_secs_f64()));
        }
        if let Some(duration) = self.duration
            && defect.from >= duration
        {
            return wrong(format!("begins after the end, duration={}", duration.as_secs_f64()));
        }
        if kind.is_moment() && defect.from.is_zero() {
            return wrong("would end the stream before it begins".to_owned());
        }
        // Shorter ones could fall between two pictures or blocks and be nowhere.
        let least = match kind.place() {
            Place::Picture => 1.0 / self.fps.as_f64(),
            Place::Sound => f64::from(block_samples(self)) / f64::from(self.sample_rate),
            Place::Input => 0.001,
        };
        if !kind.is_moment() && defect.lasts < Duration::from_secs_f64(least) {
            return wrong(format!("is shorter than {least:.3} s, the least that it can last"));
        }
        Ok(())
    }
}

fn parse_size(piece: &Piece<'_>) -> Result<(u32, u32), RecipeError> {
    let parsed = piece.text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    let (width, height): (u32, u32) = parsed.ok_or_else(|| piece.wrong("write WIDTHxHEIGHT, such as 1280x720"))?;
    let in_range = |value: u32, (low, high): (u32, u32)| (low..=high).contains(&value) && value.is_multiple_of(2);
    if !in_range(width, WIDTHS) || !in_range(height, HEIGHTS) {
        let why = format!("allowed: even numbers from {}x{} to {}x{}", WIDTHS.0, HEIGHTS.0, WIDTHS.1, HEIGHTS.1);
        return Err(piece.wrong(why));
    }
    Ok((width, height))
}

fn parse_fps(piece: &Piece<'_>) -> Result<FrameRate, RecipeError> {
    let how = || piece.wrong("write 1 to 240 as 25, 29.97 or 30000/1001");
    let rate = if let Some((numerator, denominator)) = piece.text.split_once('/') {
        let numerator = numerator.parse().map_err(|_| how())?;
        let denominator = denominator.parse().map_err(|_| how())?;
        FrameRate { numerator, denominator }
    } else {
        match piece.text {
            "23.976" | "23.98" => FrameRate { numerator: 24_000, denominator: 1_001 },
            "29.97" => FrameRate { numerator: 30_000, denominator: 1_001 },
            "59.94" => FrameRate { numerator: 60_000, denominator: 1_001 },
            "119.88" => FrameRate { numerator: 120_000, denominator: 1_001 },
            text => {
                let value: f64 = text.parse().ok().filter(|value| (1.0..=240.0).contains(value)).ok_or_else(how)?;
                if value.fract() == 0.0 {
                    FrameRate { numerator: value as i32, denominator: 1 }
                } else {
                    FrameRate { numerator: (value * 1_000.0).round() as i32, denominator: 1_000 }
                }
            }
        }
    };
    let valid = (1..=240_000).contains(&rate.numerator) && (1..=100_000).contains(&rate.denominator);
    if !valid || !(1.0..=240.0).contains(&rate.as_f64()) {
        return Err(how());
    }
    Ok(rate)
}

fn one_of<T: FromStr + PartialEq + fmt::Display>(piece: &Piece<'_>, allowed: &[T]) -> Result<T, RecipeError> {
    let value = piece.text.parse().ok().filter(|value| allowed.contains(value));
    value.ok_or_else(|| {
        let names: Vec<String> = allowed.iter().map(T::to_string).collect();
        piece.wrong(format_args!("allowed: {}", names.join(", ")))
    })
}

fn parse_defect(piece: &Piece<'_>) -> Result<Defect, RecipeError> {
    let text = shorten(piece.text);
    let Some((name, when)) = piece.text.split_once('@') else {
        return Err(piece.wrong(format_args!("'{text}' is no defect: write kind@from+lasts, such as black@10+2")));
    };
    let Some(kind) = DefectKind::by_name(name) else {
        let names = DefectKind::ALL.map(DefectKind::name);
        let why = format!("unknown defect '{}'{}; allowed: {}", shorten(name), nearest(name, &names), names.join(", "));
        return Err(piece.wrong(why));
    };
    let time = |word: &str| {
        parse_time(word).ok_or_else(|| {
            piece.wrong(format_args!(
                "'{text}': '{}' is no time: write seconds, or a unit of ms, s, m, h",
                shorten(word)
            ))
        })
    };
    match (kind.is_moment(), when.split_once('+')) {
        (true, None) => Ok(Defect { kind, from: time(when)?, lasts: Duration::ZERO }),
        (true, Some(_)) => Err(piece.wrong(format_args!("'{text}' is a moment: write {name}@from"))),
        (false, None) => Err(piece.wrong(format_args!("'{text}' has no length: write {name}@from+lasts"))),
        (false, Some((from, lasts))) => Ok(Defect { kind, from: time(from)?, lasts: time(lasts)? }),
    }
}

fn parse_span(piece: &Piece<'_>, least: Duration) -> Result<Duration, RecipeError> {
    parse_time(piece.text).filter(|span| *span >= least).ok_or_else(|| {
        piece.wrong(format_args!(
            "write seconds, or a unit of ms, s, m, h, from {} s to {} s",
            least.as_secs_f64(),
            TIME_MAX.as_secs()
        ))
    })
}

/// `10`, `1.5`, `500ms`, `10s`, `2m`, `1h`; exact to the nanosecond. `None` for anything else.
fn parse_time(word: &str) -> Option<Duration> {
    let split = word.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(word.len());
    let (number, unit) = word.split_at(split);
    let unit_nanos: u128 = match unit {
        "ms" => 1_000_000,
        "" | "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) || whole.len() > 12 || fraction.len() > 9 {
        return None;
    }
    let scale = 10_u128.pow(fraction.len() as u32);
    let nanos = whole.parse::<u128>().ok()? * unit_nanos + fraction.parse::<u128>().ok()? * unit_nanos / scale;
    let span = Duration::from_nanos(u64::try_from(nanos).ok()?);
    (span <= TIME_MAX).then_some(span)
}

/// ` (did you mean 'x'?)`, or nothing when no name is near.
fn nearest(word: &str, names: &[&str]) -> String {
    let word = shorten(word);
    let best = names.iter().map(|name| (strsim::damerau_levenshtein(&word, name), name)).min();
    best.filter(|(distance, _)| *distance <= 3)
        .map(|(_, name)| format!(" (did you mean '{name}'?)"))
        .unwrap_or_default()
}

/// At most 40 characters of what somebody wrote.
fn shorten(text: &str) -> String {
    if text.chars().count() <= 40 { text.to_owned() } else { text.chars().take(39).chain(['…']).collect() }
}

#[cfg(test)]
mod tests;
