//! What measuring costs: every kernel on 1080p beside its naive twin, whole pictures, and sound
//! per 10 ms of 48 kHz stereo.
//!
//! `cargo bench --bench measure`; times are per picture, and per 10 ms of sound.

// The naive twins belong to the crate's tests; this is the only other place that needs them.
#[path = "../src/measure/naive.rs"]
mod naive;

use std::hint::black_box;

use avwatch::measure::kernels::*;
use avwatch::measure::{MeasurePlan, PictureMeasurer, SoundMeasurer};
use avwatch::media::small_picture::SmallPicture;
use avwatch::media::thumbnail::Thumbnailer;
use avwatch_actors::frame::{PictureView, Plane};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::track::ChannelRole;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime};

const WIDTH: usize = 1920;
const HEIGHT: usize = 1080;

/// Smooth content with some noise, as decoded pictures are, of that depth.
fn plane(width: usize, height: usize, depth: u32, seed: u32) -> Vec<u8> {
    let mut dice = seed;
    let mut bytes = Vec::new();
    for index in 0..width * height {
        dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (x, y) = (index % width, index / width);
        let level = 40 + (x / 9 + y / 7 + seed as usize) as u32 % 160 + (dice >> 29);
        let value = level << (depth - 8) | (dice >> 20 & ((1 << (depth - 8)) - 1));
        bytes.extend_from_slice(&(value as u16).to_le_bytes()[..if depth > 8 { 2 } else { 1 }]);
    }
    bytes
}

fn luma(group: &mut BenchmarkGroup<'_, WallTime>, depth: u32) {
    let bytes = if depth > 8 { 2 } else { 1 };
    let ceiling = ((1_u32 << depth) - 1) as u16;
    let (current, previous) = (plane(WIDTH, HEIGHT, depth, 1), plane(WIDTH, HEIGHT, depth, 2));
    let (dark, content) = (32 << (depth - 8), 56 << (depth - 8));
    let mut strips = vec![0; WIDTH / STRIP * words_per_strip(bytes)];
    let mut picture = |cpu: Cpu, levels: bool, change: bool| {
        let rows = current.chunks_exact(WIDTH * bytes).zip(previous.chunks_exact(WIDTH * bytes));
        for (y, (row, previous)) in rows.enumerate() {
            let input = RowInput { row, previous, bytes, ceiling, dark, content };
            black_box(luma_row(cpu, &input, levels, change, &mut strips));
            if y % 24 == 23 {
                strips.fill(0);
            }
        }
    };
    for (name, cpu) in [("best", Cpu::detect()), ("portable", Cpu::Portable)] {
        group.bench_function(format!("luma_{depth}bit/{name}"), |bench| bench.iter(|| picture(cpu, true, true)));
    }
    group.bench_function(format!("luma_{depth}bit/best_change_only"), |bench| {
        bench.iter(|| picture(Cpu::detect(), false, true))
    });
    let rows: Vec<_> = current.chunks_exact(WIDTH * bytes).map(|row| naive::samples(row, bytes, ceiling)).collect();
    group.bench_function(format!("luma_{depth}bit/naive"), |bench| {
        bench.iter(|| {
            for pair in rows.windows(2) {
                black_box(naive::luma_row(&pair[0], &pair[1], i64::from(dark), i64::from(content)));
            }
        })
    });
}

fn spread_and_histogram(group: &mut BenchmarkGroup<'_, WallTime>, depth: u32) {
    let bytes = if depth > 8 { 2 } else { 1 };
    let ceiling = ((1_u32 << depth) - 1) as u16;
    let current = plane(WIDTH, HEIGHT, depth, 1);
    // One chroma plane of 4:2:0, every second row.
    let rows: Vec<&[u8]> = current.chunks_exact(WIDTH / 2 * bytes).take(HEIGHT / 4).collect();
    for (name, cpu) in [("best", Cpu::detect()), ("portable", Cpu::Portable)] {
        group.bench_function(format!("spread_{depth}bit/{name}"), |bench| {
            bench.iter(|| rows.iter().for_each(|row| _ = black_box(spread_of_row(cpu, row, bytes, ceiling, &mut []))))
        });
    }
    let values: Vec<_> = rows.iter().map(|row| naive::samples(row, bytes, ceiling)).collect();
    group.bench_function(format!("spread_{depth}bit/naive"), |bench| {
        bench.iter(|| values.iter().for_each(|row| _ = black_box(naive::spread(row))))
    });
    let mut histogram = Histogram::new(depth as u8, Every::Second);
    group.bench_function(format!("histogram_{depth}bit/every_4th_row"), |bench| {
        bench.iter(|| {
            histogram.clear();
            current.chunks_exact(WIDTH * bytes).step_by(4).for_each(|row| histogram.add_row(row, 0));
            black_box(histogram.levels([10, 500, 990, 999]))
        })
    });
    let all = naive::samples(&current[..current.len() / 4], bytes, ceiling);
    group.bench_function(format!("histogram_{depth}bit/naive"), |bench| {
        bench.iter(|| black_box(naive::level(&all, 500)))
    });
}

