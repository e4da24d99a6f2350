//! When the next message to a receiver leaves.
//!
//! Pure: it is told what waits, what happened and what time it is, and decides. Owned by the
//! receiver's thread. Times are spans since that thread began.
//!
//! | state | leaves it by |
//! |---|---|
//! | calm: nothing left for [`Dispatch`]'s group interval | a change: it is sent at once |
//! | gathering: a message left not long ago | the interval has passed since then, or the oldest change has waited that long; something new came: soon, a few times ([`Early`]) |
//! | failing: a message was not taken | the pause has passed: it is tried again; taken or parked: gathering |
//!
//! The message that was made last stands in front until it was taken. One that cannot be delivered must not
//! keep the others: when something else waits, it is set aside ([`Dispatch::is_stuck`]) and has a time of its own to be
//! tried again; only later changes of its own streams wait behind it. The front and what was set aside take
//! turns. One that tells of several streams is halved until what cannot be delivered is alone.
//! Nobody can tell a message that is never taken from a receiver that is away but by another message: while nothing at
//! all is taken the first is set aside or halved soon, further ones ever later, so after an outage there are few.

use std::time::Duration;

use super::early::Early;

/// First pause after a failure; doubled with every further one.
const PAUSE_FIRST: Duration = Duration::from_secs(1);

/// Longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(300);

/// Longest pause while more waits than the message that failed: on return nobody waits longer.
const PROBE_EVERY: Duration = Duration::from_secs(60);

/// For so long a message is tried; then it is parked.
pub const TRIED_FOR: Duration = Duration::from_secs(24 * 3_600);

/// A message that was tried so often, or for [`STUCK_AFTER`], is set aside when others wait.
const STUCK_ATTEMPTS: u32 = 3;

/// For so long a message stands in front of others, or is sent as a whole; doubled with every one that was set aside
/// or halved since something was taken.
const STUCK_AFTER: Duration = Duration::from_secs(60);

/// Longest that it does.
const STUCK_AFTER_MAX: Duration = Duration::from_secs(3_600);

/// Pause after a message that had no room for all that waited.
const FULL_PAUSE: Duration = Duration::from_secs(5);

/// What waits for a receiver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Changes that are in no message yet and can go into the next one.
    pub changes: u64,
    /// For how long the oldest of them has waited.
    pub oldest: Duration,
    /// For how long the oldest of those has waited of which the receiver was not told anything yet, or that are back after
    /// people had put them off, if there are any.
    pub news: Option<Duration>,
    /// Whether there is a message that was made and neither taken nor set aside yet.
    pub has_message: bool,
    /// Changes that wait behind a message which tells of the same stream.
    pub behind: u64,
    /// Messages that were set aside.
    pub aside: u64,
    /// How long until the first of them is due.
    pub aside_due: Duration,
}

/// Which message has its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The one in front, or a new one.
    Front,
    /// The first that is due of those that were set aside.
    Aside,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing waits.
    Idle,
    /// Send that message.
    Send(Turn),
    /// Look again after that time, unless something changes before.
    Wait(Duration),
}

#[derive(Clone, Copy, Debug)]
struct Failing {
    attempts: u32,
    since: Duration,
    at: Duration,
    until: Duration,
    /// The receiver itself asked for the pause.
    is_asked: bool,
}

/// Decides when messages leave.
#[derive(Debug)]
pub struct Dispatch {
    group_interval: Duration,
    early: Early,
    left_at: Option<Duration>,
    /// The last message had no room for all that waited.
    was_full: bool,
    failing: Option<Failing>,
    /// How often the message in front was tried.
    front_attempts: u32,
    /// The first failure since something was taken, or since a message was last set aside or halved.
    stuck_since: Option<Duration>,
    /// Messages that were set aside or halved since something was taken.
    suspects: u32,
    last_turn: Turn,
    /// A message of which a part was taken: nothing comes between its parts.
    goes_on: Option<Turn>,
}

impl Dispatch {
    /// For a receiver whose changes are gathered for that long.
    pub fn new(group_interval: Duration) -> Self {
        Self {
            group_interval,
            early: Early::new(group_interval),
            left_at: None,
            was_full: false,
            failing: None,
            front_attempts: 0,
            stuck_since: None,
            suspects: 0,
            last_turn: Turn::Aside,
            goes_on: None,
        }
    }

