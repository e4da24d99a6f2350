//! The life of a stream: which session runs, when it is cut, and what follows. Pure.
//!
//! Owned by the stream's supervisor, stepped on control time. Every wait in it has a limit.
//!
//! ```text
//!   Idle ── Start ──▶ Waiting ── due ──▶ Asking ── Granted ──▶ Opening ── Opened ──▶ Live
//!                       ▲  ▲               │ Deferred              │ limit             │ silent too long
//!                       │  └───────────────┘                       ▼                   ▼
//!                       │◀────────────── Ended ──────────────── Cutting ◀──────────────┘
//!                       │                                          │ grace passed: abandoned
//!                       │◀── Waiting, or Quarantined, or Blocked ◀─┘
//!   any ── Stop ──▶ Stopping ──▶ Stopped
//! ```

use std::time::{Duration, Instant};

use crate::item::EndReason;
use crate::lifeline::{CutReason, Phase};
use crate::restart::{RestartDecision, RestartLadder};
use crate::source::{FaultClass, SourceError, SourceLimits};
use crate::track::SessionNumber;

/// How long a thread gets to return after a cut.
pub const GRACE: Duration = Duration::from_secs(2);

/// The same while it resolves a name, which cannot be interrupted.
pub const GRACE_RESOLVING: Duration = Duration::from_secs(15);

/// Threads of one stream that may be abandoned at a time; then there is no replacement until one returns.
pub const ABANDONED_MAX: u8 = 2;

/// What a supervisor sees of the running session's thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Changes whenever bytes arrived, frames flowed, or the thread waited in good health.
    pub progress: u64,
    /// What it is busy with.
    pub phase: Phase,
}

/// What happens to a stream.
#[derive(Clone, Debug)]
pub enum Input {
    /// Begin.
    Start,
    /// Time passed; what the running session's thread looks like, if there is one.
    Tick(Option<Look>),
    /// The connect bucket lets it open.
    Granted,
    /// The connect bucket wants it to wait.
    Deferred(Duration),
    /// A session delivered its first item.
    Opened(SessionNumber),
    /// A session's thread returned; the dice are for the back-off.
    Ended(SessionNumber, EndReason, f64),
    /// End for good.
    Stop,
}

/// What to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Ask the connect bucket, and answer `Granted` or `Deferred`.
    Ask,
    /// Start a session.
    Open(SessionNumber),
    /// Cut a session's lifeline.
    Cut(SessionNumber, CutReason),
    /// Fence off a session's thread: it did not return in time.
    Abandon(SessionNumber),
    /// Tell that the stream is in quarantine for that long.
    Quarantined(Duration),
    /// Tell that the quarantine is over and one probe is made.
    Released,
    /// Nothing runs any more.
    Stopped,
}

#[derive(Clone, Debug, PartialEq)]
enum State {
    Idle,
    Waiting { until: Instant },
    Asking,
    Opening { session: SessionNumber, since: Instant },
    Live { session: SessionNumber, since: Instant },
    Cutting { session: SessionNumber, since: Instant, grace: Duration, ran_for: Duration },
    Quarantined { until: Instant },
    Blocked,
    Stopping { session: SessionNumber, since: Instant },
    Stopped,
}

/// The machine.
#[derive(Debug)]
pub struct StreamLife {
    limits: SourceLimits,
    state: State,
    ladder: RestartLadder,
    newest: SessionNumber,
    abandoned: u8,
    progress: (u64, Instant),
}

impl StreamLife {
    /// A stream that has not begun. `last_session` is the newest number ever used for it.
    pub fn new(limits: SourceLimits, last_session: SessionNumber, now: Instant) -> Self {
        Self {
            limits,
            state: State::Idle,
            ladder: RestartLadder::default(),
            newest: last_session,
            abandoned: 0,
            progress: (0, now),
        }
    }

    /// Takes what happened and says what to do.
    pub fn step(&mut self, input: Input, now: Instant) -> Vec<Effect> {
        match input {
            Input::Start => self.start(now),
            Input::Tick(look) => self.tick(look, now),
            Input::Granted => self.granted(now),
            Input::Deferred(wait) => self.deferred(wait, now),
            Input::Opened(session) => self.opened(session, now),
            Input::Ended(session, reason, dice) => self.ended(session, &reason, dice, now),
            Input::Stop => self.stop(now),
        }
    }