/// So many pictures of 8 bits that the next to be looked at are in no cache, as with many streams by turns.
const COLD: usize = 24;

fn pictures(group: &mut BenchmarkGroup<'_, WallTime>, depth: u32) {
    let bytes = if depth > 8 { 2 } else { 1 };
    let planes: Vec<_> = (1..=COLD as u32)
        .map(|seed| {
            let chroma = |seed| plane(WIDTH / 2, HEIGHT / 2, depth, seed);
            [plane(WIDTH, HEIGHT, depth, 4 * seed), chroma(4 * seed + 1), chroma(4 * seed + 2)]
        })
        .collect();
    let view = |index: usize| {
        let view = |plane: usize, width: usize, height: usize| Plane {
            bytes: &planes[index][plane],
            stride: width * bytes,
            width,
            height,
        };
        let chroma = Some([1, 2].map(|plane| view(plane, WIDTH / 2, HEIGHT / 2)));
        PictureView { luma: view(0, WIDTH, HEIGHT), chroma, depth: depth as u8, full_range: false }
    };
    let views: Vec<_> = (0..COLD).map(view).collect();
    let all = MeasurePlan { luma: true, chroma: true, motion: true, black_level: 32.0, ..MeasurePlan::default() };
    let every =
        MeasurePlan { seams: true, sharpness: true, flash: true, pattern: true, gamut: true, fields: true, ..all };
    let motion = MeasurePlan { luma: false, chroma: false, ..all };
    let plans = [("all", all, 2), ("motion", motion, 2), ("every", every, 2), ("every_cold", every, COLD)];
    for (name, plan, views_used) in plans {
        let views = &views[..views_used];
        let mut measurer = PictureMeasurer::new(&plan);
        let mut count = 0;
        group.bench_function(format!("picture_{depth}bit/{name}"), |bench| {
            bench.iter(|| {
                count += 1;
                let at = MediaTime::from_millis(40 * count as i64);
                let before = count + views_used / 2;
                measurer.measure(&views[count % views_used], Some(&views[before % views_used]), at)
            })
        });
    }
}

/// A live thumbnail: made small on the session's thread, coded on another.
fn thumbnails(group: &mut BenchmarkGroup<'_, WallTime>) {
    let planes = [plane(WIDTH, HEIGHT, 8, 1), plane(WIDTH / 2, HEIGHT / 2, 8, 2), plane(WIDTH / 2, HEIGHT / 2, 8, 3)];
    let of = |place: usize, width, height| Plane { bytes: &planes[place], stride: width, width, height };
    let chroma = Some([1, 2].map(|place| of(place, WIDTH / 2, HEIGHT / 2)));
    let view = PictureView { luma: of(0, WIDTH, HEIGHT), chroma, depth: 8, full_range: false };
    group.bench_function("thumbnail/small", |bench| bench.iter(|| SmallPicture::of(black_box(&view), 1.0)));
    let small = SmallPicture::of(&view, 1.0).expect("is made");
    let mut thumbnailer = Thumbnailer::default();
    group.bench_function("thumbnail/jpeg", |bench| bench.iter(|| thumbnailer.encode(black_box(&small))));
}

fn bench_pictures(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("1080p");
    group.sample_size(20);
    for depth in [8, 10] {
        luma(&mut group, depth);
        spread_and_histogram(&mut group, depth);
        pictures(&mut group, depth);
    }
    thumbnails(&mut group);
    group.finish();
}

