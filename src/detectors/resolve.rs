//! Resolving: a row of the registry, a profile and the layers of settings become a detector that
//! is ready to run.
//!
//! Pure and done once per stream and configuration, on whatever thread plans. Every value is
//! checked here, so that detectors need not ask again; every refusal names the key, so that
//! configuration can look up where it was written.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use avwatch_actors::detector::{DetectorSpec, Ladder, Precedence};
use avwatch_actors::severity::Severity;
use avwatch_actors::track::TrackInfo;

use super::words::nearest;
use super::{DetectorKind, DetectorSettings, OptionDoc, OptionValue, Options, table};
use crate::measure::MeasurePlan;
use crate::media::spec::Expect;
use crate::profile::Profile;

/// The longest `raise_after` and hold time that make sense.
const HOLD_MAX: Duration = Duration::from_secs(24 * 3600);
/// The longest `clear_after` that makes sense.
const CLEAR_MAX: Duration = Duration::from_secs(3600);
/// The black level of a plan without the black detector: 10 % of the range, as in FFmpeg.
const BLACK_LEVEL: f32 = 37.9;

/// A detector as one stream uses it.
#[derive(Clone)]
pub struct ResolvedDetector {
    /// Its row.
    pub kind: &'static DetectorKind,
    /// Whether it runs.
    pub enabled: bool,
    /// Steps on the main tracks: never empty, both rising.
    pub steps: Vec<(Duration, Severity)>,
    /// Steps on secondary tracks.
    pub secondary_steps: Vec<(Duration, Severity)>,
    /// Nothing is raised before this much time in the condition.
    pub raise_after: Duration,
    /// An event ends after this much time without the condition.
    pub clear_after: Duration,
    /// In reports on files: events that lie wholly within this much of head or tail are `info` only.
    pub edge_grace: Duration,
    /// Nothing is raised for this much time after the format of the track changed.
    pub settle_after_change: Duration,
    /// The detector's own options, complete.
    pub options: Options,
    /// One spec per lane that it drinks from, ready for the engine.
    pub specs: Vec<DetectorSpec>,
}

/// Why settings of a detector are refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum OptionError {
    /// There is no such option.
    #[error("detector '{detector}' has no option '{option}'{}", nearest.map(|name| format!(": did you mean '{name}'?")).unwrap_or_default())]
    Unknown {
        /// The detector.
        detector: &'static str,
        /// The option as written.
        option: String,
        /// The most similar key, if any is similar.
        nearest: Option<&'static str>,
    },
    /// The value is of the wrong kind.
    #[error("option '{option}' of detector '{detector}' must be {wanted}")]
    Type {
        /// The detector.
        detector: &'static str,
        /// The option.
        option: &'static str,
        /// What it must be.
        wanted: &'static str,
    },
    /// The value is out of range.
    #[error("option '{option}' of detector '{detector}' is {value}, allowed are {lowest} to {highest} ({doc})")]
    Range {
        /// The detector.
        detector: &'static str,
        /// The option.
        option: &'static str,
        /// The value with its unit.
        value: String,
        /// The lowest allowed value with its unit.
        lowest: String,
        /// The highest allowed value with its unit.
        highest: String,
        /// What the option means, with its unit.
        doc: &'static str,
    },
    /// The severity ladder does not rise or is empty.
    #[error("severities of detector '{detector}': {why}")]
    Severities {
        /// The detector.
        detector: &'static str,
        /// What is wrong.
        why: String,
    },
}

impl OptionError {
    /// The key below `[detectors.NAME]` that is at fault, to look up where it was written.
    pub fn key(&self) -> &str {
        match self {
            Self::Unknown { option, .. } => option,
            Self::Type { option, .. } | Self::Range { option, .. } => option,
            Self::Severities { .. } => "severities",
        }
    }
}

