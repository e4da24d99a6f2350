//! The four times oversampled peak of ITU-R BS.1770-5 Annex 2.

use super::Cpu;

/// Taps of each phase of the interpolator.
pub const TRUE_PEAK_TAPS: usize = 12;

/// The most by which the interpolator can exceed the largest sample in its window: the largest sum
/// of magnitudes of one phase's coefficients is 2.0225.
pub const TRUE_PEAK_GAIN_MAX: f32 = 2.023;

/// Phases 0 and 1 of the table; 3 and 2 are the same ones reversed.
#[allow(clippy::excessive_precision, reason = "as printed in the table; all of them are exact in binary")]
const PHASES: [[f32; TRUE_PEAK_TAPS]; 4] = {
    let outer = [
        0.001708984375,
        0.010986328125,
        -0.0196533203125,
        0.033203125,
        -0.0594482421875,
        0.1373291015625,
        0.97216796875,
        -0.102294921875,
        0.047607421875,
        -0.026611328125,
        0.014892578125,
        -0.00830078125,
    ];
    let inner = [
        -0.0291748046875,
        0.029296875,
        -0.0517578125,
        0.089111328125,
        -0.16650390625,
        0.465087890625,
        0.77978515625,
        -0.2003173828125,
        0.1015625,
        -0.0582275390625,
        0.0330810546875,
        -0.0189208984375,
    ];
    [outer, inner, reversed(inner), reversed(outer)]
};

const fn reversed(taps: [f32; TRUE_PEAK_TAPS]) -> [f32; TRUE_PEAK_TAPS] {
    let mut result = taps;
    let mut index = 0;
    while index < TRUE_PEAK_TAPS {
        result[index] = taps[TRUE_PEAK_TAPS - 1 - index];
        index += 1;
    }
    result
}

/// The largest magnitude between the samples: over every window of 12 neighbouring samples, that of
/// its four interpolated values. 0 when there are fewer samples.
///
/// The table is its own mirror image, so the windows may be read in time order.
pub fn interpolated_peak(cpu: Cpu, samples: &[f32]) -> f32 {
    match cpu {
        #[cfg(target_arch = "x86_64")]
        Cpu::Avx2(_) => {
            // SAFETY: `Cpu::Avx2` exists only where AVX2 was detected.
            unsafe { peak_avx2(samples) }
        }
        Cpu::Portable => peak(samples),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn peak_avx2(samples: &[f32]) -> f32 {
    peak(samples)
}

#[inline(always)]
fn peak(samples: &[f32]) -> f32 {
    const LANES: usize = 8;
    let windows = (samples.len() + 1).saturating_sub(TRUE_PEAK_TAPS);
    let mut highest = [0.0_f32; LANES];
    let mut at = 0;
    while at + LANES <= windows {
        let window = &samples[at..at + LANES + TRUE_PEAK_TAPS - 1];
        for phase in &PHASES {
            let mut sums = [0.0_f32; LANES];
            for (tap, &coefficient) in phase.iter().enumerate() {
                for lane in 0..LANES {
                    sums[lane] += coefficient * window[tap + lane];
                }
            }
            for lane in 0..LANES {
                let magnitude = sums[lane].abs();
                highest[lane] = if magnitude > highest[lane] { magnitude } else { highest[lane] };
            }
        }
        at += LANES;
    }
    for window in samples[at..].windows(TRUE_PEAK_TAPS) {
        for phase in &PHASES {
            let mut sum = 0.0;
            for (coefficient, sample) in phase.iter().zip(window) {
                sum += coefficient * sample;
            }
            highest[0] = highest[0].max(sum.abs());
        }
    }
    highest.into_iter().fold(0.0, f32::max)
}
