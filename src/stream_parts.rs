//! From a stream's plan to what the engine runs: its detectors, its measure plan and its opener.
//!
//! Used by the service and by one-shot checks alike, so that both judge with the same parts. Pure
//! but for reading the recipe of synthetic sources.

use std::collections::BTreeMap;
use std::sync::Arc;

use avwatch_actors::detector::DetectorSpec;
use avwatch_actors::event::StreamCard;
use avwatch_actors::paced::Pace;
use avwatch_actors::source::Opener;
use avwatch_actors::tier::TierDial;
use avwatch_actors::track::{TrackId, TrackInfo};

use crate::config::StreamPlan;
use crate::detectors::{self, DetectorKind, DetectorSettings, OptionError, ResolvedDetector};
use crate::measure::MeasurePlan;
use crate::media::MediaOpener;
use crate::media::packet_ring::PacketRing;
use crate::media::spec::{Address, InputSpec};
use crate::synthetic::{Recipe, RecipeError, SyntheticOpener};

/// The detectors of a stream, ready to run.
pub struct StreamDetectors {
    /// Every detector of the registry as resolved for the stream, the disabled ones included.
    pub resolved: Vec<ResolvedDetector>,
    /// The enabled ones for the engine.
    pub specs: Arc<Vec<Arc<DetectorSpec>>>,
    /// What they need measured.
    pub measure: MeasurePlan,
}

/// Why a stream cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum PartsError {
    /// A detector's settings contradict each other.
    #[error("stream '{stream}': {source}")]
    Detector {
        /// The stream.
        stream: Arc<str>,
        /// What is wrong.
        source: OptionError,
    },
    /// The recipe of a synthetic source is wrong.
    #[error("stream '{stream}': {source}")]
    Recipe {
        /// The stream.
        stream: Arc<str>,
        /// What is wrong.
        source: RecipeError,
    },
}

/// Resolves every detector of a stream; with `only`, all others are switched off.
pub fn resolve_detectors(plan: &StreamPlan, only: &[String]) -> Result<StreamDetectors, PartsError> {
    let mut resolved = Vec::new();
    let mut measured = Vec::new();
    let mut specs = Vec::new();
    for kind in detectors::ALL.iter().copied() {
        let base = plan.detectors.get(kind.name).map_or(&[][..], Vec::as_slice);
        let resolve = |own: Option<&DetectorSettings>| {
            let layers: Vec<DetectorSettings> = base.iter().chain(own).cloned().collect();
            let mut detector = detectors::resolve(kind, plan.profile, &layers, &plan.input.expect)
                .map_err(|source| PartsError::Detector { stream: plan.name.clone(), source })?;
            detector.enabled &= only.is_empty() || only.iter().any(|name| name == kind.name);
            detector.enabled &= plan.only.as_ref().is_none_or(|subset| subset.contains(kind.name));
            Ok(detector)
        };
        let main = resolve(None)?;
        let mut by_track = BTreeMap::new();
        for (track, settings) in &plan.tracks {
            if let Some(own) = settings.get(kind.name) {
                by_track.insert(*track, resolve(Some(own))?);
            }
        }
        measured.extend(by_track.values().cloned());
        specs.extend(main.specs.iter().enumerate().filter_map(|(lane, spec)| for_tracks(&main, spec, lane, &by_track)));
        measured.push(main.clone());
        resolved.push(main);
    }
    let measure = detectors::measure_plan(&measured);
    Ok(StreamDetectors { resolved, specs: Arc::new(specs), measure })
}

/// Whether a detector is switched on for any track of a stream, whatever part of it this clone takes: what
/// [`resolve_detectors`] would find without a subset, at a fraction of the cost.
pub fn is_wanted(plan: &StreamPlan, kind: &DetectorKind) -> bool {
    let layers = plan.detectors.get(kind.name).map_or(&[][..], Vec::as_slice);
    let default = (kind.defaults)(plan.profile).enabled;
    let is_on = layers.iter().filter_map(|layer| layer.enabled).next_back().unwrap_or(default);
    let on_a_track = |own: &DetectorSettings| own.enabled.unwrap_or(is_on);
    is_on || plan.tracks.values().filter_map(|tracks| tracks.get(kind.name)).any(on_a_track)
}