/// Resolves one detector: its defaults for the profile, then the layers in order, later ones winning.
pub fn resolve(
    kind: &'static DetectorKind,
    profile: Profile,
    layers: &[DetectorSettings],
    expect: &Expect,
) -> Result<ResolvedDetector, OptionError> {
    let defaults = (kind.defaults)(profile);
    let mut enabled = defaults.enabled;
    let mut raise_after = None;
    let mut clear_after = defaults.clear_after;
    let mut severities = None;
    let mut options = Options::defaults(kind, profile);
    for layer in layers {
        enabled = layer.enabled.unwrap_or(enabled);
        raise_after = layer.raise_after.or(raise_after);
        clear_after = layer.clear_after.unwrap_or(clear_after);
        severities = layer.severities.as_ref().or(severities);
        for (name, value) in &layer.options {
            set(kind, &mut options, name, value)?;
        }
    }
    check_span(kind, "raise_after", "time in the condition before anything is raised", raise_after, HOLD_MAX)?;
    check_span(kind, "clear_after", "time without the condition until the event ends", Some(clear_after), CLEAR_MAX)?;
    let (mut steps, mut secondary_steps) = match severities {
        None => {
            let secondary = defaults.secondary_steps.unwrap_or_else(|| defaults.steps.clone());
            (defaults.steps, secondary)
        }
        Some(severities) => {
            let steps = ladder_of(kind, severities)?;
            let secondary = if defaults.secondary_steps.is_some() { table::info_only(&steps) } else { steps.clone() };
            (steps, secondary)
        }
    };
    for steps in [&mut steps, &mut secondary_steps] {
        raise_earlier(steps, raise_after);
    }
    let raise_after = raise_after.unwrap_or_default();
    let judges_contents = match kind.precedence {
        Precedence::Solid | Precedence::Pattern | Precedence::Still | Precedence::Rest => true,
        Precedence::Lost | Precedence::Apart => false,
    };
    let mut resolved = ResolvedDetector {
        kind,
        enabled,
        steps,
        secondary_steps,
        raise_after,
        clear_after,
        edge_grace: defaults.edge_grace,
        settle_after_change: if judges_contents { defaults.settle_after_change } else { Duration::ZERO },
        options,
        specs: Vec::new(),
    };
    resolved.specs = specs(&resolved, expect);
    Ok(resolved)
}

/// What has to be measured for the enabled ones of these detectors.
pub fn measure_plan(resolved: &[ResolvedDetector]) -> MeasurePlan {
    let mut plan = MeasurePlan { black_level: BLACK_LEVEL, ..MeasurePlan::default() };
    for detector in resolved.iter().filter(|detector| detector.enabled) {
        (detector.kind.needs)(&detector.options, &mut plan);
    }
    plan
}

/// Puts one option into the complete set.
fn set(kind: &'static DetectorKind, options: &mut Options, name: &str, value: &OptionValue) -> Result<(), OptionError> {
    let Some(option) = kind.options.iter().find(|option| option.name == name) else {
        let common = ["enabled", "raise_after", "clear_after", "severities"];
        let known = kind.options.iter().map(|option| option.name).chain(common);
        return Err(OptionError::Unknown {
            detector: kind.name,
            option: name.to_owned(),
            nearest: nearest(name, known),
        });
    };
    // The complete set was made from the rows, so the entry is there; its variant is the type.
    let Some(slot) = options.0.get_mut(option.name) else { return Ok(()) };
    let value = match (&*slot, value) {
        (OptionValue::Maybe(_), OptionValue::Number(number)) => OptionValue::Maybe(Some(*number)),
        (OptionValue::Number(_), OptionValue::Number(_))
        | (OptionValue::Maybe(_), OptionValue::Maybe(_))
        | (OptionValue::Span(_), OptionValue::Span(_))
        | (OptionValue::Flag(_), OptionValue::Flag(_)) => value.clone(),
        (wanted, _) => {
            let wanted = match wanted {
                OptionValue::Number(_) => "a number",
                OptionValue::Maybe(_) => "a number or \"none\"",
                OptionValue::Span(_) => "a duration such as \"2s\"",
                OptionValue::Flag(_) => "true or false",
            };
            return Err(OptionError::Type { detector: kind.name, option: option.name, wanted });
        }
    };
    check_range(kind, option, &value)?;
    *slot = value;
    Ok(())
}

