//! The set of streams while the service runs: of the configuration's files and of the API together.
//!
//! Runs on the control arbiter. Whatever changes – a reload, a stream added over the API – leads to one
//! new plan, which is compared with the running one and taken over wholly or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use avwatch_actors::monitor::{AddStream, ChangeStream, RemoveStream};
use avwatch_actors::supervisor::RetuneStream;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::Service;
use crate::api;
use crate::catalogue::{Catalogue, Entry, StreamOrigin};
use crate::config::{self, ApiStreamPlan, Loaded, Plan, PlanChanges, Sources, StreamPlan};
use crate::desired::ApiStreams;
use crate::inspect::{Findings, Inspection};
use crate::stream_parts;

/// What the API has the service do. Each is answered once it is done.
pub enum ServiceCommand {
    /// These are the streams of the API from now on.
    Streams(ApiStreams, oneshot::Sender<()>),
    /// Read the configuration again; answered with what changed, or why nothing did.
    Reload(oneshot::Sender<Result<String, String>>),
    /// Look at an input once.
    Probe(Box<Inspection>, OwnedSemaphorePermit, oneshot::Sender<Findings>),
}

/// Streams of the API that can run, by name, with their revisions.
pub(super) type Resolved = BTreeMap<Arc<str>, (u64, Arc<ApiStreamPlan>)>;

/// Files and API together.
pub(super) struct Whole {
    pub plan: Plan,
    pub resolved: Resolved,
}

impl Whole {
    /// The plan of the configuration with the streams of the API. One that cannot run is left out and
    /// told of; a stream of the configuration goes before one of the API with the same name. What is
    /// `known` under the same configuration is not resolved again.
    pub(super) fn new(loaded: &Loaded, api: &ApiStreams, known: &Resolved) -> Self {
        let mut plan = loaded.plan.clone();
        let elsewhere = plan.share.elsewhere.clone();
        let mut resolved = Resolved::new();
        let here = loaded.plan.streams.iter().map(|stream| &*stream.name);
        let of_files: BTreeSet<&str> = here.chain(elsewhere.iter().map(|name| &**name)).collect();
        for (name, stream) in api {
            if of_files.contains(&**name) {
                tracing::warn!(stream = &**name, "the configuration has a stream of this name: the API's waits");
                continue;
            }
            if let Some(same) = known.get(name).filter(|(revision, _)| *revision == stream.revision) {
                plan.streams.push(same.1.plan.clone());
                resolved.insert(name.clone(), same.clone());
                continue;
            }
            match stream.resolve(name, loaded) {
                Ok(stream_plan) => {
                    plan.streams.push(stream_plan.plan.clone());
                    resolved.insert(name.clone(), (stream.revision, Arc::new(stream_plan)));
                }
                Err(why) => tracing::error!(stream = &**name, "a stream of the API cannot run: {why}"),
            }
        }
        plan.streams.sort_by(|one, other| one.name.cmp(&other.name));
        Self { plan, resolved }
    }

    /// What the API shows of it.
    pub(super) fn catalogue(&self) -> Catalogue {
        let entry = |stream: &StreamPlan| {
            let of_api = self.resolved.get(&stream.name);
            let entry = Entry {
                plan: Arc::new(stream.clone()),
                origin: if of_api.is_some() { StreamOrigin::Api } else { StreamOrigin::File },
                revision: of_api.map(|(revision, _)| *revision),
                settings: of_api.map(|(_, stream)| Arc::new(config::shown(&stream.settings))),
            };
            (stream.name.clone(), entry)
        };
        let streams = self.plan.streams.iter().map(entry).collect();
        let share = self.plan.share.clone();
        Catalogue { node: self.plan.node.clone(), demo: self.plan.demo, share, streams }
    }
}

impl Service {
    /// Does what the API asks for.
    pub(super) fn obey(&mut self, command: ServiceCommand, sources: &Sources) {
        match command {
            ServiceCommand::Streams(streams, done) => {
                let loaded = self.loaded.load_full();
                let known = std::mem::take(&mut self.resolved);
                match self.take_over(Whole::new(&loaded, &streams, &known), streams) {
                    Ok(changes) => tracing::info!("streams changed over the API: {}", summary_of(&changes)),
                    Err(why) => tracing::error!("a change over the API was not taken over: {why}"),
                }
                // Nobody listening means that they waited long enough.
                let _ = done.send(());
            }
            ServiceCommand::Reload(done) => {
                let _ = done.send(self.reload(sources));
            }
            ServiceCommand::Probe(work, place, done) => {
                actix::spawn(api::run_probe(*work, self.arbiters.clone(), place, done));
            }
        }
    }