/// A second of a loud programme: a slowly swelling mix of tones, different on each side.
fn programme(side: usize) -> Vec<f32> {
    let tone = |index: usize, frequency: f64| (std::f64::consts::TAU * frequency * index as f64 / 48_000.0).sin();
    let sample = |index: usize| {
        let swell = 0.6 + 0.4 * tone(index, 2.0);
        (swell * (0.5 * tone(index, 440.0 + side as f64) + 0.3 * tone(index, 5_321.0) + 0.15 * tone(index, 50.0)))
            as f32
    };
    (0..48_000).map(sample).collect()
}

fn bench_sound(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("10ms_of_stereo");
    let channels = [programme(0), programme(1)];
    let hop = &channels[0][..480];
    for (name, cpu) in [("best", Cpu::detect()), ("portable", Cpu::Portable)] {
        group.bench_function(format!("hop_sums/{name}"), |bench| {
            bench.iter(|| [hop_sums(cpu, black_box(hop)), hop_sums(cpu, black_box(hop))])
        });
        group.bench_function(format!("interpolated_peak/{name}"), |bench| {
            bench.iter(|| [interpolated_peak(cpu, black_box(hop)), interpolated_peak(cpu, black_box(hop))])
        });
    }
    group.bench_function("hop_sums/naive", |bench| {
        bench.iter(|| [naive::hop(black_box(hop)), naive::hop(black_box(hop))])
    });
    group.bench_function("interpolated_peak/naive", |bench| {
        bench.iter(|| [naive::interpolated_peak(black_box(hop)), naive::interpolated_peak(black_box(hop))])
    });
    let mut run = Run::default();
    group
        .bench_function("runs/best", |bench| bench.iter(|| [run.longest(black_box(hop)), run.longest(black_box(hop))]));
    group.bench_function("runs/naive", |bench| {
        bench.iter(|| [naive::longest_run(black_box(hop)), naive::longest_run(black_box(hop))])
    });
    for (name, cpu) in [("best", Cpu::detect()), ("portable", Cpu::Portable)] {
        group.bench_function(format!("quarters/{name}"), |bench| {
            bench.iter(|| [quarters(cpu, 0.0, black_box(hop)), quarters(cpu, 0.0, black_box(hop))])
        });
        group.bench_function(format!("product_sum/{name}"), |bench| {
            bench.iter(|| product_sum(cpu, black_box(hop), black_box(&channels[1][..480])))
        });
    }
    group.bench_function("group_means", |bench| {
        bench.iter(|| group_means(black_box(hop), black_box(&channels[1][..480]), 8))
    });
    group.bench_function("quarters/naive", |bench| {
        bench.iter(|| [0, 1].map(|_| (naive::quarters(black_box(hop)), naive::slopes(0.0, black_box(hop)))))
    });
    group.bench_function("product_sum/naive", |bench| {
        bench.iter(|| naive::mean_product(black_box(hop), black_box(&channels[1][..480]), 0))
    });
    let levels = MeasurePlan { sound: true, ..MeasurePlan::default() };
    let loudness = MeasurePlan { loudness: true, ..levels };
    let peaks = MeasurePlan { true_peak: true, ..loudness };
    let plans = [
        ("levels", levels),
        ("levels_pair", MeasurePlan { pair: true, ..levels }),
        ("levels_tops", MeasurePlan { tops: true, ..levels }),
        ("levels_lulls", MeasurePlan { lulls: true, ..levels }),
        // Once a second it takes a spectrum; this is the mean.
        ("levels_mains", MeasurePlan { mains: true, ..levels }),
        ("levels_loudness", loudness),
        ("levels_loudness_peaks", peaks),
        ("all", MeasurePlan { pair: true, tops: true, lulls: true, mains: true, ..peaks }),
    ];
    for (name, plan) in plans {
        let mut measurer = SoundMeasurer::new(&plan, 48_000, &[ChannelRole::Left, ChannelRole::Right]);
        let mut count = 0;
        group.bench_function(format!("sound/{name}"), |bench| {
            bench.iter(|| {
                let from = count % 100 * 480;
                let block = [&channels[0][from..from + 480], &channels[1][from..from + 480]];
                count += 1;
                measurer.measure(MediaTime::from_millis(10 * (count as i64 - 1)), &block)
            })
        });
    }
    group.finish();
}

criterion_group!(benches, bench_pictures, bench_sound);
criterion_main!(benches);
