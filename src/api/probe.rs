//! `/probe`: looks at one address once, for scrapers that know their targets themselves.
//!
//! In the manner of Prometheus's blackbox exporter. The inspection runs where `check` runs it, on the
//! control arbiter, for a few seconds; at most a few at the same time.

use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::{Method, StatusCode};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use avwatch_actors::event::EventChange;
use avwatch_actors::paced::Pace;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::problem::{FieldError, Problem};
use super::query::{Param, Query};
use super::state::{Node, PROBES_MAX};
use crate::config::check_address;
use crate::inspect::{Findings, Inspection};
use crate::media::address;
use crate::media::spec::Address;
use crate::service::ServiceCommand;
use crate::stream_parts;

/// What `probe` takes.
pub(super) const QUERY: &[Param] = &[
    Param { name: "target", doc: "The URL to look at.", example: "srt://203.0.113.7:9000" },
    Param { name: "profile", doc: "The profile to judge by. Default: ott.", example: "ott" },
    Param { name: "seconds", doc: "Media time to look at, 1 to 30. Default: 5.", example: "5" },
];

/// Media time that is looked at.
const SECONDS: u64 = 5;
const SECONDS_MAX: u64 = 30;

/// Opening and looking may take this much longer than the media time.
const GRACE: Duration = Duration::from_secs(10);

/// A scraper gives up after so long; the answer must be there a little earlier.
const SCRAPE_TIMEOUT: &str = "X-Prometheus-Scrape-Timeout-Seconds";
const SCRAPE_MARGIN: Duration = Duration::from_millis(500);

pub(super) async fn probe(request: HttpRequest, node: Data<Node>) -> Result<HttpResponse, Problem> {
    let query = Query::of(&request);
    let target = query.get("target").ok_or_else(|| Problem::bad_request("'target' is missing"))?;
    let expected = format!("a number from 1 to {SECONDS_MAX}");
    let seconds: u64 = query.parsed("seconds", &expected)?.unwrap_or(SECONDS);
    if !(1..=SECONDS_MAX).contains(&seconds) {
        return Err(Problem::bad_request(format!("'seconds' must be {expected}")));
    }
    let media_max = Duration::from_secs(seconds);
    let wall_max = (media_max + GRACE).min(scrape_limit(&request).unwrap_or(Duration::MAX));
    let work = inspection(&node, target, query.get("profile").unwrap_or("ott"), media_max, wall_max)?;
    let mut answer = HttpResponse::Ok();
    answer.content_type("text/plain; version=0.0.4; charset=utf-8");
    if request.method() == Method::HEAD {
        // What a probe finds would not be told: it is not worth opening anything.
        return Ok(answer.finish());
    }
    let place = node
        .probes
        .clone()
        .try_acquire_owned()
        .map_err(|_| Problem::unavailable(format!("{PROBES_MAX} probes run already")))?;
    let begun = Instant::now();
    let (done, found) = oneshot::channel();
    if node.commands.try_send(ServiceCommand::Probe(Box::new(work), place, done)).is_err() {
        return Err(Problem::unavailable("too many commands wait for the service"));
    }
    let found = tokio::time::timeout(wall_max + GRACE, found).await;
    let text = match found {
        Ok(Ok(findings)) => told(Some(&findings), begun.elapsed()),
        Ok(Err(_)) | Err(_) => told(None, begun.elapsed()),
    };
    Ok(answer.body(text))
}

/// How long the scraper waits.
fn scrape_limit(request: &HttpRequest) -> Option<Duration> {
    let text = request.headers().get(SCRAPE_TIMEOUT)?.to_str().ok()?;
    let limit = Duration::try_from_secs_f64(text.parse().ok()?).ok()?;
    Some(limit.saturating_sub(SCRAPE_MARGIN).max(SCRAPE_MARGIN))
}

fn inspection(
    node: &Node,
    target: &str,
    profile: &str,
    media_max: Duration,
    wall_max: Duration,
) -> Result<Inspection, Problem> {
    // The error names the scheme at most: what follows it may be a secret.
    let address = address::parse(target).map_err(|error| Problem::bad_request(format!("'target' {error}")))?;
    let name = match &address {
        Address::Url(url) => url.to_string(),
        Address::File(_) | Address::Stdin | Address::Synthetic(_) => "target".to_owned(),
    };
    let loaded = node.loaded.load();
    let plan = loaded.input(&name, address, profile);
    let plan = plan.map_err(|error| Problem::bad_request(format!("'profile' is unknown; {}", error.hint)))?;
    let plan = loaded.guarded(plan).and_then(|plan| check_address(&plan).map(|()| plan)).map_err(|faults| {
        let errors = faults.into_iter().map(|fault| FieldError { pointer: fault.pointer, detail: fault.detail });
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "'target' may not be opened").with_errors(errors.collect())
    })?;
    let failed = |_| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "'target' cannot be put together");
    let detectors = stream_parts::resolve_detectors(&plan, &[]).map_err(failed)?;
    Ok(Inspection {
        card: stream_parts::card(&plan),
        opener: stream_parts::opener(&plan, detectors.measure).map_err(failed)?,
        specs: detectors.specs,
        pace: Pace::Burst,
        media_max: Some(media_max),
        wall_max: Some(wall_max),
        recorder: None,
    })
}

/// The metrics of a probe. `None`: it did not come to an end.
fn told(findings: Option<&Findings>, took: Duration) -> String {
    let is_good = findings.is_some_and(|findings| findings.error.is_none() && !findings.meters.tracks.is_empty());
    let mut text = String::new();
    let mut gauge = |name: &str, help: &str, value: f64| {
        // Writing to a String cannot fail.
        let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n");
    };
    gauge("probe_success", "1 when the target could be opened and inspected.", f64::from(u8::from(is_good)));
    gauge("probe_duration_seconds", "How long the probe took.", took.as_secs_f64());
    let Some(findings) = findings else { return text };
    gauge("avwatch_probe_bitrate_bits_per_second", "Bits of a second of media.", findings.meters.bitrate);
    gauge("avwatch_probe_frame_rate", "Pictures of a second of media.", findings.meters.frame_rate);
    text.push_str("# HELP avwatch_probe_frames Frames that were inspected.\n# TYPE avwatch_probe_frames gauge\n");
    for track in &findings.meters.tracks {
        let _ = writeln!(text, "avwatch_probe_frames{{track=\"{}\"}} {}", track.track, track.frames);
    }
    text.push_str("# HELP avwatch_probe_event 1 for each condition found.\n# TYPE avwatch_probe_event gauge\n");
    let mut seen = Vec::new();
    for EventChange { key, severity, .. } in &findings.changes {
        let row = format!(
            "avwatch_probe_event{{track=\"{}\",detector=\"{}\",severity=\"{severity}\"}} 1\n",
            key.track, key.detector
        );
        // A condition that came twice is one row.
        if !seen.contains(&row) {
            text.push_str(&row);
            seen.push(row);
        }
    }
    text
}

/// Runs an inspection for a probe. On the control arbiter.
pub(crate) async fn run(
    work: Inspection,
    arbiters: Arc<avwatch_actors::arbiters::Arbiters>,
    place: OwnedSemaphorePermit,
    done: oneshot::Sender<Findings>,
) {
    let stop = std::sync::atomic::AtomicBool::new(false);
    let findings = crate::inspect::inspect(work, &arbiters, &stop, |_| {}).await;
    // Only now: a client that left long ago does not make room for another inspection.
    drop(place);
    // Nobody listening means that the client waited long enough.
    let _ = done.send(findings);
}
