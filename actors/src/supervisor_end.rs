//! How a supervisor ends: its detector actors first, then its last words, then itself.
//!
//! Part of the supervisor, on the control arbiter. Every wait in it has a limit.

use std::time::{Duration, Instant};

use actix::prelude::*;

use super::{Supervisor, control_now};
use crate::alarm_model::Doubted;
use crate::detector_actor::Retire;
use crate::event::EventEnd;
use crate::event_desk::DeskMessage;
use crate::monitor::StreamGone;
use crate::stream_groups::RunningActor;

/// How long a stream that ends may wait for its detector actors, and then for the event lane.
const LEAVE_WITHIN: Duration = Duration::from_secs(2);

/// How long to leave a full event lane alone.
const EVENT_LANE_RETRY: Duration = Duration::from_millis(10);

impl Supervisor {
    /// Nothing runs any more: the detector actors end, then this one.
    pub(super) fn leave(&mut self, ctx: &mut Context<Self>) {
        let why = self.ending.unwrap_or(EventEnd::Suspended);
        let actors = self.groups.take_actors();
        let retire = match why {
            EventEnd::StreamRemoved => Some(Retire::Ending(why)),
            // Whoever follows under the same name confirms what still holds.
            EventEnd::ConfigChanged => Some(Retire::InSilence),
            // At the end of the service open events stay open: a restart confirms them.
            EventEnd::Cleared | EventEnd::Suspended | EventEnd::Unwatched | EventEnd::Unconfirmed => None,
        };
        let retired = async move {
            let Some(retire) = retire else { return };
            let all = async {
                for running in &actors {
                    if running.actor.send(retire).await.is_err() {
                        tracing::debug!("a detector actor was gone before it was retired");
                    }
                }
            };
            if tokio::time::timeout(LEAVE_WITHIN, all).await.is_err() {
                tracing::warn!("a detector actor was not retired in time");
            }
            // From here on only the desk speaks for the stream: nobody is left to end what a late
            // word would raise.
            actors.iter().for_each(RunningActor::fence);
        };
        ctx.spawn(retired.into_actor(self).map(|(), supervisor, ctx| {
            let stream = supervisor.stream().clone();
            match supervisor.ending {
                Some(why @ EventEnd::StreamRemoved) => supervisor.unsent.push_back(DeskMessage::Forget(stream, why)),
                Some(EventEnd::ConfigChanged) => {
                    supervisor.unsent.push_back(DeskMessage::Doubt(stream, Doubted::Stream));
                }
                Some(EventEnd::Cleared | EventEnd::Suspended | EventEnd::Unwatched | EventEnd::Unconfirmed) | None => {}
            }
            supervisor.say_the_last(control_now() + LEAVE_WITHIN, ctx);
        }));
    }

    /// Waits for room in the event lane, tells the monitor, and ends.
    fn say_the_last(&mut self, until: Instant, ctx: &mut Context<Self>) {
        self.send_events();
        if !self.unsent.is_empty() && control_now() < until {
            ctx.run_later(EVENT_LANE_RETRY, move |supervisor, ctx| supervisor.say_the_last(until, ctx));
            return;
        }
        if !self.unsent.is_empty() {
            let lost = self.unsent.len();
            tracing::error!(
                stream = &**self.stream(),
                lost,
                "the event lane stayed full, the stream's last words are lost"
            );
        }
        if self.ending == Some(EventEnd::StreamRemoved) {
            self.engine.board.remove(self.stream());
        }
        self.monitor.do_send(StreamGone(self.stream().clone(), self.life.newest()));
        ctx.stop();
    }
}
