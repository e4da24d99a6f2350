//! The texture: one seamless picture that every synthetic stream shares, and a tile of noise.
//!
//! Made once per process, 1.6 MiB for all streams together. Moving a window over it costs a copy per
//! picture instead of a computation per pixel. Levels stay within 40–215 and chroma within 128 ± 40;
//! far corners of the colour cube are rare enough (a test says how rare) to pass any gamut check.

use std::sync::OnceLock;

/// Width and height of the luma, a power of two; chroma has half of it.
pub(super) const SIDE: usize = 1_024;
const CHROMA_SIDE: usize = SIDE / 2;
/// Bytes of the noise tile; any window of [`NOISE_WINDOW`] bytes can be read from its first part.
const NOISE_LEN: usize = 128 << 10;
/// Longest run of noise that is asked for: the widest row.
const NOISE_WINDOW: usize = 4_096;

/// Seamless planes in 4:2:0 and noise of −2 to 2, shifted to be unsigned.
pub(super) struct Texture {
    luma: Vec<u8>,
    chroma: [Vec<u8>; 2],
    noise: Vec<u8>,
}

impl Texture {
    /// The texture of this process; the first caller makes it, in about 10 ms.
    pub(super) fn shared() -> &'static Self {
        static SHARED: OnceLock<Texture> = OnceLock::new();
        SHARED.get_or_init(Self::make)
    }

    /// A row of luma, [`SIDE`] long.
    pub(super) fn luma_row(&self, y: usize) -> &[u8] {
        &self.luma[(y % SIDE) * SIDE..][..SIDE]
    }

    /// A row of Cb (0) or Cr (1), half as long.
    pub(super) fn chroma_row(&self, plane: usize, y: usize) -> &[u8] {
        &self.chroma[plane][(y % CHROMA_SIDE) * CHROMA_SIDE..][..CHROMA_SIDE]
    }

    /// Noise of that length, different for every value of `dice`.
    pub(super) fn noise(&self, dice: u64, len: usize) -> &[u8] {
        let start = dice as usize % (NOISE_LEN - NOISE_WINDOW);
        &self.noise[start..start + len]
    }

    fn make() -> Self {
        let mut dice = fastrand::Rng::with_seed(0x7e57_7e57);
        // Broad waves make the light and shade, fine ones the detail that has contours to be sharp.
        let broad = Waves::new(&mut dice, &[1, 1, 2, 2, 3], 15.0);
        let middle = Waves::new(&mut dice, &[7, 9, 11, 14], 5.0);
        let fine = Waves::new(&mut dice, &[61, 83, 101, 127, 149, 173], 2.5);
        let grain: Vec<f32> = (0..SIDE * SIDE).map(|_| dice.f32() * 10.0 - 5.0).collect();
        let mut luma = vec![0; SIDE * SIDE];
        for y in 0..SIDE {
            for x in 0..SIDE {
                let waves = broad.at(x, y) + middle.at(x, y) + fine.at(x, y);
                // Neighbouring grains are blended so that the detail is not mere noise.
                let at = |dx: usize, dy: usize| grain[((y + dy) % SIDE) * SIDE + (x + dx) % SIDE];
                let detail = at(0, 0) + at(1, 0) + at(0, 1) + at(1, 1);
                luma[y * SIDE + x] = (120.0 + waves + detail).clamp(40.0, 215.0) as u8;
            }
        }
        let chroma = [0, 1].map(|_| {
            let waves = Waves::new(&mut dice, &[1, 2, 2, 3, 6], 8.0);
            let cells = (0..CHROMA_SIDE * CHROMA_SIDE).map(|index| {
                let (x, y) = (index % CHROMA_SIDE, index / CHROMA_SIDE);
                (128.0 + waves.at(2 * x, 2 * y)).clamp(88.0, 168.0) as u8
            });
            cells.collect()
        });
        let noise = (0..NOISE_LEN).map(|_| dice.u8(0..5)).collect();
        Self { luma, chroma, noise }
    }
}

/// A sum of sine waves that repeat after [`SIDE`] in both directions.
struct Waves {
    waves: Vec<(usize, usize, usize)>,
    table: Vec<f32>,
}

impl Waves {
    /// Waves of about those many periods per side, each of that amplitude.
    fn new(dice: &mut fastrand::Rng, periods: &[usize], amplitude: f32) -> Self {
        let table = (0..SIDE).map(|n| (n as f32 * std::f32::consts::TAU / SIDE as f32).sin() * amplitude).collect();
        let waves = periods.iter().map(|&count| {
            let across = dice.usize(0..=count);
            let down = count - across + dice.usize(0..=1);
            // Half of the waves lean the other way: minus is SIDE minus in a seamless plane.
            let down = if dice.bool() { down } else { SIDE - down };
            (across, down, dice.usize(0..SIDE))
        });
        Self { waves: waves.collect(), table }
    }

    fn at(&self, x: usize, y: usize) -> f32 {
        self.waves.iter().map(|(across, down, phase)| self.table[(across * x + down * y + phase) % SIDE]).sum()
    }
}
