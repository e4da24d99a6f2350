//! The distributed design that one process replaced, built from real parts and measured beside it.
//!
//! ```text
//! converter ──PUT──▶ object store ──GET──▶ detector workers ──PUT──▶ … ──GET──▶ aggregator
//!     ▲                                          ▲                                  ▲
//!     └────────────────────── workflow: four persisted transitions a second ────────┘
//! ```
//!
//! `cargo run --release -- --avwatch ../../target/release/avwatch [--clip CLIP] [--seconds N]
//! [--page ../../docs/monolith.md]`: the same clip with the same detectors through both on this machine in one
//! run, first as fast as possible for what a second of stream costs, then in real time with more and more
//! streams for where each comes to its wall. The figures are JSON lines; `--page` writes the page about them.

mod aggregator;
mod clip;
mod codec;
mod converter;
mod detector;
mod distributed;
mod monolith;
mod page;
mod plot;
mod prices;
mod store;
mod trial;
mod usage;
mod wire;
mod workflow;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let rest = |words: std::iter::Skip<std::env::Args>| words.collect::<Vec<String>>();
    match words.next().as_deref() {
        Some("store") => store::serve(Path::new(&words.next().context("a folder is missing")?)),
        Some("converter") => match rest(words).as_slice() {
            [stream, clip, store] => converter::run(stream.clone(), PathBuf::from(clip), store),
            _ => bail!("converter STREAM CLIP STORE"),
        },
        Some("detector") => match rest(words).as_slice() {
            [name, store] => detector::run(name.clone(), store),
            _ => bail!("detector NAME STORE"),
        },
        Some("aggregator") => aggregator::run(&words.next().context("a store is missing")?),
        _ => trial::run(trial::Options::parse(std::env::args().skip(1))?),
    }
}
