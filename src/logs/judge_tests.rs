//! What the judge promises, in virtual time.

use avwatch_actors::event::ChangeKind;

use super::*;
use crate::logs::parse::Format;
use crate::logs::{Condition, StreamMap};
use proptest::prelude::*;

struct Bench {
    judge: Judge,
    clocks: Vec<LogClock>,
    begin: Instant,
    second: u64,
    told: Vec<(u64, ChangeKind, Severity)>,
    changes: Vec<EventChange>,
}

fn rule(change: impl FnOnce(&mut RulePlan)) -> Arc<RulePlan> {
    let mut rule = RulePlan {
        name: "http".into(),
        detector: "log_http_errors",
        when: vec![Condition::is_server_error()],
        of: Vec::new(),
        quantity: Quantity::Share,
        sum: None,
        window: Duration::from_secs(30),
        min_lines: 10,
        thresholds: vec![(0.1, Severity::Warning), (0.5, Severity::Major)],
        raise_after: Duration::ZERO,
        clear_after: Duration::from_secs(10),
    };
    change(&mut rule);
    Arc::new(rule)
}

const BEGIN: i64 = 1_795_888_800_000;

impl Bench {
    fn new(rules: Vec<Arc<RulePlan>>) -> Self {
        let input = LogInputPlan {
            name: "edge".into(),
            path: "/x".into(),
            format: Format::Json,
            time: None,
            map: StreamMap::Fixed("lobby".into()),
            rules,
        };
        let begin = Instant::now();
        let judge = Judge::new(&[input], begin);
        Self { judge, clocks: vec![LogClock::default()], begin, second: 0, told: Vec::new(), changes: Vec::new() }
    }

    fn now(&self) -> (Instant, Moment) {
        (self.begin + Duration::from_secs(self.second), Moment(BEGIN + self.second as i64 * 1_000))
    }

    /// Seconds in each of which these lines come.
    fn pass(&mut self, seconds: u64, lines: &[&[(&'static str, &'static str)]]) {
        for _ in 0..seconds {
            self.second += 1;
            let (now, at) = self.now();
            for line in lines {
                let mut fields = Fields::default();
                line.iter().for_each(|(name, value)| fields.push(*name, *value));
                let (at, _) = self.clocks[0].line(Some(at), at, now);
                self.judge.take(0, &"lobby".into(), &fields, at, now);
            }
            let wall = Wall(std::time::SystemTime::UNIX_EPOCH + Duration::from_millis(at.0 as u64));
            let card = |stream: &str| Some(Arc::new(StreamCard { stream: stream.into(), ..StreamCard::default() }));
            for change in self.judge.tick(&self.clocks, now, wall, card) {
                self.told.push((self.second, change.what, change.severity));
                self.changes.push(change);
            }
        }
    }
}

const GOOD: &[(&str, &str)] = &[("status", "200")];
const BAD: &[(&str, &str)] = &[("status", "503")];
const CLEARED: ChangeKind = ChangeKind::Ended(EventEnd::Cleared);

#[test]
fn a_share_of_errors_is_raised_escalated_and_ends_after_recovery() {
    let mut bench = Bench::new(vec![rule(|_| ())]);
    bench.pass(60, &[GOOD, GOOD, GOOD, GOOD]);
    assert_eq!(bench.told, []);
    bench.pass(60, &[GOOD, BAD, BAD, BAD]);
    bench.pass(60, &[GOOD, GOOD, GOOD, GOOD]);
    let whats: Vec<_> = bench.told.iter().map(|(_, what, severity)| (*what, *severity)).collect();
    // Said again every 30 s while it is open, for whoever doubts it.
    let again = whats.iter().filter(|what| **what == (ChangeKind::Raised, Severity::Major)).count();
    assert_eq!(
        (whats[0], whats[1]),
        ((ChangeKind::Raised, Severity::Warning), (ChangeKind::Escalated, Severity::Major))
    );
    assert!(again >= 1 && *whats.last().unwrap() == (CLEARED, Severity::Major), "{whats:?}");
    let (raised, ended) = (&bench.changes[0], bench.changes.last().unwrap());
    assert_eq!(raised.started_at.to_string(), "2026-11-28T18:01:01.000Z");
    assert!((60..70).contains(&bench.told[0].0), "{:?}", bench.told);
    assert_eq!((raised.unit, raised.threshold, raised.session), ("ratio", Some(0.1), SessionNumber(0)));
    assert!(raised.message.starts_with("http: 1") && raised.message.ends_with("lines of edge"), "{}", raised.message);
    assert!(ended.peak.unwrap() > 0.7, "{:?}", ended.peak);
    // Back below a tenth of 30 s after 27 s, and 10 s more.
    assert!((155..160).contains(&bench.told.last().unwrap().0), "{:?}", bench.told);
}