    /// What to do now.
    pub fn next(&self, now: Duration, waiting: Waiting) -> Next {
        match self.goes_on {
            Some(Turn::Front) if waiting.has_message => return Next::Send(Turn::Front),
            Some(Turn::Aside) if waiting.aside > 0 => return Next::Send(Turn::Aside),
            _ => {}
        }
        let front = (waiting.has_message || waiting.changes > 0).then(|| self.front_due(now, waiting));
        let aside = (waiting.aside > 0).then(|| self.not_before(now + waiting.aside_due, waiting));
        let (turn, due) = match (front, aside) {
            (None, None) => return Next::Idle,
            (Some(due), None) => (Turn::Front, due),
            (None, Some(due)) => (Turn::Aside, due),
            // Both are due: neither has two turns while the other waits.
            (Some(front), Some(aside)) if front.max(aside) <= now => match self.last_turn {
                Turn::Front => (Turn::Aside, aside),
                Turn::Aside => (Turn::Front, front),
            },
            (Some(front), Some(aside)) if aside < front => (Turn::Aside, aside),
            (Some(front), Some(_)) => (Turn::Front, front),
        };
        if due <= now { Next::Send(turn) } else { Next::Wait(due - now) }
    }

    /// When the message in front, or a new one, leaves.
    fn front_due(&self, now: Duration, waiting: Waiting) -> Duration {
        let ready = if waiting.has_message || self.failing.is_some() { now } else { self.gathered(now, waiting) };
        self.not_before(ready, waiting)
    }

    /// A time, or the end of the pause when the receiver takes nothing.
    fn not_before(&self, time: Duration, waiting: Waiting) -> Duration {
        let Some(failing) = self.failing else { return time };
        let is_alone =
            waiting.changes == 0 && waiting.behind == 0 && waiting.aside + u64::from(waiting.has_message) <= 1;
        let until =
            if failing.is_asked || is_alone { failing.until } else { failing.until.min(failing.at + PROBE_EVERY) };
        time.max(until)
    }

    /// When what is gathered leaves.
    fn gathered(&self, now: Duration, waiting: Waiting) -> Duration {
        let Some(regular) = self.regular() else { return now };
        // What has waited through a failure has waited long enough.
        let gathered = regular.min((now + self.group_interval).saturating_sub(waiting.oldest));
        waiting.news.map_or(gathered, |waited| gathered.min(self.early.due(now, waited)))
    }

    /// When the interval after the last message has passed, if there was one.
    fn regular(&self) -> Option<Duration> {
        let interval = if self.was_full { self.group_interval.min(FULL_PAUSE) } else { self.group_interval };
        self.left_at.map(|left_at| left_at + interval)
    }

    /// Whether the message in front is to be set aside, since others wait and it was tried often enough.
    pub fn is_stuck(&self, now: Duration, waiting: Waiting) -> bool {
        let is_in_the_way = waiting.has_message && waiting.changes > 0 && self.front_attempts > 0;
        is_in_the_way && ((self.suspects == 0 && self.front_attempts >= STUCK_ATTEMPTS) || self.is_hopeless(now))
    }

    /// Whether nothing was taken for so long that a message of several streams is halved.
    pub fn is_hopeless(&self, now: Duration) -> bool {
        let longest = STUCK_AFTER_MAX.min(STUCK_AFTER.saturating_mul(1 << self.suspects.saturating_sub(1).min(16)));
        self.stuck_since.is_some_and(|since| now.saturating_sub(since) >= longest)
    }

    /// A message was set aside or halved. The first time another one is tried at once: it may be taken.
    pub fn set_aside(&mut self, now: Duration) {
        if let Some(failing) = self.failing.as_mut().filter(|failing| self.suspects == 0 && !failing.is_asked) {
            failing.until = now;
        }
        (self.front_attempts, self.stuck_since) = (0, Some(now));
        self.suspects = self.suspects.saturating_add(1);
    }

    /// The receiver answered for a message: it was taken, or refused for good. `is_full` when it had no room for all
    /// that waited. Returns whether nothing was taken before.
    pub fn left(&mut self, now: Duration, turn: Turn, is_full: bool) -> bool {
        if turn == Turn::Front {
            if self.regular().is_some_and(|regular| now < regular) {
                self.early.take(now);
            }
            (self.left_at, self.was_full, self.front_attempts) = (Some(now), is_full, 0);
        }
        (self.suspects, self.stuck_since, self.last_turn, self.goes_on) = (0, None, turn, None);
        self.failing.take().is_some()
    }

