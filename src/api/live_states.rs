//! States of streams and meters for the live feed: made once a second from the newest snapshot.
//!
//! Called on the control arbiter; it never waits. A state is told when it differs from the one told
//! last, meters are told always.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use avwatch_actors::event::Wall;
use avwatch_actors::track::TrackId;
use serde::Serialize;

use super::stream_view::{Readings, StreamView, TrackReadings, find, readings, track_readings, view};
use crate::catalogue::Catalogue;
use crate::live::StreamReading;
use crate::node_snapshot::NodeSnapshot;
use crate::sinks::live_feed::{LiveFeed, Message, Topic, Wants};

/// That a stream is gone.
#[derive(Serialize)]
struct Removed<'a> {
    name: &'a str,
}

/// Readings of all streams that a client wants to hear of.
#[derive(Serialize)]
struct Meters<'a> {
    at: Wall,
    streams: BTreeMap<&'a str, StreamMeters>,
}

#[derive(Serialize)]
struct StreamMeters {
    up: bool,
    #[serde(flatten)]
    readings: Readings,
    tracks: BTreeMap<TrackId, TrackReadings>,
    /// 99th percentile from arrival to verdict over the last second.
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_p99_s: Option<f64>,
    /// The newest second: levels, luma and the like.
    #[serde(skip_serializing_if = "Option::is_none")]
    reading: Option<Arc<StreamReading>>,
}

/// Tells the feed what changed. Remembers what it told.
#[derive(Default)]
pub struct LiveStates {
    told: BTreeMap<Arc<str>, StreamView>,
}

impl LiveStates {
    /// Tells of a new snapshot.
    pub fn tell(&mut self, feed: &LiveFeed, catalogue: &Catalogue, snapshot: &NodeSnapshot) {
        let mut told = BTreeMap::new();
        for (name, entry) in &catalogue.streams {
            let now = view(entry, find(snapshot, name));
            if self.told.get(name) != Some(&now) {
                feed.publish(Message::new(Topic::Streams, "stream", Some(name.clone()), &now));
            }
            told.insert(name.clone(), now);
        }
        for name in self.told.keys().filter(|name| !told.contains_key(*name)) {
            let removed = Removed { name };
            feed.publish(Message::new(Topic::Streams, "stream_removed", Some(name.clone()), &removed));
        }
        self.told = told;
        let at = Wall(SystemTime::now());
        feed.publish_each(Topic::Meters, |wants| {
            Message::new(Topic::Meters, "meters", None, &meters(at, snapshot, wants))
        });
    }
}

fn meters<'a>(at: Wall, snapshot: &'a NodeSnapshot, wants: &Wants) -> Meters<'a> {
    let streams = snapshot.streams.iter().filter(|stream| wants.wants_stream(&stream.name)).map(|stream| {
        let tracks = stream.tracks.iter().map(|track| (track.track, track_readings(track))).collect();
        let latency_p99_s = stream.latency.map(|latency| latency.p99.as_secs_f64());
        let reading = stream.reading.clone();
        (&*stream.name, StreamMeters { up: stream.up, readings: readings(stream), tracks, latency_p99_s, reading })
    });
    Meters { at, streams: streams.collect() }
}
