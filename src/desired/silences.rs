//! Silences and maintenance as they are kept.

use std::time::SystemTime;

use avwatch_actors::event::Wall;
use avwatch_actors::silence::Silence;

use crate::desired::{Change, Desired, DesiredError, Expect, Kind};

impl Desired {
    /// Every silence and maintenance that is in force or planned; those that are over are removed.
    pub fn silences(&self) -> Result<Vec<Silence>, DesiredError> {
        let now = Wall(SystemTime::now());
        let (mut silences, mut over) = (Vec::new(), Vec::new());
        for object in self.all(Kind::Silence)? {
            match serde_json::from_str::<Silence>(&object.json) {
                Ok(silence) if now < silence.until => silences.push(silence),
                Ok(_) => over.push(Change::Remove { name: object.name, expect: Expect::Anything }),
                Err(error) => tracing::error!(silence = object.name, "a silence cannot be read: {error}"),
            }
        }
        if !over.is_empty() {
            self.apply(Kind::Silence, &over)?;
        }
        silences.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(silences)
    }
}
