//! Complaints about a receiver: the event `notification_failed`, which others are told of.
//!
//! Raised when a message was set aside, when changes were lost, or when nothing was taken for a while;
//! ended when something is taken again. Owned by the receiver's thread; never waits for the desk.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use avwatch_actors::alarm_model::monitor_change_of;
use avwatch_actors::event::{ChangeKind, EventChange, EventEnd, Wall};
use avwatch_actors::severity::Severity;

use super::router::stream_of;

/// A receiver that takes nothing for so long is complained of.
const PATIENCE: Duration = Duration::from_secs(60);

/// Takes changes to the desk; false when it has no room for one now.
pub(super) type ToDesk = Box<dyn Fn(EventChange) -> bool + Send>;

/// What was said of a receiver.
pub(super) struct Complaint {
    receiver: Arc<str>,
    desk: ToDesk,
    /// Whether the event is open; nobody knows after a start.
    is_open: Option<bool>,
    lost: u64,
}

impl Complaint {
    pub(super) fn new(receiver: Arc<str>, desk: ToDesk, lost: u64) -> Self {
        Self { receiver, desk, is_open: None, lost }
    }

    /// Nothing was taken for so long.
    pub(super) fn failing(&mut self, lasts: Duration, why: &str) {
        if lasts >= PATIENCE {
            self.raise(&format!("takes no notifications: {why}"), lasts);
        }
    }

    /// It takes messages, but not one that has waited for so long.
    pub(super) fn aside(&mut self, lasts: Duration, why: &str) {
        if lasts >= PATIENCE {
            self.raise(&format!("does not take a notification, which is tried again: {why}"), lasts);
        }
    }

    /// A message was parked.
    pub(super) fn parked(&mut self, why: &str) {
        self.raise(&format!("did not take a notification, which is parked: {why}"), Duration::ZERO);
    }

    /// Its thread panicked and began anew.
    pub(super) fn panicked(&mut self, why: &str) {
        self.raise(&format!("is not told: its thread panicked and began anew: {why}"), Duration::ZERO);
    }

    /// So many changes were lost since the start.
    pub(super) fn lost(&mut self, total: u64) {
        if total > self.lost {
            let lost = total - self.lost;
            self.raise(&format!("misses {lost} changes: too many waited for it"), Duration::ZERO);
            self.lost = total;
        }
    }

    /// Something was taken.
    pub(super) fn well(&mut self) {
        if self.is_open == Some(false) {
            return;
        }
        let message = format!("receiver '{}' takes notifications again", self.receiver);
        if self.say(ChangeKind::Ended(EventEnd::Cleared), message, Duration::ZERO) {
            self.is_open = Some(false);
        }
    }

    /// Raises the event of something that has been so for that long.
    fn raise(&mut self, what: &str, lasts: Duration) {
        if self.is_open == Some(true) {
            return;
        }
        let message = format!("receiver '{}' {what}", self.receiver);
        if self.say(ChangeKind::Raised, message, lasts) {
            self.is_open = Some(true);
        }
    }

    fn say(&self, what: ChangeKind, message: String, lasts: Duration) -> bool {
        let now = Wall(SystemTime::now());
        let stream = stream_of(&self.receiver);
        let change = monitor_change_of(&stream, "notification_failed", what, Severity::Major, message, now);
        let started_at = Wall(now.0.checked_sub(lasts).unwrap_or(now.0));
        (self.desk)(EventChange { started_at, ..change })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn a_receiver_that_took_nothing_for_a_minute_is_not_said_to_fail_only_now() {
        let said: Arc<Mutex<Vec<EventChange>>> = Arc::default();
        let book = said.clone();
        let desk = Box::new(move |change: EventChange| {
            book.lock().unwrap().push(change);
            true
        });
        Complaint::new("pager".into(), desk, 0).failing(Duration::from_secs(68), "busy");
        let change = said.lock().unwrap().pop().unwrap();
        assert_eq!(change.changed_at.since(change.started_at), Duration::from_secs(68));
    }

    #[test]
    fn a_receiver_is_complained_of_once_until_it_takes_something() {
        let said: Arc<Mutex<Vec<(ChangeKind, String)>>> = Arc::default();
        let book = said.clone();
        let desk = Box::new(move |change: EventChange| {
            assert_eq!(&*change.key.stream, "@receiver:pager");
            book.lock().unwrap().push((change.what, change.message));
            true
        });
        let mut complaint = Complaint::new("pager".into(), desk, 0);
        complaint.failing(Duration::from_secs(59), "busy");
        assert!(said.lock().unwrap().is_empty());
        complaint.failing(Duration::from_secs(60), "busy");
        complaint.parked("gone");
        complaint.lost(0);
        complaint.well();
        complaint.well();
        complaint.lost(7);
        let said = said.lock().unwrap();
        let texts: Vec<&str> = said.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "receiver 'pager' takes no notifications: busy",
                "receiver 'pager' takes notifications again",
                "receiver 'pager' misses 7 changes: too many waited for it"
            ]
        );
        assert!(matches!(said[1].0, ChangeKind::Ended(EventEnd::Cleared)));
    }
}
