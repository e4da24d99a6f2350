//! Moving pictures: a textured background that drifts, textured objects that cross it, fine noise.
//!
//! A picture depends on the seed and its number only. Owned by one source, on its session's thread;
//! buffers are reused as soon as nobody holds them, so a steady state allocates nothing.

use std::sync::Arc;

use avwatch_actors::frame::{Picture, PictureView, Plane};

use super::recipe::Recipe;
use super::texture::{SIDE, Texture};

/// Most buffers that a source keeps for reuse; pictures beyond are freed by their last holder.
const POOL_MAX: usize = 8;
/// Objects that cross the picture.
const OBJECTS: usize = 7;

/// A picture in 4:2:0, 8 bit, limited range; planes without padding.
#[derive(Clone)]
pub(super) struct YuvPicture {
    width: usize,
    height: usize,
    luma: Vec<u8>,
    chroma: [Vec<u8>; 2],
}

impl YuvPicture {
    /// A picture of one colour.
    pub(super) fn filled(width: usize, height: usize, colour: [u8; 3]) -> Self {
        let chroma_len = width / 2 * (height / 2);
        let chroma = [vec![colour[1]; chroma_len], vec![colour[2]; chroma_len]];
        Self { width, height, luma: vec![colour[0]; width * height], chroma }
    }

    /// Fills a rectangle of whole chroma samples: columns `from` to `to`, every row.
    pub(super) fn fill_columns(&mut self, from: usize, to: usize, colour: [u8; 3]) {
        for row in self.luma.chunks_exact_mut(self.width) {
            row[from..to].fill(colour[0]);
        }
        for (plane, level) in self.chroma.iter_mut().zip(&colour[1..]) {
            for row in plane.chunks_exact_mut(self.width / 2) {
                row[from / 2..to / 2].fill(*level);
            }
        }
    }

    /// Luma, Cb, Cr with the width of their rows.
    pub(super) fn planes(&self) -> [(&[u8], usize); 3] {
        [(&self.luma, self.width), (&self.chroma[0], self.width / 2), (&self.chroma[1], self.width / 2)]
    }
}

impl Picture for YuvPicture {
    fn view(&self) -> PictureView<'_> {
        let plane = |bytes, shift: usize| Plane {
            bytes,
            stride: self.width >> shift,
            width: self.width >> shift,
            height: self.height >> shift,
        };
        let chroma = [plane(&self.chroma[0][..], 1), plane(&self.chroma[1][..], 1)];
        PictureView { luma: plane(&self.luma, 0), chroma: Some(chroma), depth: 8, full_range: false }
    }
}

/// Makes the pictures of one stream.
pub(super) struct PictureMaker {
    width: usize,
    height: usize,
    seed: u64,
    texture: &'static Texture,
    objects: [Object; OBJECTS],
    /// Drift of the background in 1/256 pixel per picture, across and down.
    drift: (i64, i64),
    pool: Vec<Arc<YuvPicture>>,
}

/// An ellipse with a texture of its own that crosses the picture again and again.
#[derive(Clone, Copy)]
struct Object {
    radius: (i64, i64),
    start: (i64, i64),
    /// In 1/256 pixel per picture.
    speed: (i64, i64),
    /// Where in the texture its look comes from.
    look: (usize, usize),
    /// Dark is light and light is dark, so that it stands out from the background.
    negative: bool,
}

impl PictureMaker {
    /// Makes the maker for a recipe.
    pub(super) fn new(recipe: &Recipe) -> Self {
        let (width, height) = (recipe.width as usize, recipe.height as usize);
        let mut dice = fastrand::Rng::with_seed(recipe.seed ^ 0x5eed_0001);
        // Speed is meant per second, but never so slow per picture that it seems to stand.
        let per_picture = width as f64 * 256.0 / recipe.fps.as_f64();
        let mut speed = |share: f64, least: i64| {
            let size = ((per_picture * share * (0.8 + 0.4 * dice.f64())) as i64).max(least);
            if dice.bool() { size } else { -size }
        };
        let drift = (speed(0.025, 160), speed(0.008, 60));
        let mut objects =
            [Object { radius: (0, 0), start: (0, 0), speed: (0, 0), look: (0, 0), negative: false }; OBJECTS];
        for object in &mut objects {
            object.speed = (speed(0.12, 512), speed(0.03, 128));
        }
        for (index, object) in objects.iter_mut().enumerate() {
            let share = 0.05 + 0.04 * dice.f64();
            object.radius = (((width as f64 * share) as i64).max(4), ((width as f64 * share * 0.8) as i64).max(4));
            object.start = (dice.i64(0..width as i64), dice.i64(0..height as i64));
            object.look = (dice.usize(0..SIDE), dice.usize(0..SIDE));
            object.negative = index % 2 == 0;
        }
        Self { width, height, seed: recipe.seed, texture: Texture::shared(), objects, drift, pool: Vec::new() }
    }

