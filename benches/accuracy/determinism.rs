//! Determinism: clips checked once more while the machine is overloaded must give the same bytes of
//! report.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::case::Case;
use super::kitchen::Judged;
use super::ours::{self, Built};

/// One clip in so many is checked again: the set has each detector and encoding several times.
const EACH: usize = 5;

/// Clips whose second report is another one, and how many were compared.
pub(crate) fn differing(cases: &[Case], judged: &[Result<Judged, String>], built: &Built) -> (Vec<String>, usize) {
    let cores = thread::available_parallelism().map_or(2, usize::from);
    let stop = AtomicBool::new(false);
    let compared = AtomicUsize::new(0);
    let differing = thread::scope(|scope| {
        for _ in 0..2 * cores {
            scope.spawn(|| {
                let mut burnt = 0_u64;
                while !stop.load(Ordering::Relaxed) {
                    burnt = std::hint::black_box(burnt.wrapping_mul(0x2545_f491_4f6c_dd1d).wrapping_add(1));
                }
            });
        }
        let mut differing = Vec::new();
        for (case, judged) in cases.iter().zip(judged).step_by(EACH) {
            let Ok(judged) = judged else { continue };
            compared.fetch_add(1, Ordering::Relaxed);
            match ours::bytes(&judged.made.path, case.asked.as_ref(), built) {
                Ok(bytes) if bytes == judged.report.bytes => {}
                Ok(_) => differing.push(case.name.clone()),
                Err(why) => differing.push(format!("{}: {why}", case.name)),
            }
        }
        stop.store(true, Ordering::Relaxed);
        differing
    });
    (differing, compared.into_inner())
}
