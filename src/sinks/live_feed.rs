//! The live feed: committed changes, states of streams and meters to whoever listens right now.
//!
//! One writer side (its sink thread for changes, the control arbiter for states and meters), many
//! clients with a bounded queue each. Publishing never waits: a client that is too far behind is
//! dropped with a reason and comes back with the number of the last change that it saw. Messages are
//! made once and shared.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use actix_web::web::Bytes;
use avwatch_actors::event::Event;
use avwatch_actors::incident::Incident;
use avwatch_actors::record::Record;
use avwatch_actors::sink::{Sink, SinkError};
use serde::Serialize;
use tokio::sync::mpsc;

/// Name of the sink in logs and metrics.
const NAME: &str = "live_feed";

/// Clients that may listen at the same time.
pub const CLIENTS_MAX: usize = 256;

/// Messages that may wait for a client.
const QUEUE_MAX: usize = 4_096;

/// Bytes that may wait for a client.
const QUEUE_BYTES_MAX: usize = 8 << 20;

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Changes of events.
    Events,
    /// States of streams, when they change.
    Streams,
    /// Readings, once a second.
    Meters,
    /// Changes of incidents.
    Incidents,
}

impl Topic {
    /// Every topic.
    pub const ALL: [Self; 4] = [Self::Events, Self::Streams, Self::Meters, Self::Incidents];

    /// The word in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Streams => "streams",
            Self::Meters => "meters",
            Self::Incidents => "incidents",
        }
    }
}

/// One message as it is sent.
#[derive(Debug)]
pub struct Message {
    /// What it is about.
    pub topic: Topic,
    /// The number of the change, for changes of events.
    pub sequence: Option<u64>,
    /// The stream that it is about; absent when about many.
    pub stream: Option<Arc<str>>,
    /// The frame of server-sent events.
    pub frame: Bytes,
}

impl Message {
    /// A message with a JSON value as its data.
    pub fn new(topic: Topic, kind: &str, stream: Option<Arc<str>>, data: &impl Serialize) -> Self {
        Self { topic, sequence: None, stream, frame: frame(kind, None, data) }
    }

    /// The message of a change of an event.
    pub fn of_event(event: &Event) -> Self {
        let frame = frame("event", Some(event.sequence), event);
        Self { topic: Topic::Events, sequence: Some(event.sequence), stream: Some(event.stream.clone()), frame }
    }

    /// The message of a change of an incident, with the first of its events listed. It has no number:
    /// who was away reads the open ones anew.
    pub fn of_incident(incident: &Incident) -> Self {
        Self::new(Topic::Incidents, "incident", None, &incident.brief())
    }
}

/// A frame of server-sent events. JSON has no line breaks, so the data is one line.
pub fn frame(kind: &str, id: Option<u64>, data: &impl Serialize) -> Bytes {
    let data = serde_json::to_string(data).unwrap_or_else(|_| "null".to_owned());
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    Bytes::from(format!("{id}event: {kind}\ndata: {data}\n\n"))
}

/// What a client wants to hear of.
#[derive(Clone, Debug)]
pub struct Wants {
    /// Topics.
    pub topics: BTreeSet<Topic>,
    /// Names of streams; all when empty.
    pub streams: BTreeSet<String>,
}

impl Wants {
    /// Whether a message is for it.
    pub fn match_message(&self, topic: Topic, stream: Option<&str>) -> bool {
        self.topics.contains(&topic) && stream.is_none_or(|stream| self.wants_stream(stream))
    }

    /// Whether it wants to hear of a stream.
    pub fn wants_stream(&self, stream: &str) -> bool {
        self.streams.is_empty() || self.streams.contains(stream)
    }
}

/// What the feed and a client share.
#[derive(Debug, Default)]
struct Link {
    bytes: AtomicUsize,
    dropped: OnceLock<&'static str>,
}

struct Subscriber {
    queue: mpsc::Sender<Arc<Message>>,
    wants: Wants,
    link: Arc<Link>,
}

impl Subscriber {
    /// Hands a message over; false when the client is gone or has just been dropped.
    fn offer(&self, message: &Arc<Message>) -> bool {
        if !self.wants.match_message(message.topic, message.stream.as_deref()) {
            return !self.queue.is_closed();
        }
        // Only this side adds, under the lock of the subscribers; the client takes away at any time,
        // so a stale sum is too high by what it has just taken.
        let waiting = self.link.bytes.fetch_add(message.frame.len(), Ordering::Relaxed);
        if waiting > QUEUE_BYTES_MAX {
            self.link.dropped.get_or_init(|| "too many bytes wait to be read");
            return false;
        }
        match self.queue.try_send(message.clone()) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.link.dropped.get_or_init(|| "too many messages wait to be read");
                false
            }
            Err(mpsc::error::TrySendError::Closed(_)) => false,
        }
    }
}

/// A client's end of the feed.
#[derive(Debug)]
pub struct Listener {
    queue: mpsc::Receiver<Arc<Message>>,
    link: Arc<Link>,
}

impl Listener {
    /// The next message; nothing when the feed has dropped the client.
    pub async fn next(&mut self) -> Option<Arc<Message>> {
        if self.dropped().is_some() {
            return None;
        }
        let message = self.queue.recv().await?;
        self.link.bytes.fetch_sub(message.frame.len(), Ordering::Relaxed);
        Some(message)
    }

    /// Why it was dropped.
    pub fn dropped(&self) -> Option<&'static str> {
        self.link.dropped.get().copied()
    }
}

/// The feed.
#[derive(Default)]
pub struct LiveFeed {
    subscribers: Mutex<Vec<Subscriber>>,
    is_closed: AtomicBool,
}

