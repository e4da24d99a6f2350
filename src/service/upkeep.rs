//! What the service says of itself now and then: detectors' CPU time, and frames nobody looked at.
//!
//! Runs on the control arbiter, which it never keeps: it reads the board and logs, and logging never
//! waits. `avwatch logs --summary` adds these lines up.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use avwatch_actors::cpu_accounts::CpuFigures;
use avwatch_actors::status::StatusBoard;

/// How often it speaks.
const SPEAK_EVERY: Duration = Duration::from_secs(600);

/// Streams of which losses are told each time; all others are told together.
const STREAMS_TOLD_MAX: usize = 100;

/// What was told so far.
pub(super) struct Upkeep {
    spoke: Instant,
    cpu: HashMap<&'static str, Duration>,
    /// Frames and datagrams lost, by stream.
    lost: HashMap<Arc<str>, (u64, u64)>,
}

impl Upkeep {
    pub(super) fn new() -> Self {
        Self { spoke: Instant::now(), cpu: HashMap::new(), lost: HashMap::new() }
    }

    /// Speaks when it is time.
    pub(super) fn look(&mut self, board: &StatusBoard) {
        if self.spoke.elapsed() >= SPEAK_EVERY {
            self.speak(board);
        }
    }

    /// Tells what came since it last spoke.
    pub(super) fn speak(&mut self, board: &StatusBoard) {
        let seconds = self.spoke.elapsed().as_secs();
        self.spoke = Instant::now();
        let mut busy = self.cpu_since(board);
        busy.sort_by(|one, two| two.1.cmp(&one.1).then(one.0.cmp(two.0)));
        let mut text = String::new();
        for (detector, time) in busy {
            let gap = if text.is_empty() { "" } else { " " };
            write!(text, "{gap}{detector}={:.6}", time.as_secs_f64()).expect("writing to a string does not fail");
        }
        if !text.is_empty() {
            tracing::info!(seconds, cpu_of_detectors = text, "CPU time of detectors");
        }
        self.tell_losses(board);
    }

    fn cpu_since(&mut self, board: &StatusBoard) -> Vec<(&'static str, Duration)> {
        let mut since = Vec::new();
        for CpuFigures { detector, spent: total, .. } in board.cpu.figures() {
            let before = self.cpu.insert(detector, total).unwrap_or_default();
            let time = total.saturating_sub(before);
            if time >= Duration::from_micros(1) {
                since.push((detector, time));
            }
        }
        since
    }

    fn tell_losses(&mut self, board: &StatusBoard) {
        let (mut told, mut others) = (0, (0, 0));
        let mut known = HashMap::new();
        for status in board.streams() {
            let stream = &status.card.stream;
            let now = (status.lane_dropped.0 + status.lane_dropped.1, status.receive_dropped);
            let before = self.lost.get(stream).copied().unwrap_or_default();
            known.insert(stream.clone(), now);
            // A stream that was put together anew counts from zero again.
            let since = |now: u64, before: u64| if now >= before { now - before } else { now };
            let (lane_dropped, receive_dropped) = (since(now.0, before.0), since(now.1, before.1));
            if lane_dropped == 0 && receive_dropped == 0 {
                continue;
            }
            if told < STREAMS_TOLD_MAX {
                told += 1;
                tracing::warn!(stream = &**stream, lane_dropped, receive_dropped, "not everything was inspected");
            } else {
                others = (others.0 + lane_dropped, others.1 + receive_dropped);
            }
        }
        if others != (0, 0) {
            let (lane_dropped, receive_dropped) = others;
            tracing::warn!(lane_dropped, receive_dropped, "not everything was inspected of more streams");
        }
        self.lost = known;
    }
}
