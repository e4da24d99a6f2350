//! The heartbeat: tells a dead man's switch that this service is well, so that its silence is noticed.
//!
//! A thread of its own, `heartbeat`, asks for an address every so often while the service is healthy, and
//! does not when it is not: the switch then raises the alarm that we could not. It waits for the network,
//! [`SEND_WITHIN`](super::SEND_WITHIN) at most per call, and nobody waits for it. What fails is logged when
//! it begins and, with how many beats were missed, when it is over.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use avwatch_actors::lifeline::{CutReason, Lifeline};
use avwatch_actors::worker;

use super::http::HttpPoster;
use crate::config::{HeartbeatMethod, Secret};
use crate::secret_url::UrlError;

/// How long a cut may wait to be seen.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// `[heartbeat]`, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct HeartbeatPlan {
    /// The address; all of it is secret.
    pub url: Secret,
    /// How it is asked for.
    pub method: HeartbeatMethod,
    /// How often.
    pub every: Duration,
    /// Trusted certificates in place of the built-in roots.
    pub tls_ca: Option<PathBuf>,
}

/// Why there is no heartbeat.
#[derive(Debug, thiserror::Error)]
pub enum HeartbeatError {
    /// The address is none.
    #[error("cannot use the address of the heartbeat: {0}")]
    Url(#[from] UrlError),
    /// The system refuses a thread.
    #[error("cannot start the thread of the heartbeat: {0}")]
    Thread(#[from] std::io::Error),
}

/// The heart; it stops when this is dropped.
pub struct Heartbeat {
    line: Arc<Lifeline>,
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.line.cut(CutReason::Stopped);
    }
}

/// Starts to beat, at once and then every so often, whenever `is_healthy` says so.
///
/// # Errors
/// The address is none, or there is no thread.
pub fn start(
    plan: &HeartbeatPlan,
    is_healthy: impl Fn() -> bool + Send + 'static,
) -> Result<Heartbeat, HeartbeatError> {
    let line = Arc::<Lifeline>::default();
    let poster = HttpPoster::hidden(&plan.url, plan.tls_ca.as_deref(), &line)?;
    let (method, every) = (plan.method, plan.every);
    let work = move |line: &Arc<Lifeline>| {
        let mut pulse = Pulse::default();
        let mut due = Instant::now();
        while !line.is_cut() {
            if Instant::now() < due {
                std::thread::sleep(LOOK_EVERY.min(due.saturating_duration_since(Instant::now())));
                continue;
            }
            // From now, not from when it was due: after a long wait one beat is enough.
            due = Instant::now() + every;
            let beat = if is_healthy() { beat(&poster, method) } else { Beat::Withheld };
            // What fails because the end has come is no failure.
            if !line.is_cut() {
                pulse.feel(beat);
            }
        }
    };
    worker::spawn_lasting("heartbeat", line.clone(), work, |_| {})?;
    Ok(Heartbeat { line })
}

fn beat(poster: &HttpPoster, method: HeartbeatMethod) -> Beat {
    let asked = match method {
        HeartbeatMethod::Get => poster.get(&[]),
        HeartbeatMethod::Post => poster.post(&[], &[]),
    };
    asked.map_or_else(|failure| Beat::Unheard(failure.to_string()), |_| Beat::Heard)
}

/// What became of one beat.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Beat {
    /// The switch heard it.
    Heard,
    /// It did not.
    Unheard(String),
    /// The service is not healthy: there was none.
    Withheld,
}

/// What has become of the beats so far; says so when it changes.
#[derive(Debug, Default, PartialEq, Eq)]
struct Pulse {
    /// Beats in a row that were not heard.
    missed: u64,
    was_withheld: bool,
}

impl Pulse {
    fn feel(&mut self, beat: Beat) {
        let is_withheld = beat == Beat::Withheld;
        let is_new = self.missed == 0 || self.was_withheld != is_withheld;
        match beat {
            Beat::Heard => {
                if self.missed > 0 {
                    tracing::info!(missed = self.missed, "the heartbeat is heard again");
                }
                *self = Self::default();
                return;
            }
            Beat::Unheard(why) if is_new => tracing::warn!(fault = "heartbeat", "the heartbeat is not heard: {why}"),
            Beat::Withheld if is_new => {
                tracing::error!(fault = "heartbeat", "the heartbeat is withheld: the service is not healthy");
            }
            Beat::Unheard(_) | Beat::Withheld => {}
        }
        self.missed += 1;
        self.was_withheld = is_withheld;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::notify::testing::{Reply, Scripted};

    fn plan(server: &Scripted, method: HeartbeatMethod) -> HeartbeatPlan {
        let url = Secret::for_tests(&server.url("/ping/S3cret"));
        HeartbeatPlan { url, method, every: Duration::from_millis(20), tls_ca: None }
    }

    #[test]
    fn it_beats_until_it_is_dropped() {
        let server = Scripted::start(|_| Reply::status(200));
        let heart = start(&plan(&server, HeartbeatMethod::Get), || true).unwrap();
        let requests = server.wait_for(3, Duration::from_secs(10));
        assert!(requests.iter().all(|request| request.method == "GET" && request.path == "/ping/S3cret"));
        let line = heart.line.clone();
        drop(heart);
        let until = Instant::now() + Duration::from_secs(10);
        while line.phase() != avwatch_actors::lifeline::Phase::Done {
            assert!(Instant::now() < until, "the thread goes on");
            std::thread::yield_now();
        }
    }

    #[test]
    fn an_unhealthy_service_is_silent_until_it_is_well_again() {
        let server = Scripted::start(|_| Reply::status(200));
        let (healthy, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (is_healthy, was_asked) = (healthy.clone(), asked.clone());
        let _heart = start(&plan(&server, HeartbeatMethod::Post), move || {
            was_asked.store(true, Ordering::SeqCst);
            is_healthy.load(Ordering::SeqCst)
        });
        let until = Instant::now() + Duration::from_secs(10);
        while !asked.load(Ordering::SeqCst) {
            assert!(Instant::now() < until, "nobody asked");
            std::thread::yield_now();
        }
        assert_eq!(server.requests().len(), 0);
        healthy.store(true, Ordering::SeqCst);
        assert_eq!(server.wait_for(1, Duration::from_secs(10))[0].method, "POST");
    }

    #[test]
    fn missed_beats_are_counted_until_one_is_heard() {
        let mut pulse = Pulse::default();
        for beat in [Beat::Unheard("x".to_owned()), Beat::Unheard("x".to_owned()), Beat::Withheld] {
            pulse.feel(beat);
        }
        assert_eq!(pulse, Pulse { missed: 3, was_withheld: true });
        pulse.feel(Beat::Heard);
        assert_eq!(pulse, Pulse::default());
    }
}
