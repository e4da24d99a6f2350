//! The distributed design that one process replaced, built from real parts and measured beside it.
//!
//! ```text
//! converter ──PUT──▶ object store ──GET──▶ detector workers ──PUT──▶ … ──GET──▶ aggregator
//!     ▲                                          ▲                                  ▲
//!     └────────────────────── workflow: four persisted transitions a second ────────┘
//! ```
//!
//! `scripts/monolith` builds and runs it: the same clip in real time with the same detectors through both designs by
//! turns, then with more and more streams until each comes to its wall. It writes its figures to
//! `docs/monolith.json` and the page about them from those. Options: `--quick`, `--page FILE.md`,
//! `--folder FOLDER`; `render FILE.md` only makes the page anew.

mod aggregator;
mod clip;
mod codec;
mod converter;
mod detector;
mod distributed;
mod monolith;
mod page;
mod store;
mod told;
mod trial;
mod usage;
mod wire;
mod workflow;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

fn main() -> Result<ExitCode> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (role, rest) = words.split_first().map_or(("", &[][..]), |(role, rest)| (role.as_str(), rest));
    match (role, rest) {
        ("store", [folder]) => store::run(Path::new(folder))?,
        ("converter", [stream, clip, store, packing]) => {
            converter::run(stream.clone(), PathBuf::from(clip), store, packing)?;
        }
        ("detector", [name, store]) => detector::run(name.clone(), store)?,
        ("aggregator", [store]) => aggregator::run(store)?,
        ("monolith", [configuration]) => return Ok(monolith::serve(PathBuf::from(configuration))),
        ("render", [page]) => {
            let page = Path::new(page);
            let figures = std::fs::read(page.with_extension("json")).context("there are no figures beside the page")?;
            page::write(page, &serde_json::from_slice(&figures)?)?;
        }
        ("store" | "converter" | "detector" | "aggregator" | "monolith" | "render", _) => {
            bail!("the {role} has other arguments; see the head of main.rs")
        }
        _ => trial::run(&trial::Options::parse(words.into_iter())?)?,
    }
    Ok(ExitCode::SUCCESS)
}
