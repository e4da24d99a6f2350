//! The words of an open event that tell how long its condition has lasted, kept true.
//!
//! Part of the alarm model, and as pure. The length in a message is that of the change which goes out; between
//! changes nobody is told, so nothing is worded anew.

use std::time::Duration;

use super::open::Open;
use crate::event::{EventChange, Wall};
use crate::wording::Wording;

/// What tells a length in the message of an event.
pub(super) struct Words {
    say: Say,
    from: Wall,
    /// How long the condition had been away in all by then.
    faded: Duration,
    /// What stands in the message now.
    shown: String,
}

enum Say {
    /// What the detector says, in the situation of that time.
    Detector(Wording),
    /// That the sound is gone as well since then.
    Together,
}

impl Words {
    /// What a change says, if that tells a length.
    pub(super) fn of(change: &EventChange, faded: Duration) -> Option<Self> {
        let wording = change.wording?;
        let shown = wording.after(Duration::ZERO);
        Some(Self { say: Say::Detector(wording), from: change.changed_at, faded, shown })
    }
}

impl Open {
    /// Says that the sound is gone as well since a time.
    pub(super) fn word_together(&mut self, since: Wall, now: Wall) -> String {
        let shown = together(&self.event.detector, now.since(since));
        self.words = Some(Words { say: Say::Together, from: since, faded: self.faded, shown: shown.clone() });
        shown
    }

    /// Brings the length in the message up to date, while the condition is known to hold.
    pub(super) fn reword(&mut self, now: Wall) {
        if self.confirm_until.is_some() || self.is_away() {
            return;
        }
        let Some(words) = &mut self.words else { return };
        let lasts = now.since(words.from).saturating_sub(self.faded.saturating_sub(words.faded));
        let fresh = match &words.say {
            Say::Detector(wording) => wording.after(lasts),
            Say::Together => together(&self.event.detector, lasts),
        };
        if !words.shown.is_empty() && fresh != words.shown {
            self.event.message = self.event.message.replacen(&words.shown, &fresh, 1);
            words.shown = fresh;
        }
    }
}

fn together(detector: &str, lasts: Duration) -> String {
    format!("{detector} with silence for {} s", lasts.as_secs())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::testing::{Stage, at, change};
    use crate::alarm_model::acts::Act;
    use crate::detector::Situation;
    use crate::event::{ChangeKind, EventChange};
    use crate::media_time::MediaTime;
    use crate::severity::Severity;
    use crate::silence::{Matchers, Silence, SilenceKind};
    use crate::wording::Wording;

    fn say(situation: &Situation) -> String {
        format!("picture black for {:.1} s", situation.lasted.as_secs_f64())
    }

    /// The picture is black since second 0, and its detector says so at second 9.
    fn black(stage: &mut Stage, because: &str) -> String {
        let wording = Wording::new(say, Situation { lasted: MediaTime::from_millis(9_000), peak: 1.0, class: 0 });
        let message = format!("{}{because}", wording.after(Duration::ZERO));
        let raised = EventChange { wording: Some(wording), message, ..change("black", ChangeKind::Raised, 9, 0) };
        stage.model.step(raised).remove(0).message
    }

    fn silence(from: u64, until: u64) -> Silence {
        Silence {
            id: "s".to_owned(),
            kind: SilenceKind::Silence,
            matchers: Matchers { stream: Some("lobby".to_owned()), ..Matchers::default() },
            starts_at: at(from),
            until: at(until),
            reason: String::new(),
            author: String::new(),
            created_at: at(0),
        }
    }

    #[test]
    fn a_picture_that_was_black_for_minutes_under_a_silence_is_not_told_to_be_black_for_nine_seconds() {
        let mut stage = Stage::new();
        stage.model.silence(vec![silence(0, 300)], at(0));
        assert_eq!(black(&mut stage, ": encoder off"), "picture black for 9.0 s: encoder off");
        // Away for 10 s in between.
        stage.say(101, "black", ChangeKind::Fading, 100);
        stage.say(110, "black", ChangeKind::Holding, 110);
        assert_eq!(stage.tick(300)[0].message, "picture black for 290.0 s: encoder off");
    }

    #[test]
    fn a_snooze_that_ends_and_a_remark_tell_the_length_of_then() {
        let mut stage = Stage::new();
        black(&mut stage, "");
        let id = stage.open("black").id;
        let ack = Act::Ack { by: "anna".to_owned(), comment: None, until: Some(at(120)) };
        let acked = stage.model.act(&id, ack, None, at(30)).unwrap();
        assert_eq!(acked.event.message, "picture black for 30.0 s");
        assert_eq!(stage.tick(120)[0].message, "picture black for 120.0 s");
        // What may be over already is not said to go on.
        stage.say(125, "black", ChangeKind::Fading, 124);
        let remarked = stage.model.act(&id, Act::Comment("x".to_owned()), None, at(130)).unwrap();
        assert_eq!(remarked.event.message, "picture black for 120.0 s");
    }

    #[test]
    fn picture_and_sound_that_are_gone_for_minutes_are_told_so_when_a_silence_ends() {
        let mut stage = Stage::new();
        stage.model.silence(vec![silence(0, 300)], at(0));
        stage.raise(2, "black", 0);
        stage.raise(5, "silence", 0);
        stage.ticks(5..30);
        assert_eq!(stage.open("black").severity, Severity::Critical);
        let told = stage.tick(300);
        assert_eq!(told[0].message, "black with silence for 300 s");
    }
}
