//! `/api/v1/seen`: when streams were seen, all of them in one answer.
//!
//! For whoever draws the past of many streams and must not show time as calm in which nobody looked. The journal is
//! read where blocking is allowed, for one question after the other.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix_web::web::{Data, block};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use super::past::time_of;
use super::problem::Problem;
use super::query::{Param, Query};
use super::state::Node;

/// Longest that is told of, and what is told when nothing is asked for.
const SPAN: Duration = Duration::from_secs(86_400);

/// How long a question waits for its turn.
const TURN_WITHIN: Duration = Duration::from_secs(10);

/// What `seen` takes.
pub(super) const SEEN: &[Param] = &[Param {
    name: "since",
    doc: "From this time on: RFC 3339, or a span such as 2h; a day ago at most. Default: 24h.",
    example: "2h",
}];

/// When streams were seen.
#[derive(Serialize)]
struct Seen {
    /// The begin of a minute.
    since: String,
    until: String,
    /// Spans in seconds after `since`, with their ends excluded, in order; streams of which nothing was seen are left out.
    streams: BTreeMap<String, Vec<(u64, u64)>>,
}

pub(super) async fn seen(request: HttpRequest, node: Data<Node>) -> Result<HttpResponse, Problem> {
    let query = Query::of(&request);
    let now = SystemTime::now();
    let earliest = now - SPAN;
    let since = query.moment("since")?.unwrap_or(earliest).clamp(earliest, now);
    let unix = |moment: SystemTime| moment.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (since, until) = (unix(since) / 60 * 60, unix(now));
    let turn = tokio::time::timeout(TURN_WITHIN, node.seen.clone().acquire_owned()).await;
    let Ok(Ok(turn)) = turn else {
        return Err(Problem::unavailable("too many ask for this at the moment; try again in a few seconds"));
    };
    let (journal, catalogue) = (node.past.journal.clone(), node.catalogue.load_full());
    let answer = block(move || {
        // Held until it is read, though nobody may wait for it any more.
        let _turn = turn;
        journal.seen(since, until)
    });
    let spans = match answer.await {
        Ok(Ok(spans)) => spans,
        Ok(Err(error)) => {
            tracing::warn!(fault = %error, "the journal could not be read for the API");
            return Err(Problem::unavailable("the journal cannot be read now"));
        }
        Err(_) => return Err(Problem::unavailable("there is no thread to read the journal")),
    };
    let is_there = |name: &str| catalogue.streams.contains_key(name);
    let after = |spans: Vec<(u64, u64)>| spans.into_iter().map(|(from, to)| (from - since, to - since)).collect();
    let streams =
        spans.into_iter().filter(|(name, _)| is_there(name)).map(|(name, spans)| (name, after(spans))).collect();
    Ok(HttpResponse::Ok().json(Seen { since: time_of(since), until: time_of(until), streams }))
}