#[test]
fn an_event_of_a_log_that_is_over_tells_the_worst_of_it_and_how_long_it_lasted() {
    // Back to few errors, and to no lines at all.
    for quiet in [&[GOOD, GOOD, GOOD, GOOD][..], &[]] {
        let mut bench = Bench::new(vec![rule(|_| ())]);
        bench.pass(60, &[GOOD, GOOD, GOOD, GOOD]);
        bench.pass(60, &[GOOD, BAD, BAD, BAD]);
        bench.pass(60, quiet);
        let ended = bench.changes.last().unwrap();
        assert_eq!(ended.what, CLEARED);
        let lasted = (ended.end.unwrap() - ended.start).as_secs_f64();
        assert_eq!(
            ended.message,
            format!("over after {lasted:.1} s; at worst http: 75.0 % in 30 s, 120 lines of edge; threshold 10.0 %")
        );
        assert_eq!(ended.peak, Some(0.75));
        // The next one has its own worst.
        bench.pass(60, &[GOOD, GOOD, GOOD, GOOD]);
        bench.pass(60, &[GOOD, GOOD, GOOD, BAD]);
        bench.pass(60, &[GOOD, GOOD, GOOD, GOOD]);
        let next = &bench.changes.last().unwrap().message;
        assert!(next.contains("at worst http: 25.0 % in 30 s"), "{next}");
    }
}

#[test]
fn few_lines_say_nothing_and_an_end_of_lines_ends_the_event() {
    let mut bench = Bench::new(vec![rule(|_| ())]);
    bench.pass(9, &[BAD]);
    assert_eq!(bench.told, [], "nine lines are too few");
    bench.pass(1, &[BAD]);
    assert_eq!(bench.told, [(10, ChangeKind::Raised, Severity::Major)]);
    bench.pass(60, &[]);
    assert_eq!(bench.told.last().map(|told| told.1), Some(CLEARED));
    assert!(bench.judge.judged.is_empty(), "nothing is kept of what is over");
}

#[test]
fn a_rate_counts_bad_lines_by_the_minute() {
    let mut bench = Bench::new(vec![rule(|rule| {
        rule.quantity = Quantity::PerMinute;
        rule.thresholds = vec![(90.0, Severity::Minor)];
        rule.min_lines = 1;
    })]);
    bench.pass(40, &[BAD]);
    assert_eq!(bench.told, [], "60 a minute");
    bench.pass(20, &[BAD, BAD]);
    assert_eq!(bench.told.len(), 1, "120 a minute");
    assert_eq!(bench.changes[0].unit, "1/min");
}

#[test]
fn the_ratio_of_rebuffering_is_that_of_two_sums() {
    let mut bench = Bench::new(vec![rule(|rule| {
        rule.detector = "log_rebuffering";
        rule.when = Vec::new();
        rule.sum = Some("rebuffer_ms".into());
        rule.quantity = Quantity::SharePer("played_ms".into());
    })]);
    bench.pass(60, &[&[("rebuffer_ms", "50"), ("played_ms", "1000")]]);
    assert_eq!(bench.told, []);
    bench.pass(60, &[&[("rebuffer_ms", "300"), ("played_ms", "1000")]]);
    assert_eq!(bench.told[0].2, Severity::Warning);
}

#[test]
fn rules_of_one_detector_share_an_event_that_tells_the_worst() {
    let calm = rule(|rule| rule.thresholds = vec![(0.9, Severity::Info)]);
    let mut bench = Bench::new(vec![calm, rule(|_| ())]);
    bench.pass(20, &[BAD]);
    assert_eq!(bench.told, [(10, ChangeKind::Raised, Severity::Major)]);
}

#[test]
fn what_lasts_less_than_its_hold_time_is_not_raised() {
    let mut bench = Bench::new(vec![rule(|rule| rule.raise_after = Duration::from_secs(60))]);
    bench.pass(30, &[GOOD]);
    bench.pass(20, &[BAD, BAD]);
    bench.pass(60, &[GOOD, GOOD]);
    assert_eq!(bench.told, []);
}

#[test]
fn lines_that_do_not_count_change_nothing() {
    let of = || vec!["path ~ ^/live/".parse().unwrap()];
    let mut bench = Bench::new(vec![rule(|rule| rule.of = of())]);
    bench.pass(60, &[&[("status", "503"), ("path", "/vod/1.ts")]]);
    assert_eq!(bench.told, []);
    bench.pass(60, &[&[("status", "503"), ("path", "/live/1.ts")]]);
    assert_eq!(bench.told[0].1, ChangeKind::Raised);
}

proptest! {
    #[test]
    fn an_event_is_raised_before_it_is_worse_or_over(
        phases in prop::collection::vec((1_u64..50, 0_usize..4), 1..12),
    ) {
        let mut bench = Bench::new(vec![rule(|_| ())]);
        for (seconds, kind) in phases {
            let lines: &[&[(&str, &str)]] = [&[][..], &[GOOD, GOOD], &[GOOD, BAD], &[BAD, BAD]][kind];
            bench.pass(seconds, lines);
        }
        let mut open = false;
        for (_, what, _) in &bench.told {
            match what {
                ChangeKind::Raised => open = true,
                ChangeKind::Ended(_) => {
                    prop_assert!(open);
                    open = false;
                }
                _ => prop_assert!(open),
            }
        }
        for change in &bench.changes {
            prop_assert!(change.started_at <= change.changed_at);
        }
    }
}
