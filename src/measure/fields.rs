//! The two fields of a picture, where it moves: combing, and which field comes first.
//!
//! Lines of a progressive picture resemble their neighbours more than the lines beyond; where two
//! fields of different times are woven together and something moves, it is the other way round. And
//! the field that comes first fits between the lines that the previous picture's *other* field left,
//! since only one field's time lies between them (FFmpeg's `idet` compares the same lines). Every
//! fourth picture is looked at, in blocks of 16 × 4 pixels on every 16th row.
//!
//! Thin lines comb as well: a title of one line in height differs more from its neighbours than from the lines
//! beyond. Two things tell them apart. Where they roll up or down, the picture before has the same a line or two
//! higher or lower. And in a picture of two fields, a line fits between its neighbours no better than between those of
//! the other field before, which are as far from it in time; in a whole picture it fits better.

use avwatch_actors::frame::{FieldFacts, Plane};

use super::kernels::{BLOCK, block_difference};

/// Pictures from one measurement to the next.
const PICTURE_STEP: usize = 4;
/// Distance of the blocks' first rows.
const ROW_STEP: usize = 16;
/// Mean absolute change of a block since the previous picture, in code values, that is movement.
const MOVING_ABOVE: u32 = 8;
/// A block is combed when neighbouring lines differ by this much more than lines of one field: 1.2, in tenths …
const COMBED_TENTHS: u32 = 12;
/// … and by at least this much on average, in code values.
const COMBED_MIN: u32 = 5;

/// A block is the one before, moved up or down, when it differs from that by less than this part of its change.
const SHIFTED_PART: u32 = 2;
/// How many lines that is looked for: rolling titles move by one or two lines a picture.
const SHIFT_MAX: usize = 2;

/// Four lines of a block in this picture and the one before, the first of which is a top line.
struct Block<'a> {
    now: [&'a [u8; BLOCK]; 4],
    before: [&'a [u8; BLOCK]; 4],
}

/// Measures the picture of that number against the one before, if it is its turn. 8-bit rows only;
/// `scale` is levels per code value.
///
/// `rows` is asked for four rows at a time, and hands those of both pictures to what it is given.
pub(super) fn measure(
    luma: &Plane<'_>,
    number: usize,
    scale: f64,
    mut rows: impl FnMut(usize, &mut dyn FnMut([&[u8]; 4], [&[u8]; 4])),
) -> FieldFacts {
    if !number.is_multiple_of(PICTURE_STEP) || luma.height < ROW_STEP || luma.width < BLOCK {
        return FieldFacts::default();
    }
    let mut sums = Sums::default();
    for y in (ROW_STEP / 2..luma.height - 4).step_by(ROW_STEP) {
        rows(y, &mut |now, before| sums.add(now, before));
    }
    let Sums { all, moving, combed, over_moving, over_combed } = sums;
    // A misfit is doubled, of 16 pixels in one line.
    let misfit = |sum: u64, blocks: u32| (sum as f64 / f64::from(2 * BLOCK as u32 * blocks.max(1)) * scale) as f32;
    FieldFacts {
        measured: true,
        moving_share: moving as f32 / all.max(1) as f32,
        combed_share: combed as f32 / moving.max(1) as f32,
        top_misfit: misfit(over_moving.top, moving),
        bottom_misfit: misfit(over_moving.bottom, moving),
        // Of two lines.
        own_misfit: misfit(over_moving.own, 2 * moving),
        combed_top_misfit: misfit(over_combed.top, combed),
        combed_bottom_misfit: misfit(over_combed.bottom, combed),
    }
}

/// What the blocks of a picture add up to.
#[derive(Clone, Copy, Default)]
struct Sums {
    all: u32,
    moving: u32,
    combed: u32,
    over_moving: Misfits,
    over_combed: Misfits,
}

/// How badly lines fit between others: a top and a bottom line between those of the picture before, and the middle
/// lines between their own neighbours.
#[derive(Clone, Copy, Default)]
struct Misfits {
    top: u64,
    bottom: u64,
    own: u64,
}

impl Misfits {
    fn add(&mut self, more: Self) {
        self.top += more.top;
        self.bottom += more.bottom;
        self.own += more.own;
    }
}

impl Sums {
    /// Adds the blocks of four rows.
    fn add(&mut self, now: [&[u8]; 4], before: [&[u8]; 4]) {
        let (now, before) = (now.map(blocks_of), before.map(blocks_of));
        for n in 0..now[0].len() {
            let block = Block { now: now.map(|row| &row[n]), before: before.map(|row| &row[n]) };
            self.all += 1;
            if block.change() <= MOVING_ABOVE * 2 * BLOCK as u32 {
                continue;
            }
            self.moving += 1;
            let misfits = block.misfits();
            self.over_moving.add(misfits);
            if block.is_combed() && !block.is_shifted() {
                self.combed += 1;
                self.over_combed.add(misfits);
            }
        }
    }
}

impl Block<'_> {
    /// Change of the middle lines since the picture before.
    fn change(&self) -> u32 {
        block_difference(self.now[1], self.before[1]) + block_difference(self.now[2], self.before[2])
    }

    /// True when neighbouring lines differ by more than lines of one field.
    fn is_combed(&self) -> bool {
        let [first, second, third, fourth] = self.now;
        let near = block_difference(first, second) + block_difference(second, third);
        let far = block_difference(first, third) + block_difference(second, fourth);
        near * 10 > far * COMBED_TENTHS && near > COMBED_MIN * 2 * BLOCK as u32
    }

    /// True when these are the lines of the picture before, moved up or down.
    fn is_shifted(&self) -> bool {
        let Self { now, before } = self;
        let apart = |now: &[&[u8; BLOCK]], before: &[&[u8; BLOCK]]| {
            now.iter().zip(before).map(|(now, before)| block_difference(now, before)).sum::<u32>()
        };
        let change = apart(now, before);
        (1..=SHIFT_MAX).any(|lines| {
            let rest = (now.len() - lines) as u32;
            // Means of as many lines as there are in each.
            let part = |sum: u32| sum * SHIFTED_PART * now.len() as u32 <= change * rest;
            part(apart(&now[lines..], before)) || part(apart(now, &before[lines..]))
        })
    }

    fn misfits(&self) -> Misfits {
        let Self { now, before } = self;
        Misfits {
            top: u64::from(misfit(before[1], now[2], before[3])),
            bottom: u64::from(misfit(before[0], now[1], before[2])),
            own: u64::from(misfit(now[0], now[1], now[2]) + misfit(now[1], now[2], now[3])),
        }
    }
}

/// The blocks of a row; what is left over at its end is in none.
fn blocks_of(row: &[u8]) -> &[[u8; BLOCK]] {
    row.as_chunks().0
}

/// The sum of |a + c − 2b|: how badly a line fits between two others.
fn misfit(above: &[u8; BLOCK], line: &[u8; BLOCK], below: &[u8; BLOCK]) -> u32 {
    let parts = above.iter().zip(below).zip(line);
    parts.map(|((a, c), b)| (i32::from(*a) + i32::from(*c) - 2 * i32::from(*b)).unsigned_abs()).sum()
}
