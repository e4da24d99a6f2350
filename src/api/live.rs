//! `/api/v1/live`: event changes, states of streams and meters as server-sent events.
//!
//! A client that comes back with `Last-Event-ID` first gets from the store what it missed, then what
//! happens: it listens before the store is read, so nothing falls between the two. A client that
//! does not read is told why and hung up on; nobody waits for it. One that ends its side of the connection is done: its
//! place is free at once.

use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::{self, ContentType};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::access::Principal;
use super::hangup::Hangup;
use super::problem::Problem;
use super::query::{Param, Query};
use super::state::Node;
use crate::access::Role;
use crate::sinks::live_feed::{Listener, Message, Topic, Wants, frame};
use crate::sinks::store::PAGE_ROWS_MAX;

/// What `live` takes.
pub(super) const QUERY: &[Param] = &[
    Param {
        name: "topics",
        doc: "What to hear of: events, incidents, streams, meters, separated by commas. Default: all.",
        example: "events,streams",
    },
    Param { name: "stream", doc: "Hear of this stream only; several are possible.", example: "lobby" },
    Param { name: "last_event_id", doc: "Like the header Last-Event-ID, for a first connection.", example: "4711" },
];

/// How often something is sent when nothing happens, so that a broken connection shows.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How long a client may take nothing of what waits for it.
const STUCK_AFTER: Duration = Duration::from_secs(20);

/// Changes that are replayed at most; a client that missed more begins afresh.
const REPLAY_MAX: u64 = 50_000;

/// Streams that one client may name.
const STREAMS_MAX: usize = 1_000;

/// Frames between the pump and the connection.
const IN_FLIGHT_MAX: usize = 16;

/// The first message.
#[derive(Serialize)]
struct Hello {
    version: &'static str,
    /// The number of the newest change: what is read from `/api/v1/events` now is as new or newer.
    sequence: u64,
    /// What whoever listens may do, so that pages offer nothing that would be refused.
    role: Role,
}

/// Why a client has to begin afresh, or is hung up on.
#[derive(Serialize)]
struct Reason {
    reason: &'static str,
}

pub(super) async fn live(request: HttpRequest, node: Data<Node>) -> Result<HttpResponse, Problem> {
    let query = Query::of(&request);
    let wants = wants(&query)?;
    let last = last_event_id(&request, &query)?;
    let mut answer = HttpResponse::Ok();
    answer
        .content_type(ContentType(mime()))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // Proxies that gather answers would hold the feed back.
        .insert_header(("X-Accel-Buffering", "no"));
    if request.method() == Method::HEAD {
        return Ok(answer.finish());
    }
    let hangup = request.conn_data::<Hangup>().cloned();
    let place =
        hangup.as_ref().map(|hangup| hangup.feed().ok_or_else(|| too_many("of this connection "))).transpose()?;
    let listener = node.feed.listen(wants.clone()).ok_or_else(|| too_many(""))?;
    let (frames, body) = mpsc::channel(IN_FLIGHT_MAX);
    let Principal { token, role, .. } = Principal::of(&request);
    let pump = Pump { node, token, role, listener, wants, frames, hangup, _place: place };
    actix_web::rt::spawn(pump.run(last));
    Ok(answer.body(LiveBody(body)))
}

fn too_many(whose: &str) -> Problem {
    Problem::unavailable(format!("too many clients {whose}listen already"))
}

fn mime() -> actix_web::mime::Mime {
    actix_web::mime::TEXT_EVENT_STREAM
}

fn wants(query: &Query) -> Result<Wants, Problem> {
    let word = |word: &str| {
        Topic::ALL.into_iter().find(|topic| topic.name() == word).ok_or_else(|| {
            Problem::bad_request("'topics' must be events, incidents, streams or meters, separated by commas")
        })
    };
    let topics = match query.get("topics") {
        Some(words) => words.split(',').map(str::trim).map(word).collect::<Result<_, _>>()?,
        None => BTreeSet::from(Topic::ALL),
    };
    let streams: BTreeSet<String> = query.all("stream").map(str::to_owned).collect();
    if streams.len() > STREAMS_MAX {
        return Err(Problem::bad_request(format!("at most {STREAMS_MAX} streams can be named")));
    }
    Ok(Wants { topics, streams })
}

/// The number of the last change that the client saw.
fn last_event_id(request: &HttpRequest, query: &Query) -> Result<Option<u64>, Problem> {
    let by_header = request.headers().get("Last-Event-ID").map(|value| value.to_str().unwrap_or("?"));
    // A reconnecting browser repeats the query of its first connection: the header is newer.
    let Some(text) = by_header.filter(|text| !text.is_empty()).or(query.get("last_event_id")) else {
        return Ok(None);
    };
    let wrong = || Problem::new(StatusCode::BAD_REQUEST, "Last-Event-ID must be the id of an earlier message");
    text.parse().map(Some).map_err(|_| wrong())
}

/// What carries messages from the feed to one connection.
struct Pump {
    node: Data<Node>,
    /// The name of the token that the client came with; none was needed when absent.
    token: Option<String>,
    /// Of that token.
    role: Role,
    listener: Listener,
    wants: Wants,
    frames: mpsc::Sender<Bytes>,
    hangup: Option<Hangup>,
    /// Of the feeds of its connection.
    _place: Option<OwnedSemaphorePermit>,
}

