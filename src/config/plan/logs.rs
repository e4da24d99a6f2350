//! The logs of the plan: what is followed, which streams lines are about, what is judged.

use std::path::PathBuf;
use std::sync::Arc;

use avwatch_actors::severity::Severity;

use crate::config::error::nearest;
use crate::config::origin::KeyPath;
use crate::config::plan::{Building, check_name};
use crate::config::settings::{LogDetector, LogInputSettings, LogLineFormat, LogMeasure, LogRuleSettings};
use crate::logs::{Condition, Format, LogInputPlan, Pattern, Quantity, RulePlan, StreamMap};

/// Most logs.
const INPUTS_MAX: usize = 100;

/// Most rules of one log.
const RULES_MAX: usize = 50;

pub(super) fn build(building: &mut Building<'_>) -> Vec<LogInputPlan> {
    let settings = building.settings;
    let path = KeyPath::of(&["logs"]);
    if settings.logs.len() > INPUTS_MAX {
        building.invalid(&path, format!("more than {INPUTS_MAX} logs"));
    }
    settings.logs.iter().filter_map(|(name, input)| one(building, name, input, &path.key(name))).collect()
}

fn one(building: &mut Building<'_>, name: &str, input: &LogInputSettings, path: &KeyPath) -> Option<LogInputPlan> {
    check_name(building, name, path, "log");
    let file = file(building, input, path);
    let format = format(building, input, path);
    let map = stream_map(building, input, path);
    let rules_path = path.key("rules");
    if input.rules.is_empty() {
        building.missing(&rules_path);
    } else if input.rules.len() > RULES_MAX {
        building.invalid(&rules_path, format!("more than {RULES_MAX} rules"));
    }
    let rules = input
        .rules
        .iter()
        .filter_map(|(name, settings)| rule(building, name, settings, &rules_path.key(name)).map(Arc::new))
        .collect();
    if let Some(format) = &format {
        check_fields(building, input, format, path);
    }
    Some(LogInputPlan { name: name.into(), path: file?, format: format?, time: input.time.clone(), map: map?, rules })
}

/// Refuses fields that no line of the format can have: what asks for them would never say anything.
fn check_fields(building: &mut Building<'_>, input: &LogInputSettings, format: &Format, path: &KeyPath) {
    let Some(known) = format.fields() else { return };
    let mut check = |field: &str, path: &KeyPath| {
        if !known.contains(&field) {
            let all = if known.is_empty() { "its pattern has no named groups".to_owned() } else { known.join(", ") };
            let hint = nearest(field, known.iter().copied()).map_or(all, |near| format!("did you mean '{near}'?"));
            building.invalid(path, format!("lines of this format have no field '{field}' ({hint})"));
        }
    };
    for (key, field) in [("time", &input.time), ("stream_field", &input.stream_field)] {
        field.iter().for_each(|field| check(field, &path.key(key)));
    }
    for (name, rule) in &input.rules {
        let path = path.key("rules").key(name);
        for (key, texts) in [("when", &rule.when), ("of", &rule.of)] {
            for (index, condition) in texts.iter().enumerate() {
                if let Ok(condition) = condition.parse::<Condition>() {
                    check(condition.field(), &path.key(key).index(index));
                }
            }
        }
        for (key, field) in [("sum", &rule.sum), ("per", &rule.per)] {
            field.iter().for_each(|field| check(field, &path.key(key)));
        }
        let usual = match rule.detector {
            LogDetector::Errors => Condition::is_error(),
            LogDetector::HttpErrors => Condition::is_server_error(),
            LogDetector::Rebuffering | LogDetector::SlowSegments => continue,
        };
        if rule.when.is_empty() && rule.sum.is_none() {
            check(usual.field(), &path.key("when"));
        }
    }
}

fn file(building: &mut Building<'_>, input: &LogInputSettings, path: &KeyPath) -> Option<PathBuf> {
    let path = path.key("path");
    let Some(file) = &input.path else {
        building.missing(&path);
        return None;
    };
    if !file.is_absolute() {
        building.invalid(&path, "must be an absolute path");
    }
    if let Err(why) = crate::logs::check_pattern(file) {
        building.invalid(&path, why);
    }
    Some(file.clone())
}

fn format(building: &mut Building<'_>, input: &LogInputSettings, path: &KeyPath) -> Option<Format> {
    let path = path.key("pattern");
    match (input.format, &input.pattern) {
        (LogLineFormat::Regex, None) => {
            building.missing(&path);
            None
        }
        (LogLineFormat::Regex, Some(text)) => pattern(building, text, &path).map(Format::Regex),
        (other, idle) => {
            if idle.is_some() {
                building.warn(&path, "has no effect: format is not \"regex\"");
            }
            match other {
                LogLineFormat::Logfmt => Some(Format::Logfmt),
                LogLineFormat::Common => Some(Format::Common),
                LogLineFormat::Json | LogLineFormat::Regex => Some(Format::Json),
            }
        }
    }
}

