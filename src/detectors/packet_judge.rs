//! What detectors of the input as a whole have in common: they judge what the demuxer counted.

use avwatch_actors::detector::{Detector, Verdicts};
use avwatch_actors::item::{Item, PacketFacts};
use avwatch_actors::track::SessionInfo;

/// Judges the packets of an input, stretch by stretch.
pub(super) trait PacketJudge: Send {
    /// Looks at the next stretch.
    fn look(&mut self, facts: &PacketFacts, out: &mut Verdicts);
    /// Learns of the tracks of a session, at its begin and when they change.
    fn start(&mut self, info: &SessionInfo);
}

/// A judge as a detector.
pub(super) struct OfPackets<J>(J);

impl<J: PacketJudge + 'static> OfPackets<J> {
    /// For the input that it is of.
    pub(super) fn boxed(judge: J) -> Box<dyn Detector> {
        Box::new(Self(judge))
    }
}

impl<J: PacketJudge> Detector for OfPackets<J> {
    fn inspect(&mut self, item: &Item, out: &mut Verdicts) {
        match item {
            Item::Packets(facts) => self.0.look(facts, out),
            Item::Started(info) => self.0.start(info),
            Item::Video(_) | Item::Audio(_) | Item::Clock(_) | Item::Gap(_) | Item::Ended(_) => {}
        }
    }
}