fn check_range(
    kind: &'static DetectorKind,
    option: &'static OptionDoc,
    value: &OptionValue,
) -> Result<(), OptionError> {
    let (number, unit) = match value {
        OptionValue::Number(number) | OptionValue::Maybe(Some(number)) => (*number, ""),
        OptionValue::Span(span) => (span.as_secs_f64(), "s"),
        OptionValue::Maybe(None) | OptionValue::Flag(_) => return Ok(()),
    };
    let (lowest, highest) = option.range;
    // A NaN lies in no range and is refused by this, too.
    if (lowest..=highest).contains(&number) {
        return Ok(());
    }
    Err(OptionError::Range {
        detector: kind.name,
        option: option.name,
        value: format!("{number}{unit}"),
        lowest: format!("{lowest}{unit}"),
        highest: format!("{highest}{unit}"),
        doc: option.doc.trim_end_matches('.'),
    })
}

fn check_span(
    kind: &'static DetectorKind,
    option: &'static str,
    doc: &'static str,
    span: Option<Duration>,
    most: Duration,
) -> Result<(), OptionError> {
    match span {
        Some(span) if span > most => Err(OptionError::Range {
            detector: kind.name,
            option,
            value: format!("{}s", span.as_secs_f64()),
            lowest: "0s".to_owned(),
            highest: format!("{}s", most.as_secs()),
            doc,
        }),
        Some(_) | None => Ok(()),
    }
}

/// The written severities as steps: by severity, with hold times that rise with it.
fn ladder_of(
    kind: &'static DetectorKind,
    severities: &BTreeMap<Severity, Duration>,
) -> Result<Vec<(Duration, Severity)>, OptionError> {
    let refuse = |why: String| Err(OptionError::Severities { detector: kind.name, why });
    if severities.is_empty() {
        return refuse("name at least one, such as { warning = \"10s\" }; enabled = false switches it off".to_owned());
    }
    let steps: Vec<_> = severities.iter().map(|(severity, hold)| (*hold, *severity)).collect();
    for pair in steps.windows(2) {
        let ((lower_hold, lower), (higher_hold, higher)) = (pair[0], pair[1]);
        if higher_hold < lower_hold {
            let (higher_s, lower_s) = (higher_hold.as_secs_f64(), lower_hold.as_secs_f64());
            return refuse(format!("{higher} after {higher_s}s comes before {lower} after {lower_s}s"));
        }
    }
    match steps.last() {
        Some((hold, severity)) if *hold > HOLD_MAX => {
            refuse(format!("{severity} after {}s, at most {}s are allowed", hold.as_secs_f64(), HOLD_MAX.as_secs()))
        }
        Some(_) | None => Ok(steps),
    }
}

/// A `raise_after` shorter than the first hold time brings that step forward: who asks for two
/// seconds gets an event at two seconds.
fn raise_earlier(steps: &mut [(Duration, Severity)], raise_after: Option<Duration>) {
    if let (Some((hold, _)), Some(raise_after)) = (steps.first_mut(), raise_after) {
        *hold = raise_after.min(*hold);
    }
}

