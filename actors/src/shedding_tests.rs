//! The shedding machine against a model node: latency grows with what is looked at.

use proptest::prelude::*;

use super::*;

const TARGET: Duration = Duration::from_secs(1);

/// What a stream costs in each tier, in parts of a full one.
fn cost(tier: Tier) -> f64 {
    match tier {
        Tier::Full => 1.0,
        Tier::Light => 0.8,
        Tier::Keyframes => 0.15,
        Tier::Audio => 0.05,
        Tier::Transport => 0.01,
    }
}

/// A node that can look at so many full streams; beyond that, latency grows with the excess.
struct Node {
    capacity: f64,
    streams: Vec<StreamLoad>,
    shedding: Shedding,
}

impl Node {
    fn new(count: usize, capacity: f64, range: impl Fn(usize) -> TierRange) -> Self {
        let stream = |number| StreamLoad {
            name: format!("s{number:03}").into(),
            priority: (number % 10) as u8,
            range: range(number),
        };
        Self { capacity, streams: (0..count).map(stream).collect(), shedding: Shedding::new(TARGET) }
    }

    fn tier(&self, stream: &StreamLoad) -> Tier {
        self.shedding.tier_of(&stream.name).max(stream.range.configured)
    }

    fn spent(&self) -> f64 {
        self.streams.iter().map(|stream| cost(self.tier(stream))).sum()
    }

    fn load(&self) -> NodeLoad {
        let use_of = self.spent() / self.capacity;
        let latency =
            if use_of <= 1.0 { Duration::from_millis(20) } else { TARGET.mul_f64(1.0 + (use_of - 1.0) * 4.0) };
        NodeLoad { latency: Some(latency), ..NodeLoad::default() }
    }

    fn second(&mut self) -> Step {
        let load = self.load();
        self.shedding.look(&load, &self.streams)
    }

    fn seconds(&mut self, count: usize) -> Vec<Step> {
        (0..count).map(|_| self.second()).collect()
    }
}

fn any_range(_: usize) -> TierRange {
    TierRange::default()
}

#[test]
fn a_node_with_room_sheds_nothing() {
    let mut node = Node::new(40, 100.0, any_range);
    assert!(node.seconds(600).iter().all(|step| *step == Step::Stay));
}

#[test]
fn a_short_peak_sheds_nothing() {
    let mut node = Node::new(40, 30.0, any_range);
    let steps = node.seconds(2);
    node.capacity = 100.0;
    assert!(steps.into_iter().chain(node.seconds(10)).all(|step| step == Step::Stay));
}

#[test]
fn the_lowest_priorities_go_first_and_everything_is_light_before_anything_is_in_keyframes() {
    let mut node = Node::new(40, 20.0, any_range);
    node.seconds(3);
    let shed: Vec<u8> =
        node.streams.iter().filter(|stream| node.tier(stream) > Tier::Full).map(|stream| stream.priority).collect();
    let kept = node.streams.iter().filter(|stream| node.tier(stream) == Tier::Full).map(|stream| stream.priority);
    assert!(!shed.is_empty() && shed.iter().max() <= kept.min().as_ref(), "{shed:?}");
    for _ in 0..60 {
        node.second();
        let tiers: Vec<Tier> = node.streams.iter().map(|stream| node.tier(stream)).collect();
        let (dearest, cheapest) = (tiers.iter().min().expect("40"), tiers.iter().max().expect("40"));
        assert!(*cheapest as u8 - *dearest as u8 <= 1, "{tiers:?}");
    }
}

#[test]
fn streams_in_triage_lose_their_closer_look_before_any_loses_its_pictures() {
    let mut node = Node::new(40, 0.5, |_| TierRange::triage());
    let mut seen = Vec::new();
    for _ in 0..60 {
        node.second();
        let tiers: Vec<Tier> = node.streams.iter().map(|stream| node.shedding.tier_of(&stream.name)).collect();
        assert!(!tiers.contains(&Tier::Light), "{tiers:?}");
        assert!(!(tiers.contains(&Tier::Audio) && tiers.contains(&Tier::Full)), "{tiers:?}");
        seen.extend(tiers);
    }
    assert!(seen.contains(&Tier::Keyframes) && seen.contains(&Tier::Audio), "it comes to both");
    node.capacity = 1e6;
    node.seconds(3_000);
    assert_eq!(node.shedding.counts().values().sum::<usize>(), 0, "and all may rise again");
}

#[test]
fn an_overloaded_node_is_within_its_target_soon_and_stays_there() {
    let mut node = Node::new(40, 10.0, any_range);
    node.seconds(40);
    let over = (0..600).filter(|_| {
        node.second();
        node.spent() > node.capacity
    });
    // Trials of restoring go over now and then, each time after longer.
    assert!(over.count() < 60);
    let counts = node.shedding.counts();
    assert!(counts.values().sum::<usize>() > 0, "{counts:?}");
}

