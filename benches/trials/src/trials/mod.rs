//! The trials, one file each.

mod alert_storm;
mod bombs;
mod churn;
mod give_back;
mod hangs;
mod kills;
mod log_flood;
mod mutated;
mod notifications;
mod overload;
mod panics;
mod reconnects;
mod soak;
mod stuck;

use anyhow::Result;

use crate::harness::options::Options;
use crate::harness::outcome::Outcome;

/// A trial.
pub struct Trial {
    /// Its number, which stays.
    pub id: &'static str,
    /// Its name on the command line.
    pub name: &'static str,
    /// What is done, for people.
    pub what: &'static str,
    /// Does it.
    pub run: fn(&Options) -> Result<Outcome>,
}

/// Every trial, in the order in which they run: quick ones first.
pub const ALL: &[Trial] = &[
    Trial { id: "R5", name: "hangs", what: hangs::WHAT, run: hangs::run },
    Trial { id: "R6", name: "stuck", what: stuck::WHAT, run: stuck::run },
    Trial { id: "R10", name: "panics", what: panics::WHAT, run: panics::run },
    Trial { id: "R11", name: "overload", what: overload::WHAT, run: overload::run },
    Trial { id: "R17", name: "alert-storm", what: alert_storm::WHAT, run: alert_storm::run },
    Trial { id: "R18", name: "reconnects", what: reconnects::WHAT, run: reconnects::run },
    Trial { id: "R25", name: "log-flood", what: log_flood::WHAT, run: log_flood::run },
    Trial { id: "R33", name: "bombs", what: bombs::WHAT, run: bombs::run },
    Trial { id: "R34", name: "give-back", what: give_back::WHAT, run: give_back::run },
    Trial { id: "R36", name: "send-kills", what: notifications::SEND_KILLS, run: notifications::send_kills },
    Trial { id: "R2", name: "churn", what: churn::WHAT, run: churn::run },
    Trial { id: "R3", name: "mutated", what: mutated::WHAT, run: mutated::run },
    Trial { id: "R12", name: "kills", what: kills::WHAT, run: kills::run },
    Trial { id: "R35", name: "outage", what: notifications::OUTAGE, run: notifications::outage },
    Trial { id: "R1", name: "soak", what: soak::WHAT, run: soak::run },
];
