//! Lulls: runs of equal samples near zero, with the sound on either side of them.
//!
//! Lost blocks are replaced by zeros, which no programme holds for a millisecond in the middle of
//! sound. Whether it was the middle of sound is for the detector to judge; here the levels before and
//! after are measured. Owned by the sound measurer, one per channel; may never judge.

use avwatch_actors::frame::Lull;

/// Equal samples at a higher magnitude are held, not lost: they may be a synthesiser or a clipped top.
const ZERO: f32 = 0.001;

/// Follows the runs of one channel.
pub(super) struct LullTracker {
    /// Samples of 1 ms, 2 ms and 20 ms.
    least: usize,
    edge: usize,
    span: usize,
    /// The last samples before the hop, then the hop.
    samples: Vec<f32>,
    per_ms: f32,
    /// Samples of the run that lasts now.
    run: u64,
    /// The sound before it, once it is long enough.
    opening: Option<Opening>,
    /// A run that ended, and how many samples ago at the end of the hop.
    ended: Option<Ended>,
}

#[derive(Clone, Copy)]
struct Opening {
    before: f32,
    earlier: f32,
    alive: usize,
}

#[derive(Clone, Copy)]
struct Ended {
    opening: Opening,
    lasts: u64,
    /// Where the sound goes on, counted from the begin of the samples kept.
    at: usize,
}

impl LullTracker {
    pub(super) fn new(sample_rate: u32) -> Self {
        let millis = |count: usize| (count * sample_rate as usize / 1_000).max(2);
        let (least, edge, span) = (millis(1), millis(2), millis(20));
        let per_ms = sample_rate as f32 / 1_000.0;
        Self { least, edge, span, samples: Vec::new(), per_ms, run: 0, opening: None, ended: None }
    }

    /// Takes the samples of a hop. `longest` is the longest run of equal samples that any of them
    /// belongs to: without a long one there is nothing to look for.
    pub(super) fn add(&mut self, samples: &[f32], longest: u16) -> Lull {
        let kept = self.samples.len();
        self.samples.extend_from_slice(samples);
        let mut lull = Lull::default();
        if usize::from(longest) >= self.least || self.run as usize >= self.least || self.ended.is_some() {
            for at in kept..self.samples.len() {
                self.step(at, kept, &mut lull);
            }
        } else {
            self.skip_to_last_run();
        }
        let keep = self.span + self.least + self.edge;
        let surplus = self.samples.len().saturating_sub(keep);
        self.samples.drain(..surplus);
        if let Some(ended) = &mut self.ended {
            ended.at = ended.at.saturating_sub(surplus);
        }
        lull
    }

    /// No run was long: only the one at the end can become so.
    fn skip_to_last_run(&mut self) {
        let Some(last) = self.samples.last() else { return };
        self.run = self.samples.iter().rev().take_while(|sample| *sample == last).count() as u64;
        self.opening = None;
    }

    fn step(&mut self, at: usize, hop: usize, lull: &mut Lull) {
        let sample = self.samples[at];
        let goes_on = at > 0 && self.samples[at - 1] == sample;
        if goes_on {
            self.run += 1;
            if self.run as usize == self.least {
                self.opening = self.open(at + 1 - self.least).filter(|_| sample.abs() <= ZERO);
            }
        } else {
            if let Some(opening) = self.opening.take() {
                self.ended = Some(Ended { opening, lasts: self.run, at });
            }
            self.run = 1;
        }
        if let Some(ended) = self.ended
            && at + 1 - ended.at >= self.edge
        {
            self.ended = None;
            let found = self.close(&ended, hop);
            if found.lasts_ms > lull.lasts_ms {
                *lull = found;
            }
        }
    }

    /// Measures the sound before a run that begins there; none if too little of it was heard.
    fn open(&self, from: usize) -> Option<Opening> {
        let earlier = self.samples.get(from.checked_sub(self.span)?..from)?;
        let before = &earlier[earlier.len() - self.edge..];
        Some(Opening { before: rms(before), earlier: rms(earlier), alive: changes(before) })
    }

    fn close(&self, ended: &Ended, hop: usize) -> Lull {
        let after = &self.samples[ended.at..ended.at + self.edge];
        Lull {
            lasts_ms: ended.lasts as f32 / self.per_ms,
            ended_ms: (ended.at as f32 - hop as f32) / self.per_ms,
            before: ended.opening.before,
            earlier: ended.opening.earlier,
            after: rms(after),
            alive: (ended.opening.alive + changes(after)) as f32 / (2 * (self.edge - 1)) as f32,
        }
    }
}

fn rms(samples: &[f32]) -> f32 {
    let squares: f64 = samples.iter().map(|sample| f64::from(*sample) * f64::from(*sample)).sum();
    (squares / samples.len() as f64).sqrt().min(f64::from(f32::MAX)) as f32
}

fn changes(samples: &[f32]) -> usize {
    samples.windows(2).filter(|pair| pair[0] != pair[1]).count()
}