fn pattern(building: &mut Building<'_>, text: &str, path: &KeyPath) -> Option<Pattern> {
    match Pattern::new(text) {
        Ok(pattern) => Some(pattern),
        Err(why) => {
            building.invalid(path, why);
            None
        }
    }
}

fn stream_map(building: &mut Building<'_>, input: &LogInputSettings, path: &KeyPath) -> Option<StreamMap> {
    match (&input.stream, &input.stream_field) {
        (None, None) => {
            building.missing(&path.key("stream"));
            None
        }
        (Some(stream), field) => {
            if field.is_some() {
                building.warn(&path.key("stream_field"), "has no effect: stream says it");
            }
            if !building.settings.streams.contains_key(stream) {
                building.warn(&path.key("stream"), format!("there is no stream '{stream}' in the configuration"));
            }
            Some(StreamMap::Fixed(stream.clone()))
        }
        (None, Some(field)) => {
            let part = match (&input.stream_pattern, &input.stream_template) {
                (None, None) => None,
                (None, Some(_)) => {
                    building.missing(&path.key("stream_pattern"));
                    return None;
                }
                (Some(text), template) => {
                    let pattern = pattern(building, text, &path.key("stream_pattern"))?;
                    let usual = if pattern.0.captures_len() > 1 { "${1}" } else { "${0}" };
                    let template = template.clone().unwrap_or_else(|| usual.to_owned());
                    Some((pattern, template))
                }
            };
            Some(StreamMap::Field { field: field.clone(), part, names: input.stream_names.clone() })
        }
    }
}

fn rule(building: &mut Building<'_>, name: &str, rule: &LogRuleSettings, path: &KeyPath) -> Option<RulePlan> {
    check_name(building, name, path, "rule");
    let mut when = conditions(building, &rule.when, &path.key("when"));
    if rule.when.is_empty() {
        match rule.detector {
            LogDetector::Errors => when.push(Condition::is_error()),
            LogDetector::HttpErrors => when.push(Condition::is_server_error()),
            LogDetector::Rebuffering | LogDetector::SlowSegments if rule.sum.is_some() => {}
            LogDetector::Rebuffering | LogDetector::SlowSegments => building.missing(&path.key("when")),
        }
    }
    let quantity = match (rule.measure, &rule.per) {
        (LogMeasure::Rate, Some(_)) => {
            building.invalid(&path.key("per"), "has no effect: measure is \"rate\"");
            Quantity::PerMinute
        }
        (LogMeasure::Rate, None) => Quantity::PerMinute,
        (LogMeasure::Share, Some(field)) => Quantity::SharePer(field.clone()),
        (LogMeasure::Share, None) => Quantity::Share,
    };
    Some(RulePlan {
        name: name.into(),
        detector: rule.detector.name(),
        when,
        of: conditions(building, &rule.of, &path.key("of")),
        quantity,
        sum: rule.sum.clone(),
        window: rule.window.0,
        min_lines: u64::from(rule.min_lines),
        thresholds: thresholds(building, rule, path)?,
        raise_after: rule.raise_after.0,
        clear_after: rule.clear_after.0,
    })
}

fn conditions(building: &mut Building<'_>, texts: &[String], path: &KeyPath) -> Vec<Condition> {
    let mut conditions = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        match text.parse() {
            Ok(condition) => conditions.push(condition),
            Err(error) => building.invalid(&path.index(index), format!("{error}")),
        }
    }
    conditions
}

fn thresholds(building: &mut Building<'_>, rule: &LogRuleSettings, path: &KeyPath) -> Option<Vec<(f64, Severity)>> {
    let path = path.key("thresholds");
    let written = &rule.thresholds;
    let all = [
        (written.info, Severity::Info),
        (written.warning, Severity::Warning),
        (written.minor, Severity::Minor),
        (written.major, Severity::Major),
        (written.critical, Severity::Critical),
    ];
    let steps: Vec<(f64, Severity)> = all.into_iter().filter_map(|(from, severity)| Some((from?, severity))).collect();
    if steps.is_empty() {
        building.missing(&path);
        return None;
    }
    if !steps.is_sorted_by(|one, two| one.0 < two.0) || steps[0].0 <= 0.0 {
        building.invalid(&path, "must be above 0 and rise with the severity");
    }
    let is_share_of_lines = rule.measure == LogMeasure::Share && rule.per.is_none() && rule.sum.is_none();
    if is_share_of_lines && steps.iter().any(|(from, _)| *from > 1.0) {
        building.invalid(&path, "is a share of the lines, from 0 to 1: 5 % is 0.05");
    }
    Some(steps)
}
