//! When memory of ended sessions is given back to the system: when it is calm after some ended.
//!
//! Looked at once a second on the control arbiter; the work, which takes milliseconds, is done by a thread of its own that ends with it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use avwatch_actors::worker;

use crate::media::heap;

/// So long after the last end rings, lanes and thumbnails of a session are gone as well.
const CALM: Duration = Duration::from_secs(5);
/// Where some input ends every few seconds there is no calm: then so long after the first.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was seen of ends.
#[derive(Debug, Default)]
pub(super) struct GiveBack {
    closed: u64,
    /// When the first input ended whose memory is not given back, and the last.
    waiting: Option<(Instant, Instant)>,
}

impl GiveBack {
    /// Gives back when it is time.
    pub(super) fn look(&mut self) {
        if !self.is_due(heap::closed(), Instant::now()) {
            return;
        }
        if let Err(error) = worker::spawn("give-back", Arc::default(), |_| heap::give_back(), |_| {}) {
            tracing::warn!(%error, "memory of ended sessions is not given back");
        }
    }

    fn is_due(&mut self, closed: u64, now: Instant) -> bool {
        if closed != self.closed {
            self.closed = closed;
            let first = self.waiting.map_or(now, |(first, _)| first);
            self.waiting = Some((first, now));
        }
        let is_due = self.waiting.is_some_and(|(first, last)| now - last >= CALM || now - first >= PATIENCE);
        if is_due {
            self.waiting = None;
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seconds at which it gives back, of a minute and a half in which inputs end at those seconds.
    fn given_back(ends: impl Fn(u64) -> bool) -> Vec<u64> {
        let (mut give_back, begin, mut closed) = (GiveBack::default(), Instant::now(), 0);
        (0..90)
            .filter(|second| {
                closed += u64::from(ends(*second));
                give_back.is_due(closed, begin + Duration::from_secs(*second))
            })
            .collect()
    }

    #[test]
    fn nothing_is_given_back_where_nothing_ended() {
        assert!(given_back(|_| false).is_empty());
    }

    #[test]
    fn it_is_given_back_once_when_it_is_calm_after_the_last_end() {
        assert_eq!(given_back(|second| (3..8).contains(&second)), [12]);
    }

    #[test]
    fn where_ends_never_cease_it_is_given_back_every_minute() {
        assert_eq!(given_back(|second| second % 3 == 0), [60]);
    }
}
