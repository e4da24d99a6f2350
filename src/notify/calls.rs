//! A message that takes several calls: as many are made as fit into the time, the others when it comes again.
//!
//! Owned by a channel, on its receiver's thread. What was made is remembered for the newest message only and until the
//! process ends: after a restart a message begins anew, so what comes twice must do no harm.

use std::time::{Duration, Instant};

use super::{SEND_WITHIN, SendFailure};

/// A call that got less time than this and did not end was begun too late: nothing is wrong with the service.
const CALL_LEAST: Duration = Duration::from_secs(5);

/// How far the newest message is.
#[derive(Default)]
pub(super) struct Calls {
    progress: Option<Progress>,
}

/// How far a message is that comes again.
struct Progress {
    id: String,
    /// Calls that were made.
    done: usize,
    /// What became of one of them, if it was refused.
    refused: Option<SendFailure>,
}

impl Calls {
    /// Whether calls of a message were made that comes again: the others must stay the same.
    pub(super) fn is_begun(&self, id: &str) -> bool {
        self.progress.as_ref().is_some_and(|progress| progress.id == id && progress.done > 0)
    }

    /// Makes the calls that are left of a message of that id; `call` is told which one, and how much time it has.
    /// One that is refused does not keep the others.
    pub(super) fn make(
        &mut self,
        id: &str,
        all: usize,
        mut call: impl FnMut(usize, Duration) -> Result<(), SendFailure>,
    ) -> Result<(), SendFailure> {
        let until = Instant::now() + SEND_WITHIN;
        let known = self.progress.take().filter(|progress| progress.id == id);
        let (begin, mut refused) = known.map_or((0, None), |progress| (progress.done, progress.refused));
        for done in begin..all {
            let left = until.saturating_duration_since(Instant::now());
            // What was not made for lack of time alone is no failure, unless nothing was made at all.
            let goes_on = SendFailure::GoesOn { done, all };
            let called = if left.is_zero() {
                Err(goes_on)
            } else {
                let called = call(done, left);
                let is_out_of_time = done > begin && left < CALL_LEAST && until <= Instant::now();
                called.map_err(|failure| match failure {
                    SendFailure::Later { .. } if is_out_of_time => goes_on,
                    other => other,
                })
            };
            match called {
                Ok(()) => {}
                Err(later @ (SendFailure::Later { .. } | SendFailure::GoesOn { .. })) => {
                    self.progress = Some(Progress { id: id.to_owned(), done, refused });
                    return Err(later);
                }
                // The others are told all the same.
                Err(failure @ SendFailure::Refused { .. }) => refused = Some(failure),
            }
        }
        refused.map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn later() -> Result<(), SendFailure> {
        Err(SendFailure::Later { why: "busy".to_owned(), after: None })
    }

    #[test]
    fn a_message_goes_on_where_it_was_and_another_begins_at_its_first_call() {
        let mut calls = Calls::default();
        let mut made = Vec::new();
        let mut fails = true;
        let mut make = |calls: &mut Calls, id: &str| {
            calls.make(id, 4, |index, _| {
                if index == 2 && std::mem::take(&mut fails) {
                    return later();
                }
                made.push(format!("{id}{index}"));
                Ok(())
            })
        };
        assert!(matches!(make(&mut calls, "a"), Err(SendFailure::Later { .. })));
        make(&mut calls, "a").unwrap();
        make(&mut calls, "b").unwrap();
        assert_eq!(made, ["a0", "a1", "a2", "a3", "b0", "b1", "b2", "b3"]);
    }
}