    /// A message was parked without the receiver's word: another one is in front.
    pub fn parked(&mut self, turn: Turn) {
        if turn == Turn::Front {
            self.front_attempts = 0;
        }
    }

    /// A part of a message was taken, and the rest follows: the receiver is there.
    pub fn goes_on(&mut self, turn: Turn) {
        (self.last_turn, self.goes_on) = (turn, Some(turn));
        (self.failing, self.front_attempts, self.suspects, self.stuck_since) = (None, 0, 0, None);
    }

    /// A message was not taken. The receiver may ask for a pause; else it is a random share, `dice` of
    /// 0 to 1, of one that doubles: receivers that fail together do not come back together.
    ///
    /// One that was set aside says nothing of a receiver that takes others.
    pub fn failed(&mut self, now: Duration, turn: Turn, asked: Option<Duration>, dice: f64) {
        (self.last_turn, self.goes_on) = (turn, None);
        self.stuck_since.get_or_insert(now);
        if turn == Turn::Front {
            self.front_attempts = self.front_attempts.saturating_add(1);
        } else if self.failing.is_none() {
            return;
        }
        let (attempts, since) = self.failing.map_or((0, now), |failing| (failing.attempts, failing.since));
        let pause = asked.unwrap_or_else(|| pause(attempts, dice));
        let attempts = attempts.saturating_add(1);
        self.failing = Some(Failing { attempts, since, at: now, until: now + pause, is_asked: asked.is_some() });
    }

    /// The receiver was found to be there again: what waits is tried now.
    pub fn found(&mut self, now: Duration) {
        if let Some(failing) = &mut self.failing {
            failing.until = now;
        }
    }

    /// For how long nothing was taken.
    pub fn failing_for(&self, now: Duration) -> Option<Duration> {
        self.failing.map(|failing| now.saturating_sub(failing.since))
    }
}

