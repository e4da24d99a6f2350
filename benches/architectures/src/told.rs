//! What a design told of a stream, and whether two designs told the same.

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use crate::page::figures::{Fault, Planted};

/// Both designs judge the same frames with the same code: what they tell may differ by two frames at most.
const SAME_S: f64 = 0.08;

/// What is told of a planted defect begins and ends no further from it: `blur` has to see a quarter of a second
/// first to know what is usual, coding smears the others over a few frames, and damage lasts to the next key frame.
const PLANTED_S: f64 = 0.4;

/// The detector whose condition explains another's in the monolith: a black picture also stands still.
const EXPLAINS: (&str, &str) = ("black", "freeze");

/// A change of a condition as it was told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Change {
    pub(crate) detector: String,
    pub(crate) what: What,
    /// In seconds of media time.
    pub(crate) start_s: f64,
    pub(crate) end_s: Option<f64>,
}

/// What happened to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum What {
    Raised,
    Ended,
    /// It lasted a moment, and is over.
    Found,
}

/// The conditions of a stream, from its changes with the time at which each was told.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    open: Vec<Fault>,
    pub(crate) faults: Vec<Fault>,
}

impl Heard {
    /// Takes in a change that was told at a time since the stream's begin.
    pub(crate) fn take(&mut self, change: &Change, told_s: f64) {
        let (start_s, end_s) = (change.start_s, change.end_s.unwrap_or(change.start_s));
        let detector = change.detector.clone();
        match change.what {
            What::Raised => self.open.push(Fault { detector, start_s, end_s, told_s }),
            What::Found => self.faults.push(Fault { detector, start_s, end_s, told_s }),
            What::Ended => {
                // One that ends without having been raised stays away, and is missed.
                if let Some(place) = self.open.iter().position(|fault| fault.detector == detector) {
                    let raised = self.open.swap_remove(place);
                    self.faults.push(Fault { start_s, end_s, ..raised });
                }
            }
        }
    }

    /// In the order of their begin.
    pub(crate) fn sorted(mut self) -> Vec<Fault> {
        self.faults.sort_by(|one, other| one.start_s.total_cmp(&other.start_s));
        self.faults
    }
}

/// The fault that tells a planted defect.
pub(crate) fn of<'a>(planted: &Planted, faults: &'a [Fault]) -> Option<&'a Fault> {
    faults.iter().find(|fault| {
        fault.detector == planted.detector
            && (fault.start_s - planted.start_s).abs() <= PLANTED_S
            && (fault.end_s - planted.end_s).abs() <= PLANTED_S
    })
}

fn is_same(one: &Fault, other: &Fault) -> bool {
    one.detector == other.detector
        && (one.start_s - other.start_s).abs() <= SAME_S
        && (one.end_s - other.end_s).abs() <= SAME_S
}

/// Whether the monolith leaves a fault out because it tells what explains it.
pub(crate) fn is_explained(fault: &Fault, faults: &[Fault]) -> bool {
    let (cause, effect) = EXPLAINS;
    fault.detector == effect
        && faults.iter().any(|other| {
            other.detector == cause && other.start_s <= fault.start_s + SAME_S && fault.end_s <= other.end_s + SAME_S
        })
}

/// Both must have told every planted defect and, but for what is explained, the same: else their costs
/// say nothing.
pub(crate) fn compare(planted: &[Planted], distributed: &[Fault], monolith: &[Fault]) -> Result<()> {
    let mut wrong = Vec::new();
    for (design, faults) in [("the distributed design", distributed), ("the monolith", monolith)] {
        for defect in planted.iter().filter(|defect| of(defect, faults).is_none()) {
            wrong.push(format!("{design} missed {} at {} s", defect.detector, defect.start_s));
        }
    }
    for fault in monolith.iter().filter(|fault| !distributed.iter().any(|other| is_same(fault, other))) {
        wrong.push(format!("only the monolith told {} at {} s", fault.detector, fault.start_s));
    }
    for fault in distributed.iter().filter(|fault| !monolith.iter().any(|other| is_same(fault, other))) {
        if !is_explained(fault, distributed) {
            wrong.push(format!("only the distributed design told {} at {} s", fault.detector, fault.start_s));
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    bail!("the designs did not tell the same: {}\n{distributed:?}\n{monolith:?}", wrong.join("; "))
}
