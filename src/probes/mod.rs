//! Probes: whether what the monitor itself needs works – link, gateway, names, references.
//!
//! One thread, `probes`, which sleeps until the event desk asks: while most inputs are down at once, at the
//! begin and then every 10 s. It starts one short-lived thread, `probe`, for each question, waits 3 s for
//! all of them together and sends what they found to the desk as plain data. What does not answer in time
//! has failed; its thread is asked for again only once it has returned, so there is at most one a question.
//!
//! Nothing is contacted that the user or the system did not configure: the default gateway, the name
//! servers of `/etc/resolv.conf` (only where inputs or settings need names), and the references of
//! `incidents.probes`.

mod dns;
mod gateway;
mod reference;
mod route;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use avwatch_actors::event_desk::DeskMessage;
use avwatch_actors::incident_stage::AskProbes;
use avwatch_actors::lifeline::Lifeline;
use avwatch_actors::probe_report::{FINDINGS_MAX, ProbeFinding, ProbeOutcome, ProbeReport};
use avwatch_actors::worker;
use crossbeam_channel::{Receiver, Sender, bounded};

pub use reference::ReferencePlan;
use route::DefaultRoute;

/// How long the answers of a round are waited for.
const LIMIT: Duration = Duration::from_secs(3);

/// How much longer than the limit a round waits for threads that keep to it.
const GRACE: Duration = Duration::from_millis(250);

/// Most references that may be configured.
pub const REFERENCES_MAX: usize = 16;

/// What is probed beside link and gateway.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProbePlan {
    /// A name that the name servers must know.
    pub dns_name: Option<Arc<str>>,
    /// What must be reachable.
    pub references: Vec<ReferencePlan>,
}

/// One question, asked on a thread of its own.
struct Probe {
    name: String,
    ask: Arc<dyn Fn() -> ProbeFinding + Send + Sync>,
    /// Set while a thread asks.
    is_asking: Arc<AtomicBool>,
}

/// The prober before its thread runs.
pub struct Prober {
    probes: Vec<Probe>,
    wishes: Receiver<()>,
}

/// Makes a prober, and what asks it. `needs_names` says whether any input is reached by a name.
pub fn prober(plan: &ProbePlan, needs_names: Arc<AtomicBool>) -> (AskProbes, Prober) {
    prober_in(Path::new("/"), plan, needs_names)
}

/// The same for a system whose files are below `root`.
fn prober_in(root: &Path, plan: &ProbePlan, needs_names: Arc<AtomicBool>) -> (AskProbes, Prober) {
    let (wish, wishes) = bounded(1);
    let ask = Box::new(move || {
        // One wish may wait: the round that it leads to is as new as any later wish.
        let _ = wish.try_send(());
    });
    (ask, Prober { probes: probes(root, plan, needs_names), wishes })
}

impl Prober {
    /// Starts the thread `probes`, which tells the desk what it finds. It ends with the desk.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn start(self, desk: Sender<DeskMessage>) -> std::io::Result<()> {
        let work = move |_: &Arc<Lifeline>| {
            while self.wishes.recv().is_ok() {
                let report = self.round();
                tracing::info!(failing = report.is_failing(), "probed the monitor's own network: {}", texts(&report));
                // The desk looks often; one that takes nothing for so long has other troubles.
                if desk.send_timeout(DeskMessage::Probed(report), LIMIT).is_err() {
                    tracing::warn!("the event desk did not take what probes found");
                }
            }
        };
        // Not kept: it ends when the desk drops its end of the wishes.
        drop(worker::spawn_lasting("probes", Arc::<Lifeline>::default(), work, |_| {})?);
        Ok(())
    }

    /// Asks everything at once, and waits for the answers at most [`LIMIT`].
    fn round(&self) -> ProbeReport {
        let until = Instant::now() + LIMIT + GRACE;
        let (answer, answers) = bounded(self.probes.len());
        let mut findings: Vec<Option<ProbeFinding>> = self.probes.iter().map(|_| None).collect();
        for (index, probe) in self.probes.iter().enumerate() {
            if probe.is_asking.swap(true, Ordering::AcqRel) {
                continue;
            }
            let (ask, answer, is_asking) = (probe.ask.clone(), answer.clone(), probe.is_asking.clone());
            let work = move |_: &Arc<Lifeline>| ask();
            let done = move |end| {
                // Before the answer: who reads it may ask again at once.
                is_asking.store(false, Ordering::Release);
                if let worker::WorkEnd::Returned(finding) = end {
                    // Nobody listening means that it was too late.
                    let _ = answer.send((index, finding));
                }
            };
            if worker::spawn("probe", Arc::<Lifeline>::default(), work, done).is_err() {
                probe.is_asking.store(false, Ordering::Release);
            }
        }
        drop(answer);
        while let Ok((index, finding)) = answers.recv_deadline(until) {
            findings[index] = Some(finding);
        }
        let said = self.probes.iter().zip(findings);
        let late = |probe: &Probe| {
            finding(ProbeOutcome::Failing, format!("{}: no answer in {} s", probe.name, LIMIT.as_secs()))
        };
        ProbeReport { findings: said.map(|(probe, found)| found.unwrap_or_else(|| late(probe))).collect() }
    }
}

fn probes(root: &Path, plan: &ProbePlan, needs_names: Arc<AtomicBool>) -> Vec<Probe> {
    let root: PathBuf = root.to_owned();
    // What there was at the start: a route that is gone since then says something, one that never was does not.
    let had: Option<DefaultRoute> = route::default_route(&root);
    let (of_link, of_gateway, of_dns) = (root.clone(), root.clone(), root);
    let had_too = had.clone();
    let name = plan.dns_name.clone();
    let mut probes = vec![
        probe("link", move || gateway::link(&of_link, had.as_ref())),
        probe("default gateway", move || gateway::gateway(&of_gateway, had_too.as_ref(), LIMIT)),
        probe("DNS", move || {
            if name.is_none() && !needs_names.load(Ordering::Relaxed) {
                return finding(ProbeOutcome::Unknown, "DNS: not needed by any input".to_owned());
            }
            dns::servers_answer(&of_dns, name.as_deref(), LIMIT)
        }),
    ];
    let left = FINDINGS_MAX - probes.len();
    for reference in plan.references.iter().take(REFERENCES_MAX.min(left)) {
        let reference = reference.clone();
        probes.push(probe(&reference.shown(), move || reference.answers(LIMIT)));
    }
    probes
}

fn probe(name: &str, ask: impl Fn() -> ProbeFinding + Send + Sync + 'static) -> Probe {
    Probe { name: name.to_owned(), ask: Arc::new(ask), is_asking: Arc::default() }
}

fn finding(outcome: ProbeOutcome, text: String) -> ProbeFinding {
    ProbeFinding { outcome, text }
}

fn texts(report: &ProbeReport) -> String {
    report.findings.iter().map(|finding| &*finding.text).collect::<Vec<_>>().join("; ")
}
