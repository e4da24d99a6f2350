//! Settings of detectors from the tables in which they were written to ordered layers.

use std::collections::BTreeMap;
use std::sync::Arc;

use avwatch_actors::track::TrackId;
use toml::Value;

use crate::config::detector_row::DetectorRow;
use crate::config::error::nearest;
use crate::config::origin::KeyPath;
use crate::config::plan::{Building, UnknownProfile, check_name};
use crate::config::settings::{DetectorTable, Detectors, Settings};
use crate::config::span::Span;
use crate::detectors::{DetectorSettings, OptionValue};
use crate::profile::Profile;

/// Layers of settings by detector, the weakest first.
pub(super) type DetectorLayers = BTreeMap<String, Vec<DetectorSettings>>;

/// A profile's name, the built-in profile at its root, and the layers over that.
pub(super) type Chosen = (Arc<str>, Profile, DetectorLayers);

/// Most profiles that inherit from each other in a row.
const INHERIT_MAX: usize = 8;

/// Every profile that a stream may choose, with what comes below the stream's own settings.
pub(super) struct Profiles(BTreeMap<Arc<str>, (Profile, DetectorLayers)>);

impl Profiles {
    /// Resolves inheritance and puts `[detectors]` on top.
    pub(super) fn build(building: &mut Building<'_>) -> Self {
        let settings = building.settings;
        let common = tables(building, &settings.detectors, &KeyPath::of(&["detectors"]), None);
        let mut profiles = BTreeMap::new();
        for profile in Profile::ALL {
            let mut layers = DetectorLayers::new();
            add(&mut layers, &common);
            profiles.insert(Arc::from(profile.name()), (profile, layers));
        }
        for name in settings.profiles.keys() {
            let path = KeyPath::of(&["profiles", name]);
            if name.parse::<Profile>().is_ok() {
                building.invalid(&path, "the name of a built-in profile; choose another and inherit from it");
                continue;
            }
            check_name(building, name, &path, "profile");
            let Some((base, chain)) = ancestry(building, name) else { continue };
            let mut layers = DetectorLayers::new();
            // The oldest ancestor is the weakest.
            for ancestor in chain.into_iter().rev() {
                let path = KeyPath::of(&["profiles", ancestor, "detectors"]);
                add(&mut layers, &tables(building, &settings.profiles[ancestor].detectors, &path, None));
            }
            add(&mut layers, &common);
            profiles.insert(name.as_str().into(), (base, layers));
        }
        Self(profiles)
    }

    /// The profile of that name.
    pub(super) fn get(&self, settings: &Settings, name: &str) -> Result<Chosen, UnknownProfile> {
        match self.0.get_key_value(name) {
            Some((name, (profile, layers))) => Ok((Arc::clone(name), *profile, layers.clone())),
            None => Err(unknown_profile(settings, name)),
        }
    }
}

fn unknown_profile(settings: &Settings, name: &str) -> UnknownProfile {
    let built_in = Profile::ALL.iter().map(|profile| profile.name());
    let known: Vec<&str> = built_in.chain(settings.profiles.keys().map(String::as_str)).collect();
    let hint = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean '{near}'?"),
        None => format!("use one of {}", known.join(", ")),
    };
    UnknownProfile { hint }
}

/// The built-in profile at the root of a profile of the configuration, and the way to it.
fn ancestry<'a>(building: &mut Building<'a>, name: &'a str) -> Option<(Profile, Vec<&'a str>)> {
    let settings = building.settings;
    let mut chain = vec![name];
    let mut current = name;
    loop {
        let path = KeyPath::of(&["profiles", current, "inherits"]);
        let parent = settings.profiles.get(current)?.inherits.as_str();
        if let Ok(profile) = parent.parse() {
            return Some((profile, chain));
        }
        if chain.contains(&parent) {
            building.invalid(&path, "the profile inherits from itself");
            return None;
        }
        if chain.len() == INHERIT_MAX {
            building.invalid(&path, format!("more than {INHERIT_MAX} profiles inherit from each other"));
            return None;
        }
        if !settings.profiles.contains_key(parent) {
            building.invalid(&path, unknown_profile(settings, parent).to_string());
            return None;
        }
        chain.push(parent);
        current = parent;
    }
}

/// Puts settings on top of the layers.
pub(super) fn add(layers: &mut DetectorLayers, settings: &BTreeMap<String, DetectorSettings>) {
    for (name, settings) in settings {
        layers.entry(name.clone()).or_default().push(settings.clone());
    }
}

/// The settings of a table of detectors, on one track or on all.
pub(super) fn tables(
    building: &mut Building<'_>,
    detectors: &Detectors,
    path: &KeyPath,
    track: Option<TrackId>,
) -> BTreeMap<String, DetectorSettings> {
    let mut settings = BTreeMap::new();
    for (name, table) in &detectors.0 {
        let path = path.key(name);
        // Unknown names were refused by the schema.
        let Some(row) = building.registry.iter().find(|row| row.name == name) else { continue };
        if let Some(track) = track
            && !row.watches.contains(&track.kind)
        {
            building.invalid(&path, format!("the detector does not watch {track}"));
        }
        settings.insert(name.clone(), one(building, row, table, &path));
    }
    settings
}

fn one(building: &mut Building<'_>, row: &DetectorRow, table: &DetectorTable, path: &KeyPath) -> DetectorSettings {
    let severities = table.severities.as_ref().map(|severities| {
        if severities.is_empty() {
            let why = "must name at least one; enabled = false switches the detector off";
            building.invalid(&path.key("severities"), why);
        }
        if !severities.values().is_sorted() {
            building.invalid(&path.key("severities"), "a higher severity may not come sooner than a lower one");
        }
        severities.iter().map(|(severity, span)| (*severity, span.0)).collect()
    });
    let options = table
        .options
        .iter()
        .filter_map(|(name, value)| {
            let option = row.options.iter().find(|option| option.name == name)?;
            Some((name.clone(), typed(&(option.default)(Profile::default()), value)?))
        })
        .collect();
    DetectorSettings {
        enabled: table.enabled,
        raise_after: table.raise_after.map(|span| span.0),
        clear_after: table.clear_after.map(|span| span.0),
        severities,
        options,
    }
}

/// The value as the option's type; type and range were checked by the schema.
fn typed(default: &OptionValue, value: &Value) -> Option<OptionValue> {
    let number = value.as_float().or_else(|| value.as_integer().map(|whole| whole as f64));
    match default {
        OptionValue::Number(_) => number.map(OptionValue::Number),
        OptionValue::Maybe(_) => Some(OptionValue::Maybe(number)),
        OptionValue::Span(_) => {
            value.as_str().and_then(|text| text.parse::<Span>().ok()).map(|span| OptionValue::Span(span.0))
        }
        OptionValue::Flag(_) => value.as_bool().map(OptionValue::Flag),
    }
}
