//! What a process that is short of memory does: it opens nothing more, says so, and blames no source.

#![allow(clippy::unwrap_used, reason = "tests may stop")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix::prelude::*;
use avwatch_actors::detector::{Detector, DetectorSpec, LaneKind, Precedence, Verdicts};
use avwatch_actors::event::EventState::{Ended, Escalated, Raised};
use avwatch_actors::item::Item;
use avwatch_actors::memory_budget::MemoryBudget;
use avwatch_actors::monitor::{AddStream, Monitor};
use avwatch_actors::severity::Severity;
use avwatch_actors::status::StreamStatus;

use common::{Rig, inline, on_virtual_time, pictures, spec};

fn input_down() -> Arc<DetectorSpec> {
    spec(401, "input_down", LaneKind::Input, Precedence::Apart, || Box::new(Never))
}

struct Never;

impl Detector for Never {
    fn inspect(&mut self, _: &Item, _: &mut Verdicts) {}
}

/// A process of which a test says how much memory it takes, in per cent of what it may.
struct Process {
    rig: Rig,
    monitor: Addr<Monitor>,
    takes: Arc<AtomicU64>,
}

impl Process {
    fn new() -> Self {
        let (rig, takes) = (Rig::virtual_time(), Arc::new(AtomicU64::new(50)));
        let gauge = takes.clone();
        let monitor = Monitor::new(rig.engine.clone())
            .with_target(Duration::from_secs(1))
            .with_memory(MemoryBudget::new(100), Box::new(move || Some(gauge.load(Ordering::Relaxed))))
            .start();
        Self { rig, monitor, takes }
    }

    /// Adds a stream that plays for so many seconds, once or again and again.
    async fn add(&self, name: &str, plays_ms: i64, sessions: usize) {
        let scripts = (0..sessions).map(|_| Ok(pictures(0, plays_ms))).collect();
        self.monitor.send(AddStream(inline(name, scripts, vec![input_down()]))).await.unwrap();
    }

    async fn take(&self, percent: u64, seconds: u64) {
        self.takes.store(percent, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    fn status(&self, stream: &str) -> Arc<StreamStatus> {
        self.rig.status(stream).unwrap()
    }
}

#[test]
fn a_further_stream_waits_until_there_is_memory_and_its_source_is_not_blamed() {
    on_virtual_time(async {
        let process = Process::new();
        process.add("lobby", 600_000, 1).await;
        process.take(82, 10).await;
        assert!(process.status("lobby").up, "who is there may stay");
        process.add("hall", 600_000, 1).await;
        process.take(82, 120).await;
        let hall = process.status("hall");
        assert_eq!((hall.state, hall.up, hall.session.0), ("held", false, 0));
        assert!(hall.last_error.as_deref().unwrap().contains("limits.memory"), "{:?}", hall.last_error);
        process.take(50, 10).await;
        assert_eq!((process.status("hall").state, process.status("hall").up), ("live", true));
        process.rig.settle();
        assert_eq!(process.rig.told.of("input_down").len(), 0, "{:?}", process.rig.told.all());
        let told = process.rig.told.of("monitor_overload");
        assert_eq!(process.rig.told.states("monitor_overload"), [Raised, Escalated, Ended]);
        assert_eq!((told[0].severity, told[1].severity), (Severity::Warning, Severity::Major));
        assert!(told[1].message.starts_with("1 stream waits to be opened"), "{}", told[1].message);
    });
}

#[test]
fn who_was_open_before_may_come_back_unless_memory_is_all_but_gone() {
    on_virtual_time(async {
        let process = Process::new();
        // Sessions of four seconds, each after the pause of a restart.
        process.add("lobby", 4_000, 50).await;
        process.take(50, 2).await;
        process.take(82, 60).await;
        let sessions = process.status("lobby").session.0.max(process.status("lobby").restarts.values().sum());
        assert!(sessions >= 2, "{sessions}");
        process.take(95, 90).await;
        assert_eq!(process.status("lobby").state, "held");
        process.take(50, 30).await;
        assert_ne!(process.status("lobby").state, "held");
    });
}
