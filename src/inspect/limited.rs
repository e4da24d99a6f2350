//! Ends a source after so much media time.
//!
//! A decorator around an opener; runs on the session's thread. By the stream's own clock, so that
//! it ends at the same frame every time.

use std::sync::Arc;

use avwatch_actors::item::Item;
use avwatch_actors::lifeline::Lifeline;
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::source::{FrameSource, Opener, SourceError, SourceLimits};
use avwatch_actors::track::SessionNumber;

/// Opens a source that ends cleanly at a limit.
pub(super) struct LimitedOpener {
    pub(super) opener: Arc<dyn Opener>,
    pub(super) limit: MediaTime,
}

impl Opener for LimitedOpener {
    fn open(&self, session: SessionNumber, line: &Arc<Lifeline>) -> Result<Box<dyn FrameSource>, SourceError> {
        Ok(Box::new(Limited { source: self.opener.open(session, line)?, limit: self.limit }))
    }

    fn limits(&self) -> SourceLimits {
        self.opener.limits()
    }

    fn host(&self) -> Option<&str> {
        self.opener.host()
    }
}

struct Limited {
    source: Box<dyn FrameSource>,
    limit: MediaTime,
}

impl FrameSource for Limited {
    fn next(&mut self) -> Result<Option<Item>, SourceError> {
        loop {
            let Some(item) = self.source.next()? else { return Ok(None) };
            match &item {
                // The clock runs behind the newest frame of every track that still delivers.
                Item::Clock(at) if *at >= self.limit => return Ok(None),
                Item::Video(frame) if frame.stamp.media_time >= self.limit => {}
                Item::Audio(frame) if frame.stamp.media_time >= self.limit => {}
                _ => return Ok(Some(item)),
            }
        }
    }
}
