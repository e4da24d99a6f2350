//! The precedence table: which condition explains which other ones on the same track.
//!
//! Pure; applied by a detector group to the verdicts on one item, before any lifecycle hears them.

use crate::detector::{Precedence, Verdict};
use crate::detector_host::DetectorHost;

/// The precedence table: a condition that holds explains every later one on the same track.
pub fn overrule(hosts: &mut [DetectorHost]) {
    let explains = |precedence| !matches!(precedence, Precedence::Rest | Precedence::Apart);
    let Some(first) = hosts
        .iter()
        .filter(|host| matches!(host.verdict, Verdict::Faulty { .. }) || host.fell_while_faulty)
        .filter(|host| explains(host.spec.precedence))
        .map(|host| host.spec.precedence)
        .min()
    else {
        return;
    };
    for host in hosts {
        let later = host.spec.precedence > first && host.spec.precedence != Precedence::Apart;
        if later && matches!(host.verdict, Verdict::Faulty { .. }) {
            host.verdict = Verdict::Overruled;
        }
    }
}
