//! Proves `avwatch check` as a process: on clips with known defects, on what is no media, and in
//! what it prints and how it ends.

#[path = "../common/mod.rs"]
mod common;

mod bad_input;
mod damage;
mod data;
mod deterministic;
mod endings;
mod formats;
mod pages;
mod pictures;
mod sounds;
mod sync;
mod tiers;