#[test]
fn when_the_load_is_gone_all_is_restored_by_and_by() {
    let mut node = Node::new(40, 10.0, any_range);
    node.seconds(40);
    // Calm is counted from the last overload.
    let late = NodeLoad { latency: Some(TARGET * 2), ..NodeLoad::default() };
    node.shedding.look(&late, &node.streams);
    node.capacity = 100.0;
    let quiet = node.seconds(CALM as usize - 1);
    assert!(quiet.iter().all(|step| *step == Step::Stay), "not before it was calm for long");
    let steps = node.seconds(2_000);
    assert!(steps.iter().all(|step| matches!(step, Step::Stay | Step::Restored { streams: 1..=2 })));
    assert!(node.shedding.counts().is_empty());
}

#[test]
fn each_relapse_makes_the_next_trial_wait_longer() {
    let mut node = Node::new(40, 20.0, any_range);
    let steps = node.seconds(4_000);
    let trials: Vec<usize> = steps
        .iter()
        .enumerate()
        .filter(|(second, step)| {
            let before = second.checked_sub(30).map_or(&steps[..*second], |from| &steps[from..*second]);
            matches!(step, Step::Restored { .. }) && !before.iter().any(|step| matches!(step, Step::Restored { .. }))
        })
        .map(|(second, _)| second)
        .collect();
    let pauses: Vec<usize> = trials.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.len() >= 3 && pauses.last() > pauses.first(), "{pauses:?}");
}

#[test]
fn losses_shed_though_latency_is_short() {
    let mut node = Node::new(10, 100.0, any_range);
    let load = NodeLoad { lost: 3, latency: Some(Duration::from_millis(5)), ..NodeLoad::default() };
    let steps: Vec<Step> = (0..3).map(|_| node.shedding.look(&load, &node.streams)).collect();
    assert_eq!(steps, [Step::Stay, Step::Stay, Step::Shed { streams: 2 }]);
    let behind = NodeLoad { behind: TARGET * 3, ..NodeLoad::default() };
    let mut late = Shedding::new(TARGET);
    assert!((0..3).any(|_| matches!(late.look(&behind, &node.streams), Step::Shed { .. })));
}

#[test]
fn want_of_memory_closes_decoders_of_the_lowest_priorities_and_waits_for_what_that_gives_back() {
    // One of them may be put into keyframes at most: of it nothing can be closed.
    let bound = TierRange { cheapest: Tier::Keyframes, ..TierRange::from(Tier::Full) };
    let mut node = Node::new(10, 100.0, |number| if number == 0 { bound } else { TierRange::default() });
    let short = NodeLoad { memory: MemoryPressure::Shed, ..NodeLoad::default() };
    let steps: Vec<Step> = (0..16).map(|_| node.shedding.look(&short, &node.streams)).collect();
    let shed: Vec<usize> = (0..16).filter(|look| matches!(steps[*look], Step::Shed { streams: 2 })).collect();
    assert_eq!(shed, [2, 2 + SETTLE_MEMORY as usize], "{steps:?}");
    let tiers: Vec<Tier> = node.streams.iter().map(|stream| node.tier(stream)).collect();
    assert_eq!(tiers[..6], [Tier::Full, Tier::Audio, Tier::Audio, Tier::Audio, Tier::Audio, Tier::Full]);
    // While it is refused to take on more, nothing is taken up again.
    let tight = NodeLoad { memory: MemoryPressure::Refuse, ..NodeLoad::default() };
    assert!((0..600).all(|_| node.shedding.look(&tight, &node.streams) == Step::Stay));
    node.seconds(1_000);
    assert!(node.shedding.counts().is_empty());
}

#[test]
fn a_stream_that_is_gone_is_not_counted_as_shed() {
    let mut node = Node::new(10, 1.0, any_range);
    node.seconds(20);
    node.streams.truncate(2);
    node.second();
    assert!(node.shedding.counts().values().sum::<usize>() <= 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_stream_leaves_the_range_that_configuration_allows(
        capacities in proptest::collection::vec(1.0_f64..60.0, 1..12),
        configured in 0_usize..5, cheapest in 0_usize..5,
    ) {
        let range = |number: usize| {
            let configured = Tier::ALL[(configured + number) % 5];
            TierRange { cheapest: Tier::ALL[(cheapest + 2 * number) % 5].max(configured), ..TierRange::from(configured) }
        };
        let mut node = Node::new(30, 30.0, range);
        for capacity in capacities {
            node.capacity = capacity;
            for _ in 0..50 {
                let before: Vec<Tier> = node.streams.iter().map(|stream| node.tier(stream)).collect();
                node.second();
                for (stream, before) in node.streams.iter().zip(before) {
                    let tier = node.tier(stream);
                    prop_assert!(tier >= stream.range.configured && tier <= stream.range.cheapest);
                    prop_assert!((tier as u8).abs_diff(before as u8) <= 1, "one step at a time");
                }
            }
        }
    }

    #[test]
    fn a_node_that_can_follow_at_all_ends_within_its_target(count in 1_usize..80, share in 0.05_f64..2.0) {
        let mut node = Node::new(count, count as f64 * share, any_range);
        node.seconds(120);
        // Just after a shedding, before any trial of restoring.
        let mut within = 0;
        for _ in 0..200 {
            node.second();
            within += u32::from(node.spent() <= node.capacity + 1e-9);
        }
        prop_assert!(within >= 150, "{within} of 200 seconds");
    }
}
