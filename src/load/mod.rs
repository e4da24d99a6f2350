//! Load: how much a machine carries, how late it tells, and whether it tells what is there.
//!
//! `avwatch load` runs it. Streams with planted defects go through the service's own engine, either made in process or encoded
//! once and sent over loopback; what the detectors tell is laid beside the plan, and every frame's latency is counted from the
//! moment it was due. `run.rs` is the whole; `trial.rs` one number of streams; `rig.rs` the engine around them; the rest is
//! pure, but for the sender's thread (`sender.rs`) and two readings of the system (`threads.rs`, `temp_folder.rs`).

pub mod clip;
pub mod due;
pub mod figures;
pub mod limits;
pub mod matching;
pub mod material;
pub mod probe;
pub mod report;
pub mod requests;
pub mod rig;
pub mod rota;
pub mod run;
pub mod schedule;
pub mod search;
pub mod sender;
pub mod settings;
pub mod temp_folder;
pub mod text;
pub mod threads;
pub mod trial;

pub use limits::{Limits, Requirements};
pub use report::LoadReport;
pub use run::{LoadError, run};
pub use sender::Carriage;
pub use settings::{LoadSettings, LoadTier, SourceKind, Streams};
pub use text::render as render_text;
pub use trial::Progress;