impl LiveFeed {
    /// Begins to listen; nothing when there are too many clients, or the service is ending.
    pub fn listen(&self, wants: Wants) -> Option<Listener> {
        let mut subscribers = self.subscribers.lock().unwrap_or_else(PoisonError::into_inner);
        subscribers.retain(|subscriber| !subscriber.queue.is_closed());
        if subscribers.len() >= CLIENTS_MAX || self.is_closed.load(Ordering::Relaxed) {
            return None;
        }
        let (queue, receiver) = mpsc::channel(QUEUE_MAX);
        let link = Arc::<Link>::default();
        subscribers.push(Subscriber { queue, wants, link: link.clone() });
        Some(Listener { queue: receiver, link })
    }

    /// Hands a message to everyone who wants it. Never waits.
    pub fn publish(&self, message: Message) {
        let message = Arc::new(message);
        let mut subscribers = self.subscribers.lock().unwrap_or_else(PoisonError::into_inner);
        subscribers.retain(|subscriber| subscriber.offer(&message));
    }

    /// Hands each client that wants the topic a message made for what it wants.
    pub fn publish_each(&self, topic: Topic, mut make: impl FnMut(&Wants) -> Message) {
        let mut for_all = None;
        let mut subscribers = self.subscribers.lock().unwrap_or_else(PoisonError::into_inner);
        subscribers.retain(|subscriber| {
            if !subscriber.wants.topics.contains(&topic) {
                return !subscriber.queue.is_closed();
            }
            let own = !subscriber.wants.streams.is_empty();
            let message = if own {
                Arc::new(make(&subscriber.wants))
            } else {
                for_all.get_or_insert_with(|| Arc::new(make(&subscriber.wants))).clone()
            };
            subscriber.offer(&message)
        });
    }

    /// Clients that listen now.
    pub fn clients(&self) -> usize {
        let subscribers = self.subscribers.lock().unwrap_or_else(PoisonError::into_inner);
        subscribers.iter().filter(|subscriber| !subscriber.queue.is_closed()).count()
    }

    /// Ends all clients and takes no new ones.
    pub fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        let mut subscribers = self.subscribers.lock().unwrap_or_else(PoisonError::into_inner);
        for subscriber in subscribers.drain(..) {
            subscriber.link.dropped.get_or_init(|| "the service stops");
        }
    }
}

/// Takes committed changes to the feed.
pub struct LiveSink(pub Arc<LiveFeed>);

impl Sink for LiveSink {
    fn name(&self) -> &'static str {
        NAME
    }

    fn deliver(&mut self, changes: &[Record]) -> Result<(), SinkError> {
        for change in changes {
            self.0.publish(match change {
                Record::Event(event) => Message::of_event(event),
                Record::Incident(incident) => Message::of_incident(incident),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sinks::samples;
    use avwatch_actors::event::EventState;

    fn wants(topics: &[Topic], streams: &[&str]) -> Wants {
        Wants { topics: topics.iter().copied().collect(), streams: streams.iter().map(|&name| name.into()).collect() }
    }

    fn event(stream: &str, sequence: u64) -> Message {
        Message::of_event(&samples::event("id", stream, "black", sequence, EventState::Raised))
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        actix_rt::System::new().block_on(future)
    }

    #[test]
    fn a_client_hears_of_what_it_wants_and_nothing_else() {
        let feed = LiveFeed::default();
        let mut lobby = feed.listen(wants(&[Topic::Events], &["lobby"])).unwrap();
        let mut meters = feed.listen(wants(&[Topic::Meters], &[])).unwrap();
        feed.publish(event("other", 1));
        feed.publish(event("lobby", 2));
        feed.publish_each(Topic::Meters, |_| Message::new(Topic::Meters, "meters", None, &1));
        feed.close();
        block_on(async {
            assert!(lobby.dropped().is_some() && lobby.next().await.is_none());
        });
        assert_eq!(lobby.queue.try_recv().unwrap().sequence, Some(2));
        assert!(lobby.queue.try_recv().is_err());
        assert_eq!(&meters.queue.try_recv().unwrap().frame[..], b"event: meters\ndata: 1\n\n");
    }

    #[test]
    fn a_client_that_does_not_read_is_dropped_with_a_reason_and_delays_nobody() {
        let feed = LiveFeed::default();
        let mut slow = feed.listen(wants(&Topic::ALL, &[])).unwrap();
        let mut quick = feed.listen(wants(&Topic::ALL, &[])).unwrap();
        block_on(async {
            for sequence in 0..=QUEUE_MAX as u64 {
                feed.publish(event("lobby", sequence));
                assert_eq!(quick.next().await.unwrap().sequence, Some(sequence));
            }
            assert_eq!(slow.dropped(), Some("too many messages wait to be read"));
            assert!(slow.next().await.is_none() && quick.dropped().is_none());
        });
        assert_eq!(feed.clients(), 1);
    }

    #[test]
    fn large_messages_are_bounded_by_their_bytes() {
        let feed = LiveFeed::default();
        let slow = feed.listen(wants(&Topic::ALL, &[])).unwrap();
        let large = "x".repeat(1 << 20);
        for _ in 0..10 {
            feed.publish(Message::new(Topic::Meters, "meters", None, &large));
        }
        assert_eq!(slow.dropped(), Some("too many bytes wait to be read"));
    }

    #[test]
    fn there_are_no_more_clients_than_the_limit_and_places_of_gone_ones_are_free_again() {
        let feed = LiveFeed::default();
        let mut clients: Vec<Listener> = (0..CLIENTS_MAX).map(|_| feed.listen(wants(&[], &[])).unwrap()).collect();
        assert!(feed.listen(wants(&[], &[])).is_none());
        clients.pop();
        assert!(feed.listen(wants(&[], &[])).is_some());
    }
}