    /// Reads the configuration again and takes it over.
    pub(super) fn reload(&mut self, sources: &Sources) -> Result<String, String> {
        super::notify(&[sd_notify::NotifyState::Reloading]);
        let taken = config::load(sources).map_err(|errors| errors.to_string()).and_then(|mut loaded| {
            loaded.own = self.loaded.load().own.clone();
            let loaded = Arc::new(loaded);
            // Under another configuration the same settings may mean something else.
            let whole = Whole::new(&loaded, &self.api_streams, &Resolved::new());
            let changes = self.take_over(whole, self.api_streams.clone())?;
            if self.loaded.load().plan.share != loaded.plan.share {
                tracing::info!("this clone's share is now {}", loaded.plan.share);
            }
            self.loaded.store(loaded);
            Ok(summary_of(&changes))
        });
        match &taken {
            Ok(summary) => tracing::info!("configuration reloaded: {summary}"),
            Err(why) => tracing::error!(
                fault = "reload",
                "the configuration was not reloaded, the old one stays in force: {why}"
            ),
        }
        self.last_reload = Some(taken.is_ok());
        super::notify(&[sd_notify::NotifyState::Ready]);
        taken
    }

    /// Takes a new set of streams over wholly or not at all.
    fn take_over(&mut self, whole: Whole, api: ApiStreams) -> Result<PlanChanges, String> {
        let new = &whole.plan;
        let changes = config::changes(&self.plan, new).map_err(|refused| refused.to_string())?;
        let find = |name: &Arc<str>| new.streams.iter().find(|stream| stream.name == *name);
        let mut fresh = Vec::new();
        let mut retuned = Vec::new();
        for name in changes.added.iter().chain(&changes.restarted) {
            fresh
                .extend(find(name).map(|plan| self.boards.setup(plan)).transpose().map_err(|error| error.to_string())?);
        }
        for name in &changes.retuned {
            let Some(plan) = find(name) else { continue };
            let detectors = stream_parts::resolve_detectors(plan, &[]).map_err(|error| error.to_string())?;
            let old = self.plan.streams.iter().find(|stream| stream.name == *name);
            let old = old
                .map(|plan| stream_parts::resolve_detectors(plan, &[]))
                .transpose()
                .map_err(|error| error.to_string())?;
            if old.is_some_and(|old| old.measure == detectors.measure) {
                retuned.push(RetuneStream {
                    card: stream_parts::card(plan),
                    specs: detectors.specs,
                    tiers: plan.tiers,
                    priority: plan.priority,
                });
            } else {
                // Other facts are needed: only a new session measures them.
                fresh.push(self.boards.setup(plan).map_err(|error| error.to_string())?);
            }
        }
        // The last that can be wrong: from here on everything is taken over.
        self.notifier.check(&new.receivers).map_err(|error| error.to_string())?;
        // Before any stream speaks under them.
        self.rules.store(Arc::new(new.alarm_rules()));
        // A receiver that could not start is tried again.
        if !changes.receivers.is_empty() || self.notifier.has_stopped() {
            self.notifier.reload(&new.receivers).map_err(|error| error.to_string())?;
        }
        for name in &changes.removed {
            self.monitor.do_send(RemoveStream(name.clone()));
            self.boards.remove(name);
        }
        for setup in fresh {
            self.monitor.do_send(AddStream(setup));
        }
        for change in retuned {
            self.monitor.do_send(ChangeStream(change));
        }
        self.catalogue.store(Arc::new(whole.catalogue()));
        // They are looked up by name in the catalogue: the streams come first.
        if (changes.logs || !self.logs.is_running())
            && let Err(error) = self.logs.reload(whole.plan.logs.clone())
        {
            tracing::error!(fault = %error, "logs are not followed: there is no thread for them");
        }
        self.boards.commons.update(&whole.plan);
        if self.plan.log.level != whole.plan.log.level {
            // What was set over the API for all streams gives way to the newer word.
            self.levels.set_global(whole.plan.log.level.filter());
        }
        self.plan = whole.plan;
        self.resolved = whole.resolved;
        self.api_streams = api;
        Ok(changes)
    }
}

fn summary_of(changes: &PlanChanges) -> String {
    let mut text = format!(
        "{} added, {} removed, {} restarted, {} retuned",
        changes.added.len(),
        changes.removed.len(),
        changes.restarted.len(),
        changes.retuned.len()
    );
    if !changes.receivers.is_empty() {
        text.push_str(&format!("; receivers changed: {}", changes.receivers.join(", ")));
    }
    if changes.logs {
        text.push_str("; logs changed");
    }
    if !changes.at_next_start.is_empty() {
        text.push_str(&format!("; changes of {} take effect at the next start", changes.at_next_start.join(", ")));
    }
    text
}
