//! A job: the evidence of one event, from its raise until everything is gathered.
//!
//! Owned by the evidence thread. It holds on to packets by reference while the time after the onset passes, and says
//! of everything that it could not get why.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use avwatch_actors::event::Event;
use avwatch_actors::media_time::MediaTime;

use super::on_air::OnAir;
use super::rings::Rings;
use crate::live::LiveBoard;
use crate::media::packet_ring::Clip;

/// How much of the time before and after the onset a clip shall show.
pub(super) const BEFORE: MediaTime = MediaTime::from_millis(15_000);
pub(super) const AFTER: MediaTime = MediaTime::from_millis(15_000);

/// How much later than its time what comes after the onset may arrive: bursts, and a clock that runs behind.
const LATE_MAX: Duration = Duration::from_secs(15);
/// Packets further than this beyond the end are not waited for: pictures are sent ahead of their turn.
const MARGIN: MediaTime = MediaTime::from_millis(1_000);
/// A clip that begins so much later than it should is called incomplete.
const SHORT_BY: MediaTime = MediaTime::from_millis(500);

/// The evidence of an event in the making.
pub(super) struct Job {
    pub(super) event: Arc<Event>,
    pub(super) clip: Option<Clip>,
    /// Where on the session's timeline the condition began.
    pub(super) onset: MediaTime,
    until: MediaTime,
    deadline: Instant,
    /// What was on when the event was raised.
    pub(super) raised: OnAir,
    pub(super) missing: Vec<String>,
    is_over: bool,
}

impl Job {
    /// Begins with what the ring of the stream holds now.
    pub(super) fn begin(event: Arc<Event>, rings: &Rings, live: &LiveBoard) -> Self {
        let now = Instant::now();
        let raised = instant_of(event.raised_at.0);
        let lasted = event.raised_at.0.duration_since(event.started_at.0).unwrap_or_default();
        let mut job = Self {
            clip: None,
            onset: MediaTime::ZERO,
            until: MediaTime::ZERO,
            deadline: now,
            raised: OnAir::of(&event, event.raised_at.0, "when it was raised", live),
            missing: Vec::new(),
            is_over: false,
            event,
        };
        let Some(ring) = rings.get(&job.event.stream) else {
            job.stop("no clip: nothing of the stream is held");
            return job;
        };
        // What was seen has its place on the session's timeline; what is known of by the clock alone is looked up by it.
        let place = ring.place(job.event.session, MediaTime::from_secs_f64(job.event.start_s));
        let Some(moment) = place.or_else(|| ring.moment(raised, lasted.into())) else {
            job.stop("no clip: the stream has sent no packets, or is made in this process without a codec");
            return job;
        };
        job.onset = moment.at;
        // An event that was raised late is shown up to then.
        job.until = (moment.at + AFTER).max(moment.at + lasted.into());
        let left = (AFTER.to_duration()).saturating_sub(lasted);
        job.deadline = now + left + LATE_MAX;
        let mut from = moment;
        from.at = moment.at - BEFORE;
        job.clip = ring.clip(from);
        match &job.clip {
            None => job.stop("no clip: no key frame was held"),
            Some(clip) if clip.begins > from.at + SHORT_BY => {
                let short = (clip.begins - from.at).as_secs_f64();
                let why = if clip.whole { "the stream came later" } else { "they were no longer held" };
                job.missing.push(format!("the first {short:.1} s of the clip: {why}"));
            }
            Some(_) => {}
        }
        job
    }

    /// Takes what came since; true when there is nothing more to wait for.
    pub(super) fn gather(&mut self, rings: &Rings, live: &LiveBoard, pinned: u64, pinned_max: u64) -> bool {
        self.raised.look(&self.event, live);
        if self.is_over {
            return true;
        }
        let goes_on = match (rings.get(&self.event.stream), &mut self.clip) {
            (Some(ring), Some(clip)) => ring.go_on(clip),
            (None, _) | (_, None) => false,
        };
        let reached = self.clip.as_ref().map_or(self.until, |clip| clip.reached);
        if reached >= self.until + MARGIN {
            self.is_over = true;
        } else if !goes_on {
            self.stop_short(reached, "the session ended");
        } else if Instant::now() >= self.deadline {
            self.stop_short(reached, "the stream sent nothing more");
        } else if pinned > pinned_max {
            self.stop_short(reached, "too many clips are made at a time");
        }
        self.is_over
    }

    fn stop(&mut self, why: &str) {
        self.missing.push(why.to_owned());
        self.is_over = true;
    }

    fn stop_short(&mut self, reached: MediaTime, why: &str) {
        self.is_over = true;
        if reached + SHORT_BY < self.until {
            let short = (self.until - reached).as_secs_f64();
            self.missing.push(format!("the last {short:.1} s of the clip: {why}"));
        }
    }

    /// The clip, cut to its end.
    pub(super) fn take_clip(&mut self) -> Option<Clip> {
        let mut clip = self.clip.take()?;
        clip.cut_at(self.until + MARGIN);
        if clip.torn {
            self.missing.push("some of the middle of the clip: it came faster than it could be held".to_owned());
        }
        Some(clip)
    }
}

/// When that was on the clock that never jumps.
pub(super) fn instant_of(wall: SystemTime) -> Instant {
    let now = Instant::now();
    match SystemTime::now().duration_since(wall) {
        Ok(ago) => now.checked_sub(ago).unwrap_or(now),
        Err(ahead) => now + ahead.duration(),
    }
}
