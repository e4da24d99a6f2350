//! The opener: from an input's specification to a session.
//!
//! Shared between the supervisor and the session threads it starts; holds nothing of a session but
//! the numbers of its tracks, so that a track keeps its number over reconnections, and where the playlists
//! of HLS have ended, so that what is over is not played again.

use std::sync::{Arc, Mutex};

use avwatch_actors::lifeline::Lifeline;
use avwatch_actors::source::{FrameSource, Opener, SourceError, SourceLimits};
use avwatch_actors::tier::TierDial;
use avwatch_actors::track::SessionNumber;

use super::heap;
use super::hls_ends::HlsEnds;
use super::packet_ring::PacketRing;
use super::select::Numbering;
use super::session::Session;
use super::spec::{Address, InputSpec};

/// Opens one input, as often as it is asked to.
pub struct MediaOpener {
    spec: Arc<InputSpec>,
    numbering: Arc<Mutex<Numbering>>,
    ends: Arc<Mutex<HlsEnds>>,
    ring: Option<Arc<PacketRing>>,
    dial: Arc<TierDial>,
}

impl MediaOpener {
    /// An opener of that input. Nothing is opened yet.
    pub fn new(spec: InputSpec) -> Self {
        let (numbering, ends) = (Arc::default(), Arc::default());
        Self { spec: Arc::new(spec), numbering, ends, ring: None, dial: Arc::default() }
    }

    /// The same, with what is read held in a ring.
    #[must_use]
    pub fn with_ring(self, ring: Option<Arc<PacketRing>>) -> Self {
        Self { ring, ..self }
    }

    /// The same, looking at as much as that dial says.
    #[must_use]
    pub fn with_dial(self, dial: Arc<TierDial>) -> Self {
        Self { dial, ..self }
    }
}

impl Opener for MediaOpener {
    fn open(&self, session: SessionNumber, line: &Arc<Lifeline>) -> Result<Box<dyn FrameSource>, SourceError> {
        let (ring, dial) = (self.ring.as_ref(), &self.dial);
        let session = Session::open(&self.spec, session, &self.numbering, &self.ends, ring, dial, line)?;
        heap::leave_mark_at_end();
        Ok(Box::new(session))
    }

    fn limits(&self) -> SourceLimits {
        self.spec.limits
    }

    fn host(&self) -> Option<&str> {
        match &self.spec.address {
            Address::Url(url) => url.host(),
            Address::File(_) | Address::Stdin | Address::Synthetic(_) => None,
        }
    }
}