    /// The picture of that number.
    pub(super) fn make(&mut self, number: u64) -> Arc<YuvPicture> {
        let mut shared = self.take_buffer();
        let picture =
            Arc::get_mut(&mut shared).expect("a buffer is taken from the pool only when nobody else holds it");
        self.paint(number, picture);
        if self.pool.len() < POOL_MAX {
            self.pool.push(shared.clone());
        }
        shared
    }

    fn take_buffer(&mut self) -> Arc<YuvPicture> {
        match self.pool.iter_mut().position(|held| Arc::get_mut(held).is_some()) {
            Some(index) => self.pool.swap_remove(index),
            None => Arc::new(YuvPicture::filled(self.width, self.height, [16, 128, 128])),
        }
    }

    fn paint(&self, number: u64, picture: &mut YuvPicture) {
        let count = (number % (1 << 40)) as i64;
        let offset = |speed: i64| ((count * speed) >> 8).rem_euclid(SIDE as i64) as usize;
        let (x0, y0) = (offset(self.drift.0) + (self.seed as usize % SIDE), offset(self.drift.1));
        let mut dice = fastrand::Rng::with_seed(self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number);
        for (y, row) in picture.luma.chunks_exact_mut(self.width).enumerate() {
            let noise = self.texture.noise(dice.u64(..), row.len());
            copy_with_noise(row, self.texture.luma_row(y + y0), x0 % SIDE, noise);
        }
        for (index, plane) in picture.chroma.iter_mut().enumerate() {
            for (y, row) in plane.chunks_exact_mut(self.width / 2).enumerate() {
                copy_wrapped(row, self.texture.chroma_row(index, y + y0 / 2), (x0 / 2) % (SIDE / 2));
            }
        }
        for object in &self.objects {
            self.paint_object(object, count, &mut dice, picture);
        }
    }

    fn paint_object(&self, object: &Object, count: i64, dice: &mut fastrand::Rng, picture: &mut YuvPicture) {
        let (radius_x, radius_y) = object.radius;
        // It leaves on one side entirely before it comes in again on the other.
        let along = |start: i64, speed: i64, size: usize, radius: i64| {
            (start + ((count * speed) >> 8)).rem_euclid(size as i64 + 2 * radius) - radius
        };
        let centre_x = along(object.start.0, object.speed.0, self.width, radius_x);
        let centre_y = along(object.start.1, object.speed.1, self.height, radius_y);
        let top = (centre_y - radius_y).max(0);
        let bottom = (centre_y + radius_y).min(self.height as i64);
        for y in top..bottom {
            let down = (y - centre_y) as f32 / radius_y as f32;
            let half = ((1.0 - down * down).max(0.0).sqrt() * radius_x as f32) as i64;
            let from = (centre_x - half).clamp(0, self.width as i64) as usize & !1;
            let to = (centre_x + half).clamp(0, self.width as i64) as usize & !1;
            if from >= to {
                continue;
            }
            // The look moves along with the object: its place in the texture hangs on its centre.
            let look_x = (object.look.0 as i64 + from as i64 - centre_x).rem_euclid(SIDE as i64) as usize;
            let look_y = (object.look.1 as i64 + y - centre_y).rem_euclid(SIDE as i64) as usize;
            let row = &mut picture.luma[y as usize * self.width..][from..to];
            let noise = self.texture.noise(dice.u64(..), row.len());
            copy_with_noise(row, self.texture.luma_row(look_y), look_x, noise);
            if object.negative {
                row.iter_mut().for_each(|level| *level = 255 - *level);
            }
            if y % 2 == 0 {
                for (index, plane) in picture.chroma.iter_mut().enumerate() {
                    let row = &mut plane[y as usize / 2 * (self.width / 2)..][from / 2..to / 2];
                    // Swapped planes give it a colour that the background does not have there.
                    copy_wrapped(row, self.texture.chroma_row(1 - index, look_y / 2), look_x / 2);
                }
            }
        }
    }
}

/// Copies from a row that repeats, beginning at `start`, and adds noise.
fn copy_with_noise(to: &mut [u8], row: &[u8], start: usize, noise: &[u8]) {
    let mut done = 0;
    let mut start = start;
    while done < to.len() {
        let count = (row.len() - start).min(to.len() - done);
        let pieces = to[done..done + count].iter_mut().zip(&row[start..start + count]);
        for ((to, level), noise) in pieces.zip(&noise[done..done + count]) {
            // The texture leaves room on both sides, so this never wraps.
            *to = level.wrapping_add(*noise).wrapping_sub(2);
        }
        done += count;
        start = 0;
    }
}

/// Copies from a row that repeats, beginning at `start`.
fn copy_wrapped(to: &mut [u8], row: &[u8], start: usize) {
    let mut done = 0;
    let mut start = start;
    while done < to.len() {
        let count = (row.len() - start).min(to.len() - done);
        to[done..done + count].copy_from_slice(&row[start..start + count]);
        done += count;
        start = 0;
    }
}

#[cfg(test)]
mod tests;
