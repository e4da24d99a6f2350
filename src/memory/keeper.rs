//! The keeper of the heap: a thread that gives freed memory back to the system when that is worth it.
//!
//! Its own thread, because giving back takes tens of milliseconds, and seconds when arenas are held by threads that
//! are not run: no arbiter, session or request may wait for that. Nobody waits for it; it looks once a second and ends
//! by its cut.

use std::sync::Arc;
use std::time::{Duration, Instant};

use avwatch_actors::lifeline::{CutReason, Lifeline};
use avwatch_actors::worker;

use super::give_back::{GiveBack, Sight};
use crate::media::heap;
use crate::node_snapshot::resident_bytes;

/// How often it looks at its cut, and at memory.
const SLICE: Duration = Duration::from_millis(100);
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The thread, ended when this is dropped.
#[derive(Debug)]
pub struct HeapKeeper {
    line: Arc<Lifeline>,
}

impl HeapKeeper {
    /// Starts it; nothing where the heap cannot be told to give back.
    ///
    /// # Errors
    /// The system refuses the thread.
    pub fn start(is_short: impl Fn() -> bool + Send + 'static) -> std::io::Result<Option<Self>> {
        if !heap::GIVES_BACK {
            return Ok(None);
        }
        let line = Arc::<Lifeline>::default();
        let work = move |line: &Arc<Lifeline>| {
            let mut machine = GiveBack::new(Instant::now());
            let mut due = Instant::now();
            while !line.is_cut() {
                if Instant::now() < due {
                    std::thread::sleep(SLICE);
                    continue;
                }
                due = Instant::now() + LOOK_EVERY;
                look(&mut machine, is_short());
            }
        };
        worker::spawn("heap", line.clone(), work, |_| {})?;
        Ok(Some(Self { line }))
    }
}

impl Drop for HeapKeeper {
    fn drop(&mut self) {
        self.line.cut(CutReason::Stopped);
    }
}

fn look(machine: &mut GiveBack, short: bool) {
    let sight = Sight { closed: heap::decoders_closed(), resident: resident_bytes(), short };
    let Some(why) = machine.look(sight, Instant::now()) else { return };
    let begin = Instant::now();
    heap::give_back();
    let after = resident_bytes();
    machine.gave(after, Instant::now());
    let took_ms = begin.elapsed().as_secs_f64() * 1_000.0;
    tracing::info!(?why, before = sight.resident, after, took_ms, "freed memory was given back to the system");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn memory_is_given_back_on_a_thread_of_its_own_while_it_is_short() {
        let before = heap::trims();
        let keeper = HeapKeeper::start(|| true).unwrap().expect("this heap gives back");
        let until = Instant::now() + Duration::from_secs(20);
        while heap::trims() == before {
            assert!(Instant::now() < until, "nothing was given back");
            std::thread::yield_now();
        }
        let line = keeper.line.clone();
        drop(keeper);
        while line.phase() != avwatch_actors::lifeline::Phase::Done {
            assert!(Instant::now() < until, "the thread goes on");
            std::thread::yield_now();
        }
    }
}