/// How long a message rests that was tried so often before.
pub fn pause(attempts: u32, dice: f64) -> Duration {
    let longest = PAUSE_MAX.min(PAUSE_FIRST.saturating_mul(1 << attempts.min(16)));
    longest.mul_f64(dice.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const INTERVAL: Duration = Duration::from_secs(30);

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn changes(count: u64, oldest: u64) -> Waiting {
        Waiting { changes: count, oldest: secs(oldest), ..Waiting::default() }
    }

    #[test]
    fn the_first_message_after_a_calm_leaves_at_once() {
        let mut dispatch = Dispatch::new(INTERVAL);
        assert_eq!(dispatch.next(secs(0), Waiting::default()), Next::Idle);
        assert_eq!(dispatch.next(secs(0), changes(1, 0)), Next::Send(Turn::Front));
        dispatch.left(secs(0), Turn::Front, false);
        assert_eq!(dispatch.next(secs(31), changes(1, 0)), Next::Send(Turn::Front));
    }

    #[test]
    fn what_follows_a_message_is_gathered() {
        let mut dispatch = Dispatch::new(INTERVAL);
        dispatch.left(secs(100), Turn::Front, false);
        assert_eq!(dispatch.next(secs(110), changes(7, 0)), Next::Wait(secs(20)));
        assert_eq!(dispatch.next(secs(130), changes(900, 20)), Next::Send(Turn::Front));
    }

    #[test]
    fn what_had_no_room_follows_soon() {
        let mut dispatch = Dispatch::new(INTERVAL);
        dispatch.left(secs(100), Turn::Front, true);
        assert_eq!(dispatch.next(secs(101), changes(1, 3)), Next::Wait(secs(4)));
    }

    #[test]
    fn what_waited_through_a_failure_is_not_gathered_again() {
        let mut dispatch = Dispatch::new(INTERVAL);
        dispatch.failed(secs(0), Turn::Front, None, 0.5);
        dispatch.left(secs(600), Turn::Front, false);
        assert_eq!(dispatch.next(secs(600), changes(199, 500)), Next::Send(Turn::Front));
    }

    #[test]
    fn pauses_double_up_to_five_minutes_and_to_one_with_a_backlog() {
        let mut dispatch = Dispatch::new(INTERVAL);
        let one = Waiting { has_message: true, ..Waiting::default() };
        let mut now = secs(0);
        for longest in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            dispatch.failed(now, Turn::Front, None, 1.0);
            assert_eq!(dispatch.next(now, one), Next::Wait(secs(longest)));
            let more = Waiting { changes: 1, ..one };
            assert_eq!(dispatch.next(now, more), Next::Wait(secs(longest.min(60))));
            now += secs(longest);
            assert_eq!(dispatch.next(now, one), Next::Send(Turn::Front));
        }
        assert_eq!(dispatch.failing_for(now), Some(now));
    }

    #[test]
    fn a_pause_that_the_receiver_asks_for_is_kept() {
        let mut dispatch = Dispatch::new(INTERVAL);
        dispatch.failed(secs(0), Turn::Front, Some(secs(600)), 0.0);
        let waiting = Waiting { changes: 99, oldest: secs(500), has_message: true, ..Waiting::default() };
        assert_eq!(dispatch.next(secs(599), waiting), Next::Wait(secs(1)));
        assert_eq!(dispatch.next(secs(600), waiting), Next::Send(Turn::Front));
        dispatch.failed(secs(600), Turn::Front, Some(secs(600)), 0.0);
        dispatch.found(secs(601));
        assert_eq!(dispatch.next(secs(601), waiting), Next::Send(Turn::Front));
    }

    /// A receiver with a script, and changes that come whenever they like: everything in virtual time.
    #[derive(Debug, Clone)]
    struct Play {
        /// Seconds between changes, each with its stream.
        changes: Vec<(u64, u8)>,
        /// Whether the receiver takes what comes in these seconds, from the begin on, 10 s each.
        up: Vec<bool>,
        interval: u64,
    }

    fn plays() -> impl Strategy<Value = Play> {
        let changes = proptest::collection::vec((0..40_u64, 0..4_u8), 1..60);
        let up = proptest::collection::vec(any::<bool>(), 0..40);
        (changes, up, 1..120_u64).prop_map(|(changes, up, interval)| Play { changes, up, interval })
    }

    /// Messages as they were taken: when, and which changes by number.
    fn play(play: &Play) -> Vec<(u64, Vec<usize>)> {
        let mut dispatch = Dispatch::new(secs(play.interval));
        let mut at = 0;
        let arrivals: Vec<u64> = play
            .changes
            .iter()
            .map(|(gap, _)| {
                at += gap;
                at
            })
            .collect();
        let (mut next, mut queue, mut hand) = (0, Vec::<usize>::new(), None::<Vec<usize>>);
        let mut taken = Vec::new();
        let end = at + play.up.len() as u64 * 10 + 1_000;
        for now in 0..end {
            while next < arrivals.len() && arrivals[next] <= now {
                queue.push(next);
                next += 1;
            }
            let oldest = queue.first().map_or(0, |first| now - arrivals[*first]);
            let waiting = Waiting {
                changes: queue.len() as u64,
                oldest: secs(oldest),
                has_message: hand.is_some(),
                ..Waiting::default()
            };
            if dispatch.next(secs(now), waiting) != Next::Send(Turn::Front) {
                continue;
            }
            let message = hand.take().unwrap_or_else(|| std::mem::take(&mut queue));
            if play.up.get((now / 10) as usize).copied().unwrap_or(true) {
                dispatch.left(secs(now), Turn::Front, false);
                taken.push((now, message));
            } else {
                dispatch.failed(secs(now), Turn::Front, None, 0.7);
                hand = Some(message);
            }
        }
        taken
    }

    proptest! {
        #[test]
        fn every_change_is_told_once_and_in_order(script in plays()) {
            let told: Vec<usize> = play(&script).into_iter().flat_map(|(_, changes)| changes).collect();
            prop_assert_eq!(told, (0..script.changes.len()).collect::<Vec<_>>());
        }

        #[test]
        fn there_are_no_more_messages_than_the_interval_allows(script in plays()) {
            let script = Play { up: Vec::new(), ..script };
            let times: Vec<u64> = play(&script).into_iter().map(|(at, _)| at).collect();
            for pair in times.windows(2) {
                prop_assert!(pair[1] - pair[0] >= script.interval, "{:?}", times);
            }
        }

        #[test]
        fn on_return_nobody_waits_longer_than_the_probe_and_the_interval(script in plays()) {
            let back = script.up.len() as u64 * 10;
            let mut at = 0;
            let arrivals: Vec<u64> = script.changes.iter().map(|(gap, _)| { at += gap; at }).collect();
            for (when, changes) in play(&script) {
                for change in changes {
                    let from = arrivals[change].max(back);
                    prop_assert!(when <= from + 300 + script.interval, "{} told at {}", from, when);
                }
            }
        }
    }
}