    /// A word from a bounded set, for metrics and the API.
    pub fn state_name(&self) -> &'static str {
        match self.state {
            State::Idle => "idle",
            State::Waiting { .. } | State::Asking => "waiting",
            State::Opening { .. } => "opening",
            State::Live { .. } => "live",
            State::Cutting { .. } => "cutting",
            State::Quarantined { .. } => "quarantined",
            State::Blocked => "blocked",
            State::Stopping { .. } => "stopping",
            State::Stopped => "stopped",
        }
    }

    /// Every word that [`StreamLife::state_name`] may say.
    pub const STATES: [&'static str; 9] =
        ["idle", "waiting", "opening", "live", "cutting", "quarantined", "blocked", "stopping", "stopped"];

    /// True while a session delivers.
    pub fn is_live(&self) -> bool {
        matches!(self.state, State::Live { .. })
    }

    /// True once nothing more will happen.
    pub fn is_stopped(&self) -> bool {
        self.state == State::Stopped
    }

    /// The running session, if there is one.
    pub fn session(&self) -> Option<SessionNumber> {
        match self.state {
            State::Opening { session, .. }
            | State::Live { session, .. }
            | State::Cutting { session, .. }
            | State::Stopping { session, .. } => Some(session),
            State::Idle
            | State::Waiting { .. }
            | State::Asking
            | State::Quarantined { .. }
            | State::Blocked
            | State::Stopped => None,
        }
    }

    /// The newest session that was ever opened.
    pub fn newest(&self) -> SessionNumber {
        self.newest
    }

    /// Threads that were abandoned and have not returned.
    pub fn abandoned(&self) -> u8 {
        self.abandoned
    }

    fn start(&mut self, now: Instant) -> Vec<Effect> {
        if self.state != State::Idle {
            return Vec::new();
        }
        self.state = State::Waiting { until: now };
        self.tick(None, now)
    }

    fn tick(&mut self, look: Option<Look>, now: Instant) -> Vec<Effect> {
        if let Some(look) = look
            && look.progress != self.progress.0
        {
            self.progress = (look.progress, now);
        }
        let silent_for = now.saturating_duration_since(self.progress.1);
        match self.state {
            State::Waiting { until } if until <= now => {
                self.state = State::Asking;
                vec![Effect::Ask]
            }
            State::Quarantined { until } if until <= now => {
                self.state = State::Asking;
                vec![Effect::Released, Effect::Ask]
            }
            State::Opening { session, since } if now.saturating_duration_since(since) > self.open_limit() => {
                self.cut(session, CutReason::OpenLimit, look, Duration::ZERO, now)
            }
            State::Live { session, since } if self.limits.cut_when_silent && silent_for > self.limits.stall => {
                let ran_for = self.progress.1.saturating_duration_since(since);
                self.cut(session, CutReason::Stalled, look, ran_for, now)
            }
            State::Cutting { session, since, grace, ran_for } if now.saturating_duration_since(since) > grace => {
                self.abandon(session, ran_for, now)
            }
            State::Stopping { session, since } if now.saturating_duration_since(since) > GRACE => {
                self.abandoned += 1;
                self.state = State::Stopped;
                vec![Effect::Abandon(session), Effect::Stopped]
            }
            _ => Vec::new(),
        }
    }

    /// How long opening may take: less while threads of the stream hang, for it will hardly come and few are left.
    fn open_limit(&self) -> Duration {
        let SourceLimits { open, stall, .. } = self.limits;
        if self.abandoned > 0 { open.min(stall) } else { open }
    }

    fn cut(
        &mut self,
        session: SessionNumber,
        why: CutReason,
        look: Option<Look>,
        ran_for: Duration,
        now: Instant,
    ) -> Vec<Effect> {
        let is_resolving = look.is_some_and(|look| look.phase == Phase::Resolving);
        let grace = if is_resolving { GRACE_RESOLVING } else { GRACE };
        self.state = State::Cutting { session, since: now, grace, ran_for };
        vec![Effect::Cut(session, why)]
    }

    fn abandon(&mut self, session: SessionNumber, ran_for: Duration, now: Instant) -> Vec<Effect> {
        self.abandoned += 1;
        let mut effects = vec![Effect::Abandon(session)];
        if self.abandoned > ABANDONED_MAX {
            self.state = State::Blocked;
        } else {
            effects.extend(self.wait_after(FaultClass::Ours, ran_for, 0.5, now));
        }
        effects
    }

    fn granted(&mut self, now: Instant) -> Vec<Effect> {
        if self.state != State::Asking {
            return Vec::new();
        }
        self.newest.0 += 1;
        self.state = State::Opening { session: self.newest, since: now };
        self.progress.1 = now;
        vec![Effect::Open(self.newest)]
    }

    fn deferred(&mut self, wait: Duration, now: Instant) -> Vec<Effect> {
        if self.state == State::Asking {
            self.state = State::Waiting { until: now + wait };
        }
        Vec::new()
    }

    fn opened(&mut self, session: SessionNumber, now: Instant) -> Vec<Effect> {
        // An old session that opens late is inert: only the one being waited for counts.
        if matches!(self.state, State::Opening { session: awaited, .. } if awaited == session) {
            self.state = State::Live { session, since: now };
            self.progress.1 = now;
        }
        Vec::new()
    }

    fn ended(&mut self, session: SessionNumber, reason: &EndReason, dice: f64, now: Instant) -> Vec<Effect> {
        if self.session() != Some(session) {
            return self.returned_late(now);
        }
        let ran_for = match self.state {
            State::Live { since, .. } => now.saturating_duration_since(since),
            State::Cutting { ran_for, .. } => ran_for,
            _ => Duration::ZERO,
        };
        if matches!(self.state, State::Stopping { .. }) {
            self.state = State::Stopped;
            return vec![Effect::Stopped];
        }
        let class = match reason {
            EndReason::Finished | EndReason::Stopped => FaultClass::Source,
            EndReason::Failed(error) => error.class(),
        };
        if !self.limits.cut_when_silent && is_silence(reason) {
            // Nobody is there to be spared: whoever sends next should find us listening.
            self.state = State::Waiting { until: now };
            return Vec::new();
        }
        self.wait_after(class, ran_for, dice, now)
    }

    /// An abandoned thread came back after all.
    fn returned_late(&mut self, now: Instant) -> Vec<Effect> {
        self.abandoned = self.abandoned.saturating_sub(1);
        if self.state == State::Blocked {
            return self.wait_after(FaultClass::Ours, Duration::ZERO, 0.5, now);
        }
        Vec::new()
    }

    fn wait_after(&mut self, class: FaultClass, ran_for: Duration, dice: f64, now: Instant) -> Vec<Effect> {
        match self.ladder.failed(class, ran_for, dice, now) {
            RestartDecision::After(wait) => {
                self.state = State::Waiting { until: now + wait };
                Vec::new()
            }
            RestartDecision::Quarantine(wait) => {
                self.state = State::Quarantined { until: now + wait };
                vec![Effect::Quarantined(wait)]
            }
        }
    }

    fn stop(&mut self, now: Instant) -> Vec<Effect> {
        match (self.session(), &self.state) {
            (_, State::Stopped | State::Stopping { .. }) => Vec::new(),
            (Some(session), _) => {
                self.state = State::Stopping { session, since: now };
                vec![Effect::Cut(session, CutReason::Stopped)]
            }
            (None, _) => {
                self.state = State::Stopped;
                vec![Effect::Stopped]
            }
        }
    }
}

/// Nothing came, which for an input that only listens is no failure of anyone we called.
fn is_silence(reason: &EndReason) -> bool {
    match reason {
        EndReason::Failed(error) => matches!(**error, SourceError::OpenLimit { .. } | SourceError::Stalled { .. }),
        EndReason::Finished | EndReason::Stopped => false,
    }
}

#[cfg(test)]
#[path = "stream_life_tests.rs"]
mod tests;
