//! Logs of other programs as a source of events: an encoder's, a packager's, a CDN's, a player's.
//!
//! ```text
//! file ─▶ tail ─▶ parse ─▶ map to a stream ─▶ rules: windows of rates ─▶ lifecycle ─event lane─▶ desk
//! ```
//!
//! One thread, `logs`, does all of it for all inputs (`worker`); everything but reading is pure.
//! What cannot be parsed, belongs to no stream, or comes too late is counted and told now and then.
//! Files are named by the configuration alone, never by the API.

mod clock;
mod condition;
mod files;
mod judge;
mod map;
mod newcomers;
mod parse;
mod plan;
mod rate;
mod worker;

pub use condition::{Condition, ConditionError};
pub use files::{FILES_MAX, check_pattern};
pub use map::StreamMap;
pub use plan::{LogInputPlan, Pattern, Quantity, RulePlan};
pub use worker::{LogWatch, LogWatchParts};

pub(crate) use parse::Format;