/// One spec that builds, on each track, what was configured for that track.
fn for_tracks(
    main: &ResolvedDetector,
    spec: &DetectorSpec,
    lane: usize,
    by_track: &BTreeMap<TrackId, ResolvedDetector>,
) -> Option<Arc<DetectorSpec>> {
    if by_track.is_empty() {
        return main.enabled.then(|| Arc::new(spec.clone()));
    }
    if !main.enabled && !by_track.values().any(|detector| detector.enabled) {
        return None;
    }
    let own: BTreeMap<TrackId, (bool, DetectorSpec)> = by_track
        .iter()
        .filter_map(|(track, detector)| Some((*track, (detector.enabled, detector.specs.get(lane)?.clone()))))
        .collect();
    let mut combined = spec.clone();
    for (track, (enabled, spec)) in &own {
        combined.tuning.push_str(&format!("; {track}: {enabled} {}", spec.tuning));
    }
    let own = Arc::new(own);
    let (ladder, build, main_enabled) = (spec.ladder.clone(), spec.build.clone(), main.enabled);
    let of = own.clone();
    combined.ladder = Arc::new(move |track: &TrackInfo| match of.get(&track.track) {
        Some((_, own)) => (own.ladder)(track),
        None => (ladder)(track),
    });
    combined.build = Arc::new(move |track: &TrackInfo| match own.get(&track.track) {
        Some((true, own)) => (own.build)(track),
        Some((false, _)) => Box::new(Mute),
        None if main_enabled => (build)(track),
        None => Box::new(Mute),
    });
    Some(Arc::new(combined))
}

/// Stands where a detector is switched off for one track only.
struct Mute;

impl avwatch_actors::detector::Detector for Mute {
    fn inspect(&mut self, _: &avwatch_actors::item::Item, _: &mut avwatch_actors::detector::Verdicts) {}
}

/// Makes what opens the stream.
pub fn opener(plan: &StreamPlan, measure: MeasurePlan) -> Result<Arc<dyn Opener>, PartsError> {
    opener_with(plan, measure, None, Arc::new(TierDial::new(plan.tiers)))
}

/// The same, with what is read held in a ring, and looking at as much as that dial says. A synthetic
/// source has packets to hold if it encodes what it makes.
pub fn opener_with(
    plan: &StreamPlan,
    measure: MeasurePlan,
    ring: Option<Arc<PacketRing>>,
    dial: Arc<TierDial>,
) -> Result<Arc<dyn Opener>, PartsError> {
    let spec = InputSpec { measure, ..plan.input.clone() };
    match &spec.address {
        Address::Synthetic(recipe) => {
            let recipe: Recipe =
                recipe.parse().map_err(|source| PartsError::Recipe { stream: plan.name.clone(), source })?;
            let opener = SyntheticOpener::new(&plan.name, recipe, measure).with_limits(spec.limits);
            Ok(Arc::new(opener.with_ring(ring).with_dial(dial)))
        }
        Address::File(_) | Address::Stdin | Address::Url(_) => {
            Ok(Arc::new(MediaOpener::new(spec).with_ring(ring).with_dial(dial)))
        }
    }
}

/// How fast a stream of the service may come: files and synthetic pictures play a live stream.
pub fn live_pace(address: &Address) -> Pace {
    match address {
        Address::File(_) | Address::Stdin | Address::Synthetic(_) => Pace::RealTime,
        Address::Url(_) => Pace::Burst,
    }
}

/// What events say of the stream.
pub fn card(plan: &StreamPlan) -> Arc<StreamCard> {
    Arc::new(StreamCard {
        stream: plan.name.clone(),
        title: (plan.title != plan.name).then(|| plan.title.to_string()),
        profile: plan.profile_name.to_string(),
        tier: Some(plan.tiers.configured.name().to_owned()),
        coverage: None,
        labels: plan.labels.clone(),
        runbook_url: plan.runbook_url.clone(),
    })
}