fn specs(resolved: &ResolvedDetector, expect: &Expect) -> Vec<DetectorSpec> {
    let kind = resolved.kind;
    let ladder = |steps: &[(Duration, Severity)]| Ladder {
        steps: steps.to_vec(),
        raise_after: resolved.raise_after,
        clear_after: resolved.clear_after,
        settle_after_change: resolved.settle_after_change,
    };
    let (main, secondary) = (ladder(&resolved.steps), ladder(&resolved.secondary_steps));
    let ladder = Arc::new(move |track: &TrackInfo| if track.secondary { secondary.clone() } else { main.clone() });
    let build = (kind.build)(&resolved.options, expect);
    let tuning = format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {expect:?}",
        resolved.steps,
        resolved.secondary_steps,
        resolved.raise_after,
        resolved.clear_after,
        resolved.settle_after_change,
        resolved.options
    );
    let spec = |lane| DetectorSpec {
        number: kind.number,
        name: kind.name,
        unit: kind.unit,
        worse: kind.worse,
        lane,
        precedence: kind.precedence,
        cheapest: kind.cheapest,
        tuning: tuning.clone(),
        ladder: ladder.clone(),
        class_limits: (kind.class_limits)(&resolved.options),
        threshold: (kind.threshold)(&resolved.options),
        message: kind.message,
        build: build.clone(),
        applies: kind.applies,
    };
    kind.lanes.iter().map(|lane| spec(*lane)).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use avwatch_actors::track::TrackId;

    use super::super::{audio_missing, black, decode_error, freeze, loudness, silence, video_missing};
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn with(kind: &'static DetectorKind, settings: DetectorSettings) -> Result<ResolvedDetector, OptionError> {
        resolve(kind, Profile::Ott, &[settings], &Expect::default())
    }

    fn option(kind: &'static DetectorKind, name: &str, value: OptionValue) -> Result<ResolvedDetector, OptionError> {
        let options = [(name.to_owned(), value)].into();
        with(kind, DetectorSettings { options, ..DetectorSettings::default() })
    }

    #[test]
    fn the_live_black_ladder_is_the_published_one() {
        let black = with(&black::KIND, DetectorSettings::default()).unwrap();
        assert_eq!(
            black.steps,
            [(seconds(2), Severity::Info), (seconds(10), Severity::Major), (seconds(30), Severity::Critical)]
        );
        assert_eq!(black.clear_after, seconds(10));
    }

    #[test]
    fn a_file_lists_black_from_half_a_second_and_forgives_it_at_the_edges() {
        let black = resolve(&black::KIND, Profile::File, &[], &Expect::default()).unwrap();
        assert_eq!(black.steps, [(Duration::from_millis(500), Severity::Info), (seconds(2), Severity::Warning)]);
        assert_eq!((black.clear_after, black.edge_grace), (Duration::from_millis(300), seconds(2)));
    }

    #[test]
    fn a_later_layer_wins_and_keeps_what_it_does_not_mention() {
        let first = DetectorSettings {
            clear_after: Some(seconds(3)),
            raise_after: Some(seconds(20)),
            ..DetectorSettings::default()
        };
        let second = DetectorSettings { raise_after: Some(seconds(12)), ..DetectorSettings::default() };
        let black = resolve(&black::KIND, Profile::Ott, &[first, second], &Expect::default()).unwrap();
        assert_eq!((black.raise_after, black.clear_after), (seconds(12), seconds(3)));
    }

    #[test]
    fn an_earlier_raise_brings_the_first_step_forward() {
        let settings = DetectorSettings { raise_after: Some(seconds(1)), ..DetectorSettings::default() };
        let black = with(&black::KIND, settings).unwrap();
        let ladder = (black.specs[0].ladder)(&TrackInfo::bare(TrackId::video(0)));
        assert_eq!(ladder.severity_after(seconds(1).into()), Some(Severity::Info));
    }

    #[test]
    fn a_secondary_track_stays_at_info_even_with_severities_of_ones_own() {
        let severities = [(Severity::Major, seconds(4))].into();
        let settings = DetectorSettings { severities: Some(severities), ..DetectorSettings::default() };
        let silence = with(&silence::KIND, settings).unwrap();
        let secondary = TrackInfo { secondary: true, ..TrackInfo::bare(TrackId::audio(1)) };
        let hour = seconds(3600).into();
        assert_eq!((silence.specs[0].ladder)(&secondary).severity_after(hour), Some(Severity::Info));
        let main = TrackInfo::bare(TrackId::audio(0));
        assert_eq!((silence.specs[0].ladder)(&main).severity_after(hour), Some(Severity::Major));
    }

    #[test]
    fn a_wrong_option_is_refused_with_the_nearest_one() {
        let error = option(&black::KIND, "pixel_leval", OptionValue::Number(40.0)).err().unwrap();
        assert_eq!(error.to_string(), "detector 'black' has no option 'pixel_leval': did you mean 'pixel_level'?");
        assert_eq!(error.key(), "pixel_leval");
    }

    #[test]
    fn a_value_out_of_range_is_refused_with_the_range_and_its_unit() {
        let error = option(&silence::KIND, "level_dbfs", OptionValue::Number(5.0)).err().unwrap();
        let text = error.to_string();
        assert!(text.starts_with("option 'level_dbfs' of detector 'silence' is 5, allowed are -100 to -20"), "{text}");
        assert!(text.contains("dBFS"), "{text}");
        assert!(option(&silence::KIND, "level_dbfs", OptionValue::Number(f64::NAN)).is_err());
        let settings = DetectorSettings { clear_after: Some(seconds(4000)), ..DetectorSettings::default() };
        let text = with(&black::KIND, settings).err().unwrap().to_string();
        assert!(text.contains("'clear_after' of detector 'black' is 4000s, allowed are 0s to 3600s"), "{text}");
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_refused_and_a_number_is_good_for_an_optional_one() {
        let error = option(&black::KIND, "ratio", OptionValue::Flag(true)).err().unwrap();
        assert_eq!(error.to_string(), "option 'ratio' of detector 'black' must be a number");
        let loudness = option(&loudness::KIND, "target_lufs", OptionValue::Number(-16.0)).unwrap();
        assert_eq!(loudness.options.maybe("target_lufs"), Some(-16.0));
    }

    #[test]
    fn severities_that_do_not_rise_are_refused() {
        let severities = [(Severity::Info, seconds(9)), (Severity::Major, seconds(3))].into();
        let settings = DetectorSettings { severities: Some(severities), ..DetectorSettings::default() };
        let error = with(&freeze::KIND, settings).err().unwrap();
        assert_eq!(error.to_string(), "severities of detector 'freeze': major after 3s comes before info after 9s");
        let settings = DetectorSettings { severities: Some(BTreeMap::new()), ..DetectorSettings::default() };
        assert!(with(&freeze::KIND, settings).is_err());
    }

    #[test]
    fn only_contents_of_live_streams_are_given_time_to_settle_after_a_change_of_format() {
        let settle = |kind, profile| {
            let resolved = resolve(kind, profile, &[], &Expect::default()).unwrap();
            (resolved.specs[0].ladder)(&TrackInfo::bare(TrackId::video(0))).settle_after_change
        };
        for kind in [&black::KIND, &freeze::KIND, &silence::KIND] {
            assert_eq!((settle(kind, Profile::Ott), settle(kind, Profile::File)), (seconds(5), seconds(0)));
        }
        for kind in [&audio_missing::KIND, &video_missing::KIND, &decode_error::KIND, &loudness::KIND] {
            assert_eq!(settle(kind, Profile::Ott), seconds(0), "{}", kind.name);
        }
    }

    #[test]
    fn a_detector_of_two_lanes_becomes_one_spec_for_each() {
        let decode = with(&decode_error::KIND, DetectorSettings::default()).unwrap();
        let lanes: Vec<_> = decode.specs.iter().map(|spec| spec.lane).collect();
        assert_eq!(lanes, decode_error::KIND.lanes);
        assert!(decode.specs.iter().all(|spec| spec.number == 110));
    }

    #[test]
    fn only_what_enabled_detectors_need_is_measured() {
        let off = DetectorSettings { enabled: Some(false), ..DetectorSettings::default() };
        let plan = measure_plan(&[
            with(&silence::KIND, DetectorSettings::default()).unwrap(),
            with(&freeze::KIND, off).unwrap(),
        ]);
        assert!(plan.sound && !plan.motion && !plan.luma && !plan.loudness && !plan.keep_pictures);
        let plan = measure_plan(&[option(&black::KIND, "pixel_level", OptionValue::Number(30.0)).unwrap()]);
        assert!(plan.luma && plan.chroma && plan.black_level == 30.0);
    }
}
