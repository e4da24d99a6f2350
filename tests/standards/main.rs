//! Proves limits that standards set, on pictures made to lie just inside and just outside of them, as
//! `avwatch check` tells them. Each test is named after its document and clause.
//!
//! Here: ITU-R BT.1702 (flashes) and EBU R 103 (levels). What is proved closer to the code stays there:
//! EBU Tech 3341 and 3342 and ITU-R BS.1770 in `src/measure/ebu_tests.rs`, EBU R 37 and ITU-R BT.1359-1 in
//! `tests/check/sync.rs` and `src/detectors/av_sync.rs`.

#[path = "../common/mod.rs"]
mod common;

mod flashes;
mod levels;
mod patch;