/// Why a pump ends early.
struct Over;

impl Pump {
    async fn run(mut self, last: Option<u64>) {
        let ended = self.pump_until(gone(self.hangup.clone(), self.frames.clone()), last).await;
        // A client that reads again learns why it was ended.
        if let Ok(reason) = ended {
            tracing::info!(reason, "a client of the live feed was dropped");
            let _ = self.send(frame("dropped", None, &Reason { reason })).await;
        }
    }

    /// Pumps until there is nobody to pump for any more.
    async fn pump_until(&mut self, gone: impl Future<Output = ()>, last: Option<u64>) -> Result<&'static str, Over> {
        let (mut gone, mut pumping) = (pin!(gone), pin!(self.pump(last)));
        poll_fn(|context| match gone.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(Over)),
            Poll::Pending => pumping.as_mut().poll(context),
        })
        .await
    }

    /// Whether the client's token is still one, or none is needed still.
    fn is_admitted(&self) -> bool {
        let tokens = self.node.tokens.load();
        match &self.token {
            Some(name) => tokens.iter().any(|token| *token.name == **name),
            None => tokens.is_empty(),
        }
    }

    /// Ends well, with the reason, when the client is dropped.
    async fn pump(&mut self, last: Option<u64>) -> Result<&'static str, Over> {
        let sequence = self.node.desk.board.sequence();
        self.send(Bytes::from_static(b"retry: 2000\n\n")).await?;
        let hello = Hello { version: env!("CARGO_PKG_VERSION"), sequence, role: self.role };
        self.send(frame("hello", None, &hello)).await?;
        let mut seen = match last {
            Some(last) => self.replay(last, sequence).await?,
            None => 0,
        };
        loop {
            let next = tokio::time::timeout(KEEP_ALIVE, self.listener.next()).await;
            if !self.is_admitted() {
                return Ok("the token is not known any more");
            }
            let message = match next {
                Ok(Some(message)) => message,
                Ok(None) => return Ok(self.listener.dropped().unwrap_or("the feed ended")),
                Err(_) => {
                    self.send(Bytes::from_static(b": still here\n\n")).await?;
                    continue;
                }
            };
            if message.sequence.is_some_and(|sequence| sequence <= seen) {
                continue;
            }
            seen = message.sequence.unwrap_or(seen);
            self.send(message.frame.clone()).await?;
        }
    }

    /// Sends what the store has after `last`; returns the number of the last change sent.
    async fn replay(&mut self, last: u64, newest: u64) -> Result<u64, Over> {
        if last > newest || newest - last > REPLAY_MAX {
            let reason = if last > newest { "the id is of another store" } else { "too much was missed" };
            self.send(frame("resync", None, &Reason { reason })).await?;
            return Ok(0);
        }
        let mut seen = last;
        loop {
            let page = self.node.read(move |reader| reader.changes_since(seen, PAGE_ROWS_MAX)).await;
            let Ok(page) = page else {
                self.send(frame("resync", None, &Reason { reason: "the store cannot be read now" })).await?;
                return Ok(0);
            };
            if seen == last && page.first().is_some_and(|first| first.sequence > last + 1) {
                self.send(frame("resync", None, &Reason { reason: "what was missed is no longer stored" })).await?;
            }
            for event in &page {
                let message = Message::of_event(event);
                if self.wants.match_message(Topic::Events, message.stream.as_deref()) {
                    self.send(message.frame).await?;
                }
            }
            let Some(newest) = page.last() else { return Ok(seen) };
            seen = newest.sequence;
        }
    }

    /// Hands a frame to the connection. One that takes nothing for too long is hung up on.
    async fn send(&self, frame: Bytes) -> Result<(), Over> {
        match tokio::time::timeout(STUCK_AFTER, self.frames.send(frame)).await {
            Ok(Ok(())) => Ok(()),
            // The client has gone.
            Ok(Err(_)) => Err(Over),
            Err(_) => {
                tracing::info!("a client of the live feed reads nothing and is hung up on");
                if let Some(hangup) = &self.hangup {
                    hangup.hang_up();
                }
                Err(Over)
            }
        }
    }
}

/// Ends when the client has ended its side of the connection, or nobody sends to it any more.
async fn gone(hangup: Option<Hangup>, frames: mpsc::Sender<Bytes>) {
    let (mut closed, mut ended) = (
        pin!(frames.closed()),
        pin!(async {
            match &hangup {
                Some(hangup) => hangup.ended().await,
                None => std::future::pending().await,
            }
        }),
    );
    poll_fn(|context| match closed.as_mut().poll(context) {
        Poll::Ready(()) => Poll::Ready(()),
        Poll::Pending => ended.as_mut().poll(context),
    })
    .await;
}

/// The body of the answer: frames as they come.
struct LiveBody(mpsc::Receiver<Bytes>);

impl MessageBody for LiveBody {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.0.poll_recv(context).map(|frame| frame.map(Ok))
    }
}
