//! The kitchen: worker threads that make each clip, check it and run the filters on it.
//!
//! As many workers as cores. The order of the results is that of the cases, whatever finished first.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::case::{Case, Made};
use super::filters::{self, Readings};
use super::ours::{self, Built, Report};

/// A case with everything that was found out about it.
pub(crate) struct Judged {
    /// The clip.
    pub(crate) made: Made,
    /// What `check` said.
    pub(crate) report: Report,
    /// What FFmpeg's filters said.
    pub(crate) readings: Readings,
}

/// Makes and judges every case; what goes wrong is said of the case.
pub(crate) fn judge_all(cases: &[Case], built: &Built, folder: &Path) -> Vec<Result<Judged, String>> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Result<Judged, String>)>> = Mutex::new(Vec::new());
    let workers = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(index) else { break };
                    let judged = judge(case, built, folder);
                    if let Err(why) = &judged {
                        eprintln!("accuracy: {}: {why}", case.name);
                    }
                    let mut done = done.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    done.push((index, judged));
                    if done.len().is_multiple_of(20) {
                        eprintln!("accuracy: {} of {} clips", done.len(), cases.len());
                    }
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, judged)| judged).collect()
}

fn judge(case: &Case, built: &Built, folder: &Path) -> Result<Judged, String> {
    // The makers of clips, shared with the tests, panic when ffmpeg refuses a recipe.
    let made = catch_unwind(AssertUnwindSafe(|| (case.make)())).map_err(|why| {
        let words = why.downcast_ref::<String>().map_or("for no reason that is known", String::as_str);
        format!("the clip cannot be made: {words}")
    })??;
    let report = ours::check(&made.path, case.asked.as_ref(), built)?;
    let readings = filters::read(&made.path, made.seconds, folder)?;
    Ok(Judged { made, report, readings })
}
