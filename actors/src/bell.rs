//! The bell: tells a detector actor that its lane holds something, with at most one nudge pending.

use std::sync::atomic::{AtomicBool, Ordering};

use actix::prelude::*;

/// The message behind a ring: look into your lane.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Nudge;

/// Rings an actor. Shared by the session's thread, which rings, and the actor, which answers.
pub struct Bell {
    pending: AtomicBool,
    actor: Recipient<Nudge>,
}

impl Bell {
    /// A bell for that actor.
    pub fn new(actor: Recipient<Nudge>) -> Self {
        Self { pending: AtomicBool::new(false), actor }
    }

    /// Nudges the actor unless a nudge is under way.
    pub fn ring(&self) {
        // One read-modify-write: of two rings at once exactly one sends.
        if !self.pending.swap(true, Ordering::AcqRel) {
            self.actor.do_send(Nudge);
        }
    }

    /// Called by the actor *before* it drains, so that what comes during the drain rings anew.
    pub fn answer(&self) {
        // A swap, not a store: it must see every item offered before the ring that it answers.
        self.pending.swap(false, Ordering::AcqRel);
    }
}

impl std::fmt::Debug for Bell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bell").field("pending", &self.pending).finish_non_exhaustive()
    }
}
