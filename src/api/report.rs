//! `/api/v1/report` and `/api/v1/tune`: what the past says, in figures.
//!
//! Store and journal are read where blocking is allowed, for at most some seconds and few at a time.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use avwatch_actors::severity::Severity;
use tokio::sync::OwnedSemaphorePermit;

use super::problem::Problem;
use super::query::{Param, Query};
use super::state::Node;
use crate::availability::{self, GROUP_LABEL, GatherError, Gatherer, NoiseWanted, Running};
use crate::config::{Span, StreamPlan};
use crate::tune::{self, Circumstances, TuneError};

/// What is told when nothing is asked for: the last day.
const SPAN: Duration = Duration::from_secs(86_400);

/// Longest name of a label.
const LABEL_BYTES_MAX: usize = 128;

const SINCE: Param = Param {
    name: "since",
    doc: "From this time on: RFC 3339, or a span such as 2h or 7d. Default: 24h.",
    example: "7d",
};
const UNTIL: Param = Param {
    name: "until",
    doc: "Up to this time: RFC 3339, or a span such as 1h. Default: now.",
    example: "2026-11-28T18:00:00Z",
};
const STREAM: Param = Param { name: "stream", doc: "This stream only.", example: "lobby" };

/// What `report` takes.
pub(super) const REPORT: &[Param] = &[
    SINCE,
    UNTIL,
    STREAM,
    Param { name: "from", doc: "The lowest severity that counts as an error. Default: major.", example: "warning" },
    Param { name: "group", doc: "The label by which streams are grouped. Default: group.", example: "site" },
    Param {
        name: "noise",
        doc: "true also tells the noisiest streams and detectors, and which observed streams are ready to go live.",
        example: "true",
    },
];

/// What `tune` takes.
pub(super) const TUNE: &[Param] = &[
    Param { name: "detector", doc: "The detector.", example: "black" },
    Param { name: "raise_after", doc: "Another time in the condition before anything is raised.", example: "10s" },
    Param { name: "clear_after", doc: "Another time without the condition until an event ends.", example: "5s" },
    Param {
        name: "threshold",
        doc: "Another score at which the condition holds, in the detector's own unit.",
        example: "0.95",
    },
    STREAM,
    SINCE,
    UNTIL,
];

/// Since and until of a question; the future is not known.
fn times(query: &Query) -> Result<(SystemTime, SystemTime), Problem> {
    let now = SystemTime::now();
    let until = query.moment("until")?.unwrap_or(now).min(now);
    let since = query.moment("since")?.or_else(|| until.checked_sub(SPAN)).unwrap_or(SystemTime::UNIX_EPOCH);
    Ok((since, until))
}

fn plans(node: &Node) -> Vec<Arc<StreamPlan>> {
    node.catalogue.load().streams.values().map(|entry| entry.plan.clone()).collect()
}

fn admitted(node: &Node) -> Result<OwnedSemaphorePermit, Problem> {
    let busy = || Problem::unavailable("enough reports are being made at the moment; try again in a few seconds");
    node.reports.clone().try_acquire_owned().map_err(|_| busy())
}

pub(super) async fn report(request: HttpRequest, node: Data<Node>) -> Result<HttpResponse, Problem> {
    let query = Query::of(&request);
    let (since, until) = times(&query)?;
    let group = query.get("group").unwrap_or(GROUP_LABEL);
    if group.len() > LABEL_BYTES_MAX {
        return Err(Problem::bad_request(format!("'group' must have at most {LABEL_BYTES_MAX} bytes")));
    }
    let noise = query.parsed("noise", "true or false")?.unwrap_or(false);
    let question = availability::Question {
        since,
        until,
        from: query.parsed("from", "info, warning, minor, major or critical")?.unwrap_or(Severity::Major),
        stream: query.get("stream").map(str::to_owned),
        group: group.to_owned(),
        noise: if noise { NoiseWanted::Yes } else { NoiseWanted::No },
    };
    let (plans, journal, permit) = (plans(&node), node.past.journal.clone(), admitted(&node)?);
    let desired = node.desired.clone();
    let made = node.read(move |store| {
        // Held until it is made, though nobody may wait for it any more.
        let _permit = permit;
        let made = desired.maintenance().map_err(GatherError::from).and_then(|maintenance| {
            Gatherer { store, journal: &journal, plans: &plans, maintenance: &maintenance, service: Running::Yes }
                .report(&question)
        });
        Ok(made)
    });
    match made.await? {
        Ok(report) => Ok(HttpResponse::Ok().json(report)),
        Err(GatherError::Question(why)) => Err(Problem::bad_request(why)),
        Err(GatherError::Store(error)) => Err(unreadable(&error)),
        Err(GatherError::Journal(error)) => Err(unreadable(&error)),
        Err(GatherError::Desired(error)) => Err(unreadable(&error)),
    }
}

pub(super) async fn tune(request: HttpRequest, node: Data<Node>) -> Result<HttpResponse, Problem> {
    let query = Query::of(&request);
    let (since, until) = times(&query)?;
    let span =
        |name: &str| Ok::<_, Problem>(query.parsed::<Span>(name, "a length such as 10s")?.map(|Span(span)| span));
    let question = tune::Question {
        detector: query.get("detector").ok_or_else(|| Problem::bad_request("'detector' is missing"))?.to_owned(),
        raise_after: span("raise_after")?,
        clear_after: span("clear_after")?,
        threshold: query.parsed("threshold", "a number")?,
        stream: query.get("stream").map(str::to_owned),
        since,
        until,
    };
    let (plans, journal, permit) = (plans(&node), node.past.journal.clone(), admitted(&node)?);
    let (rules, desired) = (node.desk.rules.load_full(), node.desired.clone());
    let made = node.read(move |store| {
        let _permit = permit;
        let made = desired.maintenance().map_err(TuneError::from).and_then(|maintenance| {
            let circumstances = Circumstances { rules: &rules, maintenance: &maintenance };
            tune::tune(&question, &plans, circumstances, &journal, store)
        });
        Ok(made)
    });
    match made.await? {
        Ok(tuned) => Ok(HttpResponse::Ok().json(tuned)),
        Err(error @ (TuneError::Question(_) | TuneError::Option(_))) => Err(Problem::bad_request(error.to_string())),
        Err(TuneError::Store(error)) => Err(unreadable(&error)),
        Err(TuneError::Journal(error)) => Err(unreadable(&error)),
        Err(TuneError::Desired(error)) => Err(unreadable(&error)),
    }
}

fn unreadable(error: &dyn std::error::Error) -> Problem {
    tracing::warn!(fault = %error, "the past could not be read for the API");
    Problem::unavailable("the past cannot be read now")
}
