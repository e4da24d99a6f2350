//! Proves the dashboard in a real browser, driven by the scripts beside this file; `scripts/setup` brings
//! browser and packages.

#[path = "../common/mod.rs"]
mod common;

mod browser;
mod page;
mod service;
