//! Files that appear beside those that are followed: where to begin in them.
//!
//! What appears is new from its first line on, unless it is a copy of a file that was read: logs are rotated by copying, too
//! (`copytruncate`). Of such a copy only what was not read of the original is new. Owned by the thread `logs`.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::tail::{Begin, Kin, Tail};

/// How long a file that may become a copy is watched while it grows, before it is read as another one.
const GROWS_FOR: Duration = Duration::from_secs(60);

/// Files that may be copies and are still watched. Bounded by the number of files that are followed at most.
#[derive(Debug, Default)]
pub(super) struct Newcomers {
    waiting: HashMap<(u64, u64), Waiting>,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    length: u64,
    since: Instant,
}

impl Newcomers {
    /// Where to begin in a file that has appeared; nothing while that cannot be told: it is empty, or still grows.
    ///
    /// # Errors
    /// It, or one that is followed, cannot be read.
    pub(super) fn begin(
        &mut self,
        path: &Path,
        identity: (u64, u64),
        tails: &[Tail],
        now: Instant,
    ) -> io::Result<Option<Begin>> {
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
        let length = file.metadata()?.len();
        if length == 0 {
            return Ok(None);
        }
        let mut kin = Kin::Stranger;
        for tail in tails {
            kin = kin.or(tail.kin(&file, length)?);
        }
        let before = self.waiting.remove(&identity);
        let known = match kin {
            Kin::Stranger => return Ok(Some(Begin::Start)),
            Kin::Copy(bytes) => return Ok(Some(Begin::At(bytes))),
            Kin::Alike(known) => known,
        };
        let since = before.map_or(now, |before| before.since);
        let grows = before.is_none_or(|before| length > before.length);
        if grows && now.saturating_duration_since(since) < GROWS_FOR {
            self.waiting.insert(identity, Waiting { length, since });
            return Ok(None);
        }
        Ok(Some(known.map_or(Begin::Start, Begin::At)))
    }

    /// Forgets files that are gone.
    pub(super) fn retain(&mut self, is_there: impl Fn(&(u64, u64)) -> bool) {
        self.waiting.retain(|identity, _| is_there(identity));
    }
}
