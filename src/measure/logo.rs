//! The logo mask: cells that stay bright and unchanged while the rest of the picture changes.
//!
//! A sample is taken of at most two pictures a second. Dark pictures teach nothing, so a title
//! card on black is never learned; nor do pictures in which hardly anything changed since the last
//! lesson, because on a still everything looks like a logo. A cell is learned when it was bright
//! and unchanged in 90 % of the lessons of about the last 10 minutes, after at least 20 of them
//! (10 s); its neighbours are masked with it, since a logo seldom ends on a cell's edge. When more
//! than 4 % of the cells qualify, nothing is masked: that is a scene and not a logo.

use avwatch_actors::media_time::MediaTime;

use super::grid::Grid;

/// Time between two samples.
const SAMPLE_EVERY: MediaTime = MediaTime::from_millis(500);
/// Lessons in one bucket: a minute of them.
const LESSONS_PER_BUCKET: u8 = 120;
/// Buckets that are remembered: 10 minutes.
const BUCKETS: usize = 10;
/// Lessons before anything is masked: 10 s of them.
const LESSONS_MIN: u16 = 20;
/// Share of lessons in which a logo's cell was bright and unchanged.
const LEARNED_SHARE: f64 = 0.9;
/// Largest part of the cells that may be masked.
const MASKED_SHARE_MAX: f64 = 0.04;
/// Change of a cell's mean level that counts as a change.
const CHANGED_ABOVE: f32 = 8.0;
/// A picture teaches when one cell in so many has changed.
const CHANGED_ONE_IN: usize = 8;

/// Learns which cells hold a logo.
#[derive(Default)]
pub(super) struct LogoMemory {
    sampled_at: Option<MediaTime>,
    /// Cell means of the last lesson.
    lesson: Vec<f32>,
    /// Per bucket and cell, the lessons in which it was bright and unchanged.
    hits: Vec<u8>,
    /// The same of all buckets together.
    hits_total: Vec<u16>,
    lessons: [u8; BUCKETS],
    bucket: usize,
    mask: Vec<bool>,
    masked: bool,
}

impl LogoMemory {
    /// Content pixels inside masked cells.
    pub(super) fn logo_pixels(&self, content: &[u32]) -> u32 {
        if !self.masked {
            return 0;
        }
        content.iter().zip(&self.mask).filter(|(_, masked)| **masked).map(|(pixels, _)| pixels).sum()
    }

    /// True when a picture of that time would be looked at.
    pub(super) fn is_due(&self, at: MediaTime) -> bool {
        self.sampled_at.is_none_or(|sampled_at| at.distance(sampled_at) >= SAMPLE_EVERY)
    }

    /// Looks at a picture that is not dark: mean levels and content pixels of its cells.
    pub(super) fn look(&mut self, at: MediaTime, means: &[f32], content: &[u32], grid: &Grid) {
        self.sampled_at = Some(at);
        if self.lesson.len() != means.len() {
            self.lesson = means.to_vec();
            return;
        }
        let changed = means.iter().zip(&self.lesson).filter(|(now, then)| has_changed(**now, **then)).count();
        if changed * CHANGED_ONE_IN < means.len() {
            return;
        }
        self.learn(means, content);
        self.lesson.copy_from_slice(means);
        self.make_mask(grid);
    }

    fn learn(&mut self, means: &[f32], content: &[u32]) {
        let cells = means.len();
        self.hits.resize(cells * BUCKETS, 0);
        self.hits_total.resize(cells, 0);
        if self.lessons[self.bucket] == LESSONS_PER_BUCKET {
            self.bucket = (self.bucket + 1) % BUCKETS;
            self.lessons[self.bucket] = 0;
            let oldest = &mut self.hits[self.bucket * cells..][..cells];
            for (total, hits) in self.hits_total.iter_mut().zip(oldest) {
                *total -= u16::from(std::mem::take(hits));
            }
        }
        self.lessons[self.bucket] += 1;
        let hits = &mut self.hits[self.bucket * cells..][..cells];
        for cell in 0..cells {
            let hit = content[cell] > 0 && !has_changed(means[cell], self.lesson[cell]);
            hits[cell] += u8::from(hit);
            self.hits_total[cell] += u16::from(hit);
        }
    }

    fn make_mask(&mut self, grid: &Grid) {
        self.masked = false;
        let lessons: u16 = self.lessons.iter().copied().map(u16::from).sum();
        if lessons < LESSONS_MIN {
            return;
        }
        let needed = (f64::from(lessons) * LEARNED_SHARE).ceil() as u16;
        let most = (grid.cells() as f64 * MASKED_SHARE_MAX) as usize;
        let learned = self.hits_total.iter().filter(|hits| **hits >= needed).count();
        if learned == 0 || learned > most {
            return;
        }
        self.mask.clear();
        self.mask.resize(grid.cells(), false);
        for cell in 0..grid.cells() {
            if self.hits_total[cell] >= needed {
                mask_around(&mut self.mask, grid, cell);
            }
        }
        if self.mask.iter().filter(|masked| **masked).count() > most {
            for (masked, hits) in self.mask.iter_mut().zip(&self.hits_total) {
                *masked = *hits >= needed;
            }
        }
        self.masked = true;
    }
}

fn has_changed(now: f32, then: f32) -> bool {
    (now - then).abs() > CHANGED_ABOVE
}

/// Masks a cell and its eight neighbours.
fn mask_around(mask: &mut [bool], grid: &Grid, cell: usize) {
    let (row, column) = (cell / grid.columns, cell % grid.columns);
    for y in row.saturating_sub(1)..=(row + 1).min(grid.rows - 1) {
        for x in column.saturating_sub(1)..=(column + 1).min(grid.columns - 1) {
            mask[y * grid.columns + x] = true;
        }
    }
}
