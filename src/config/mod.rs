//! Configuration: from files, environment and arguments to a plan, with the origin of every key.
//!
//! Layers, later wins: built-in defaults, `/etc/avwatch`, `--config`, environment, `--set`. Each
//! layer is read with the place of every key, checked against the schema on its own, merged, turned
//! into [`Settings`] and from there into a [`Plan`]. Every error names the place at fault; all of
//! them are told at once; none shows a value. Runs once at the start and at every reload, on the
//! caller's thread; it reads files and opens nothing else.

mod api_stream;
mod assignment;
mod detector_row;
mod error;
mod key_order;
mod layer;
mod merge;
mod origin;
mod plan;
mod reference;
mod render;
mod schema;
mod secret;
mod settings;
mod shape;
mod span;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

pub use api_stream::{ApiStreamPlan, ApiStreamSource, Fault, HIDDEN, check_address, keep_hidden, shown};
pub use assignment::ENVIRONMENT_PREFIX;
pub(crate) use error::nearest;
pub use error::{ConfigError, ConfigErrors, Problem};
pub use origin::{KeyPath, Origin, Origins};
pub use plan::{
    AlarmPlan, DataDir, EvidencePlan, IncidentsPlan, LimitsPlan, LogPlan, Plan, PlanChanges, RefusedChange,
    RuntimePlan, ServerPlan, Share, StorePlan, StreamPlan, Subset, TlsPlan, UnknownProfile, changes, detectors_in_all,
};
pub use render::{default_toml, resolved_toml};
pub use secret::Secret;
pub use settings::{
    Detectors, HeartbeatMethod, LogFormat, LogLevel, MailSecurity, Mode, Settings, SeverityPlace, StreamSettings,
};
pub use span::{Span, SpanError, moment};

use crate::media::bytes::OwnSockets;
use crate::media::spec::Address;
use layer::{BY_NAME, Layer, STREAMS};
use schema::Registry;
use shape::Shape;

/// The configuration of the demo, built in.
pub const DEMO_TOML: &str = include_str!("../../config/demo.toml");

/// Where `run` looks for configuration of its own accord.
const ETC: [&str; 2] = ["/etc/avwatch/avwatch.toml", "/etc/avwatch/conf.d"];

/// Where configuration comes from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Read `/etc/avwatch/avwatch.toml` and `/etc/avwatch/conf.d/*.toml` where they exist.
    pub read_etc: bool,
    /// `--config` files or folders, in order.
    pub files: Vec<PathBuf>,
    /// The environment: `AVWATCH__…` is configuration, all of it can be referred to as `${env:NAME}`.
    pub environment: Vec<(String, String)>,
    /// `--set` arguments, in order.
    pub sets: Vec<String>,
    /// What part this clone takes, when the command line says it: wins over everything else.
    pub share: ShareArguments,
    /// Start the demo when nothing at all is configured.
    pub allow_demo: bool,
}

/// `--detectors` and `--shard`: keys of `[clone]` with options of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShareArguments {
    /// The only detectors that run; empty when not given.
    pub detectors: Vec<String>,
    /// Which streams are watched.
    pub shard: Option<String>,
}

/// A configuration that was read without errors.
#[derive(Clone)]
pub struct Loaded {
    /// What to do.
    pub plan: Plan,
    /// What was written, after merging; references are not fetched here.
    pub settings: Settings,
    /// Where each key was written.
    pub origins: Origins,
    /// What is allowed but probably not meant.
    pub warnings: Vec<ConfigError>,
    /// The files that were read, in order; empty for the demo.
    pub files: Vec<PathBuf>,
    /// Where this process listens, closed to what comes over the API. The service fills it in.
    pub own: OwnSockets,
    /// The settings that the plan was made from: with everything fetched.
    expanded: Settings,
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the settings: what was fetched for them is secret.
        f.debug_struct("Loaded").field("files", &self.files).field("streams", &self.plan.streams.len()).finish()
    }
}

