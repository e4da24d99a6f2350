//! `/api/v1/receivers`: who is notified, how that goes, what waits for a person, and tries.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, Path, block};
use actix_web::{HttpRequest, HttpResponse};
use avwatch_actors::event::Wall;
use serde::Serialize;

use super::access::Principal;
use super::problem::Problem;
use super::state::Node;
use crate::notify::{ReceiverView, SEND_WITHIN};
use crate::sinks::store::{Outbox, Parked, StoreError};

/// Tries of one receiver within a minute.
const TRIES_MAX: usize = 6;

/// The minute.
const TRIES_WITHIN: Duration = Duration::from_secs(60);

/// How long a try may take: a message that is on its way goes first.
const ANSWER_WITHIN: Duration = SEND_WITHIN.saturating_mul(2).saturating_add(Duration::from_secs(5));

/// When receivers were tried lately.
#[derive(Default)]
pub(super) struct Tries(Mutex<BTreeMap<String, VecDeque<Instant>>>);

impl Tries {
    /// Whether a receiver may be tried now; else how long to wait.
    fn allow(&self, receiver: &str, now: Instant) -> Result<(), Duration> {
        let mut tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tries.retain(|_, times| times.back().is_some_and(|at| now.duration_since(*at) < TRIES_WITHIN));
        let times = tries.entry(receiver.to_owned()).or_default();
        while times.front().is_some_and(|at| now.duration_since(*at) >= TRIES_WITHIN) {
            times.pop_front();
        }
        match times.front() {
            Some(first) if times.len() >= TRIES_MAX => Err(TRIES_WITHIN - now.duration_since(*first)),
            _ => {
                times.push_back(now);
                Ok(())
            }
        }
    }
}

/// The list.
#[derive(Serialize)]
struct List {
    receivers: Vec<ReceiverItem>,
}

/// A receiver as it is shown.
#[derive(Serialize)]
struct ReceiverItem {
    name: Arc<str>,
    kind: &'static str,
    target: String,
    from: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    fallback: Option<Arc<str>>,
    state: &'static str,
    pending: u64,
    oldest_s: f64,
    parked: u64,
    outcomes: BTreeMap<&'static str, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_success: Option<Wall>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_failure: Option<Wall>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
}

impl ReceiverItem {
    fn new(view: ReceiverView) -> Self {
        let (pending, oldest) = view.board.pending();
        let standing = view.board.standing();
        let (last_failure, last_error) = standing.last_failure.unzip();
        Self {
            kind: view.plan.channel.kind(),
            target: view.plan.channel.target(),
            from: view.plan.audience.from.name(),
            fallback: view.plan.fallback.clone(),
            name: view.plan.name,
            state: standing.state.name(),
            pending,
            oldest_s: oldest.as_secs_f64(),
            parked: view.board.parked_now(),
            outcomes: view.board.outcomes().into_iter().collect(),
            last_success: standing.last_success,
            last_failure,
            last_error,
        }
    }
}

/// What a try led to.
#[derive(Serialize)]
struct Tried {
    delivered: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Parked messages.
#[derive(Serialize)]
struct ParkedList {
    parked: Vec<Parked>,
}

pub(super) async fn list(node: Data<Node>) -> HttpResponse {
    HttpResponse::Ok().json(List { receivers: node.notifier.views().into_iter().map(ReceiverItem::new).collect() })
}

pub(super) async fn test(request: HttpRequest, node: Data<Node>, name: Path<String>) -> Result<HttpResponse, Problem> {
    let name = known(&node, name.into_inner())?;
    if let Err(wait) = node.tries.allow(&name, Instant::now()) {
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "a receiver may be tried 6 times a minute");
        return Err(problem.with_header(header::RETRY_AFTER, (wait.as_secs() + 1).to_string()));
    }
    let by = Principal::of(&request).name(None);
    tracing::info!(user = by, receiver = &*name, "a receiver is tried over the API");
    let (answer, answers) = crossbeam_channel::bounded(1);
    match node.notifier.try_out(&name, by, answer) {
        None => return Err(unknown()),
        Some(false) => return Err(Problem::unavailable("the receiver has no time for a try")),
        Some(true) => {}
    }
    let result = block(move || answers.recv_timeout(ANSWER_WITHIN)).await;
    match result {
        Ok(Ok(Ok(()))) => Ok(HttpResponse::Ok().json(Tried { delivered: true, error: None })),
        Ok(Ok(Err(why))) => Ok(HttpResponse::Ok().json(Tried { delivered: false, error: Some(why) })),
        Ok(Err(_)) | Err(_) => Err(Problem::unavailable("the receiver did not answer in time")),
    }
}

pub(super) async fn parked(node: Data<Node>, name: Path<String>) -> Result<HttpResponse, Problem> {
    let name = known(&node, name.into_inner())?;
    let parked = with_outbox(&node, move |outbox| outbox.parked(&name)).await?;
    Ok(HttpResponse::Ok().json(ParkedList { parked }))
}

pub(super) async fn retry(
    request: HttpRequest,
    node: Data<Node>,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (name, id) = path.into_inner();
    let name = known(&node, name)?;
    let wanted = (name.clone(), id.clone());
    if !with_outbox(&node, move |outbox| outbox.retry(&wanted.0, &wanted.1, SystemTime::now())).await? {
        return Err(Problem::not_found("no parked message has this id"));
    }
    node.notifier.ring(&name);
    let user = Principal::of(&request).name(None);
    tracing::info!(user, receiver = &*name, id, "a parked notification is sent again, as asked over the API");
    Ok(HttpResponse::Accepted().finish())
}

fn known(node: &Node, name: String) -> Result<String, Problem> {
    let is_known = node.notifier.views().iter().any(|view| *view.plan.name == *name);
    if is_known { Ok(name) } else { Err(unknown()) }
}

fn unknown() -> Problem {
    Problem::not_found("there is no receiver of this name")
}

async fn with_outbox<T: Send + 'static>(
    node: &Data<Node>,
    work: impl FnOnce(&mut Outbox) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Problem> {
    let data_dir = node.data_dir().to_owned();
    match block(move || work(&mut Outbox::new(&data_dir))).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => {
            tracing::warn!(fault = %error, "the outbox could not be used for the API");
            Err(Problem::unavailable("the outbox cannot be used now"))
        }
        Err(_) => Err(Problem::unavailable("there is no thread to use the outbox")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_may_be_tried_six_times_a_minute() {
        let tries = Tries::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        for second in 0..6 {
            assert_eq!(tries.allow("pager", at(second)), Ok(()));
        }
        assert_eq!(tries.allow("pager", at(10)), Err(Duration::from_secs(50)));
        assert_eq!(tries.allow("mail", at(10)), Ok(()));
        assert_eq!(tries.allow("pager", at(60)), Ok(()));
    }
}
