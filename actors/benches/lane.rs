//! What offering an item to a lane costs, beside a bare channel of the same size.
//!
//! `cargo bench -p avwatch-actors --bench lane -- run`; `scripts/bench` runs it. In nanoseconds per
//! item: cloning a frame's reference and putting it into a lane that has room.

#[path = "../../benches/support/figures.rs"]
#[allow(dead_code)]
mod figures;

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::time::Instant;

use avwatch_actors::frame::PictureFacts;
use avwatch_actors::lane::{Offer, WhenFull, lane};
use avwatch_actors::lifeline::Lifeline;
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::scripted::Scribe;
use avwatch_actors::track::SessionNumber;
use crossbeam_channel::bounded;
use figures::{median, print_absolute};

/// Frames that fit; as many are offered between two drains.
const PLACES: usize = 50;
const ROUNDS: usize = 20_000;
const RUNS: usize = 9;
const NANOS_MAX: f64 = 200.0;

fn main() {
    if !std::env::args().any(|word| word == "run") {
        eprintln!("say 'run', as scripts/bench does");
        return;
    }
    let frame =
        Scribe::new(SessionNumber(1)).picture(MediaTime::ZERO, MediaTime::from_millis(40), PictureFacts::default());
    let line = Lifeline::default();
    let (mut offers, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let (sender, receiver) = lane(NonZeroUsize::new(PLACES).expect("above zero"), WhenFull::DropOldest);
        offers.push(nanos_per_item(
            || assert_eq!(sender.offer(black_box(&frame).clone(), &line), Offer::Taken),
            || while receiver.take().is_some() {},
        ));
        let (sender, receiver) = bounded(PLACES);
        bare.push(nanos_per_item(
            || sender.try_send(black_box(&frame).clone()).expect("there is room"),
            || while receiver.try_recv().is_ok() {},
        ));
    }
    eprintln!("a bare channel: {:.1} ns an item", median(&bare));
    print_absolute("lane_offer_ns", &offers, NANOS_MAX);
}

fn nanos_per_item(put: impl Fn(), drain: impl Fn()) -> f64 {
    let mut spent = 0;
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        for _ in 0..PLACES {
            put();
        }
        spent += begin.elapsed().as_nanos();
        drain();
    }
    spent as f64 / (ROUNDS * PLACES) as f64
}