impl Loaded {
    /// The plan of an input that is not in the configuration: for `check` and probes.
    ///
    /// `profile` is a built-in profile or one of `[profiles]`; settings of `[detectors]` apply.
    /// The name may be any text; [`crate::media::address::parse`] makes the address.
    pub fn input(&self, name: &str, address: Address, profile: &str) -> Result<StreamPlan, UnknownProfile> {
        plan::input(&self.expanded, &self.origins, &detector_row::built_in(), name, address, profile)
    }

    /// The plan of the whole configuration, as if there were no other clones.
    pub fn undivided(&self) -> Plan {
        let mut settings = self.expanded.clone();
        settings.clone = settings::CloneSettings::default();
        let mut errors = ConfigErrors::default();
        let (plan, _) = plan::build(&settings, &self.origins, &detector_row::built_in(), self.plan.demo, &mut errors);
        debug_assert!(errors.is_empty(), "what made a plan once has no errors");
        plan
    }
}

/// Reads, checks and resolves a configuration.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigErrors> {
    load_with(sources, &detector_row::built_in())
}

/// The JSON Schema of a configuration file.
pub fn schema() -> serde_json::Value {
    schema::of_files(&detector_row::built_in())
}

pub(crate) fn load_with(sources: &Sources, registry: Registry<'_>) -> Result<Loaded, ConfigErrors> {
    let mut loading =
        Loading { shape: shape::of(&schema::merged(registry)), layers: Vec::new(), errors: ConfigErrors::default() };
    let files = loading.files(sources);
    let demo = sources.allow_demo && files.is_empty() && sources.files.is_empty() && !configures(sources);
    if demo {
        let layer = layer::parse(Path::new("demo.toml"), DEMO_TOML, &mut loading.errors);
        loading.add(layer);
    }
    loading.environment(sources);
    loading.sets(sources);
    loading.share(&sources.share);

    let (mut tree, origins) = match merge::merge(&loading.layers) {
        Ok(merged) => merged,
        Err(error) => {
            // The crate's words name keys, not values; it only fails for what the check has refused.
            loading.errors.push(Origin::Default, Problem::Syntax(error.to_string()));
            return Err(loading.errors);
        }
    };
    let Loading { shape, mut errors, .. } = loading;
    give_names(&mut tree, &origins, &mut errors);
    let mut fetched = tree.clone();
    fetch(&mut fetched, &shape, &origins, &sources.environment, &mut errors);
    let Some(settings) = typed(tree, &mut errors) else { return Err(errors) };
    let Some(expanded) = typed(fetched, &mut errors) else { return Err(errors) };
    let (plan, warnings) = plan::build(&expanded, &origins, registry, demo, &mut errors);
    errors.or(Loaded { plan, settings, origins, warnings, files, own: OwnSockets::default(), expanded })
}

/// Whether environment or arguments say anything that makes this more than the demo.
fn configures(sources: &Sources) -> bool {
    let by_environment = sources.environment.iter().any(|(name, _)| name.starts_with(ENVIRONMENT_PREFIX));
    let names_streams = |set: &String| assignment::set_section(set).as_deref() == Some(STREAMS);
    by_environment || sources.sets.iter().any(names_streams)
}

/// Layers on their way to one tree.
struct Loading {
    shape: Shape,
    layers: Vec<Layer>,
    errors: ConfigErrors,
}

impl Loading {
    /// Adds a layer, without what does not fit.
    fn add(&mut self, mut layer: Layer) {
        let mut root = Value::Table(std::mem::take(&mut layer.tree));
        let (shape, origins, errors) = (&self.shape, &layer.origins, &mut self.errors);
        let mut problems = Vec::new();
        shape.fit(&mut root, &KeyPath::root(), shape, &mut |problem| {
            let origin = problem.path().map(|path| origins.of(path)).unwrap_or_default();
            problems.push((origin, problem));
        });
        // In the order of the file, where people read them.
        problems.sort_by(|(left, _), (right, _)| left.cmp(right));
        for (origin, problem) in problems {
            errors.push(origin, problem);
        }
        if let Value::Table(tree) = root {
            layer.tree = tree;
        }
        self.layers.push(layer);
    }

