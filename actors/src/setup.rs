//! What the engine needs to run a stream, and what all streams of a node share.

use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::arbiters::Arbiters;
use crate::connect_bucket::ConnectBucket;
use crate::detector::DetectorSpec;
use crate::event::StreamCard;
use crate::event_desk::DeskHandle;
use crate::lane::WhenFull;
use crate::paced::Pace;
use crate::source::Opener;
use crate::status::StatusBoard;
use crate::tier::TierDial;

/// Where a session runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionMode {
    /// On a thread of its own. The service.
    Thread,
    /// On the supervisor's arbiter, in (virtual) time. Tests with sources that never block.
    Inline,
}

/// Capacities of a stream's lanes, and what happens when they are full.
#[derive(Clone, Copy, Debug)]
pub struct LaneSizes {
    /// Pictures that may wait.
    pub picture: NonZeroUsize,
    /// Blocks of sound that may wait.
    pub sound: NonZeroUsize,
    /// Reports of the demuxer that may wait.
    pub input: NonZeroUsize,
    /// The policy.
    pub when_full: WhenFull,
}

impl Default for LaneSizes {
    fn default() -> Self {
        let places = |count| NonZeroUsize::new(count).expect("the constants are above zero");
        // Two seconds of 25 pictures and of 20 ms blocks.
        Self { picture: places(50), sound: places(100), input: places(32), when_full: WhenFull::DropOldest }
    }
}

/// A stream as the engine runs it.
#[derive(Clone)]
pub struct StreamSetup {
    /// What events say of it.
    pub card: Arc<StreamCard>,
    /// Opens it.
    pub opener: Arc<dyn Opener>,
    /// Its detectors.
    pub specs: Arc<Vec<Arc<DetectorSpec>>>,
    /// How fast its items may come.
    pub pace: Pace,
    /// Its lanes.
    pub lanes: LaneSizes,
    /// How much of it should be looked at; its opener's sessions follow.
    pub dial: Arc<TierDial>,
    /// Who is shed last under load: 9 before 0.
    pub priority: u8,
    /// Where its sessions run.
    pub mode: SessionMode,
}

/// What all streams of a node share.
#[derive(Clone)]
pub struct Engine {
    /// Where detector actors live.
    pub arbiters: Arc<Arbiters>,
    /// Who may open, when.
    pub bucket: Arc<ConnectBucket>,
    /// Where changes go.
    pub desk: DeskHandle,
    /// Where status is published.
    pub board: Arc<StatusBoard>,
}