    /// Adds the layers of all files and returns those that were read.
    fn files(&mut self, sources: &Sources) -> Vec<PathBuf> {
        let etc = ETC.iter().map(PathBuf::from).filter(|path| {
            // A folder that may not be looked into is an error, told when it is read.
            sources.read_etc && !matches!(path.try_exists(), Ok(false))
        });
        let mut read = Vec::new();
        for path in etc.chain(sources.files.iter().cloned()) {
            let files = match layer::files_of(&path) {
                Ok(files) => files,
                Err(problem) => {
                    self.errors.push(Origin::whole_file(&path), problem);
                    continue;
                }
            };
            for file in files {
                match layer::read(&file) {
                    Ok(text) => {
                        let layer = layer::parse(&file, &text, &mut self.errors);
                        self.add(layer);
                        read.push(file);
                    }
                    Err(problem) => self.errors.push(Origin::whole_file(&file), problem),
                }
            }
        }
        read
    }

    fn environment(&mut self, sources: &Sources) {
        let mut ours: Vec<&(String, String)> =
            sources.environment.iter().filter(|(name, _)| name.starts_with(ENVIRONMENT_PREFIX)).collect();
        ours.sort();
        for (name, text) in ours {
            match assignment::from_environment(name, text, &self.shape, &self.layers) {
                Ok(layer) => self.add(layer),
                Err(problem) => self.errors.push(Origin::Environment { key: name.clone() }, problem),
            }
        }
    }

    fn sets(&mut self, sources: &Sources) {
        for argument in &sources.sets {
            match assignment::from_set(argument, &self.shape, &self.layers) {
                Ok(layer) => self.add(layer),
                Err(problem) => self.errors.push(assignment::set_origin(argument), problem),
            }
        }
    }

    fn share(&mut self, share: &ShareArguments) {
        let list = |names: &Vec<String>| Value::Array(names.iter().cloned().map(Value::String).collect());
        let detectors = Some(&share.detectors).filter(|names| !names.is_empty()).map(list);
        let shard = share.shard.clone().map(Value::String);
        for (key, name, value) in [("detectors", "--detectors", detectors), ("shard", "--shard", shard)] {
            if let Some(value) = value {
                self.add(Layer::of_one(&KeyPath::of(&["clone", key]), value, &Origin::Option { name }));
            }
        }
    }
}

/// Gives every stream and every log the name under which it stands; one that says another is refused.
fn give_names(tree: &mut Table, origins: &Origins, errors: &mut ConfigErrors) {
    for (key, what) in BY_NAME.into_iter().zip(["stream", "log"]) {
        let Some(Value::Table(tables)) = tree.get_mut(key) else { continue };
        for (name, table) in tables.iter_mut() {
            let Value::Table(table) = table else { continue };
            let written = table.insert("name".to_owned(), Value::String(name.clone()));
            if written.is_some_and(|written| written.as_str() != Some(name)) {
                let path = KeyPath::of(&[key, name, "name"]);
                let why = format!(
                    "differs from the name under which the {what} stands; a {what} cannot be renamed by a later layer"
                );
                errors.push(origins.of(&path), Problem::Invalid { path, why });
            }
        }
    }
}

/// Replaces the references in all texts; a text whose reference fails is taken out.
fn fetch(
    tree: &mut Table,
    shape: &Shape,
    origins: &Origins,
    environment: &[(String, String)],
    errors: &mut ConfigErrors,
) {
    let environment: BTreeMap<&str, &str> =
        environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mut root = Value::Table(std::mem::take(tree));
    shape.texts(&mut root, &KeyPath::root(), &mut |text, path| match reference::expand(text, &environment) {
        Ok(whole) => {
            *text = whole;
            true
        }
        Err(why) => {
            errors.push(origins.of(path), Problem::Invalid { path: path.clone(), why });
            false
        }
    });
    if let Value::Table(whole) = root {
        *tree = whole;
    }
}

/// The tree as settings. Everything was checked against the schema, which is made from the settings.
fn typed(tree: Table, errors: &mut ConfigErrors) -> Option<Settings> {
    match Value::Table(tree).try_into::<Settings>() {
        Ok(settings) => Some(settings),
        Err(_) => {
            // Without the error's words, which quote values.
            errors.push(Origin::Default, Problem::Syntax("the configuration contradicts its own schema".to_owned()));
            None
        }
    }
}
