//! What decoding some pictures of real clips unfiltered changes in what is measured, and what it must not.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use avwatch_actors::frame::VideoFrame;

use super::spec::Deblocking;
use super::test_media::{clip, hear, spec, without_packets};
use crate::measure::MeasurePlan;

/// Shows the first picture throughout.
const STILL: &str = "loop=loop=99:size=1:start=0,setpts=N/25/TB";

/// Four seconds, changed by a filter; two of three pictures are referred to by no other.
fn film(extension: &str, filter: &str) -> PathBuf {
    let coded = "-c:v libx264 -preset veryfast -b:v 400k -x264-params keyint=25:bframes=2:b-adapt=0:b-pyramid=none";
    clip(extension, &format!("-f lavfi -i mandelbrot=s=640x360:r=25 -vf {filter} -frames:v 100 {coded}"))
}

fn pictures(path: &Path, deblocking: Deblocking) -> Vec<Arc<VideoFrame>> {
    let mut spec = spec(path);
    spec.measure = MeasurePlan { luma: true, chroma: true, motion: true, ..MeasurePlan::STRUCTURE };
    spec.deblocking = deblocking;
    hear(spec).video
}

fn left_out(pictures: &[Arc<VideoFrame>]) -> usize {
    pictures.iter().filter(|frame| !frame.facts.seams.measured).count()
}

#[test]
fn only_pictures_that_no_other_refers_to_differ_and_hardly() {
    for extension in ["ts", "mp4"] {
        let path = film(extension, "null");
        let (all, some) = (pictures(&path, Deblocking::All), pictures(&path, Deblocking::References));
        assert_eq!((all.len(), some.len(), left_out(&all)), (100, 100, 0));
        assert!((50..=66).contains(&left_out(&some)), "{} of {extension}", left_out(&some));
        let mut differ = 0;
        for (whole, other) in all.iter().zip(&some) {
            let (whole, other) = (&whole.facts, &other.facts);
            assert_eq!(whole.seams.measured, whole.sharpness.measured);
            assert_eq!(other.seams.measured, other.sharpness.measured);
            let apart = (whole.luma.mean - other.luma.mean).abs().max((whole.luma.sigma - other.luma.sigma).abs());
            if other.seams.measured {
                // Filtered, and nothing unfiltered went into it.
                assert_eq!((apart, whole.chroma, whole.sharpness), (0.0, other.chroma, other.sharpness));
            } else {
                assert!(apart < 0.5, "{apart} levels");
                differ += usize::from(apart > 0.0);
            }
        }
        assert!(differ > 0, "they were really not filtered");
    }
}

#[test]
fn what_is_told_of_movement_flashes_and_fields_hardly_differs() {
    for (extension, filter) in [("ts", "null"), ("mp4", STILL)] {
        let path = film(extension, filter);
        let mut still = 0;
        let (all, some) = (pictures(&path, Deblocking::All), pictures(&path, Deblocking::References));
        for (number, (whole, other)) in all.iter().zip(&some).enumerate() {
            let (whole, other) = (&whole.facts, &other.facts);
            let what = format!("{extension} {number}");
            let near = |one: f32, other: f32, most: f32| assert!((one - other).abs() <= most, "{what}: {one} {other}");
            let (motion, moved) = (&whole.motion, &other.motion);
            assert_eq!((motion.compared, motion.identical), (moved.compared, moved.identical), "{what}");
            near(motion.difference, moved.difference, 0.05);
            // That of a single cell, where edges as sharp as can be move.
            near(motion.largest, moved.largest, if filter == STILL { 0.5 } else { 10.0 });
            near(motion.active_cells.into(), moved.active_cells.into(), f32::from(motion.cells) * 0.01);
            near(whole.flash.up_share, other.flash.up_share, 0.005);
            near(whole.flash.down_share, other.flash.down_share, 0.005);
            near(whole.gamut.rgb_share, other.gamut.rgb_share, 0.005);
            near(whole.fields.moving_share, other.fields.moving_share, 0.01);
            near(whole.fields.combed_share, other.fields.combed_share, 0.05);
            still += usize::from(motion.compared && motion.difference < 0.5);
        }
        assert_eq!(still > 50, filter == STILL, "{extension}: {still}");
    }
}

#[test]
fn from_damage_on_every_picture_is_filtered_and_looked_at() {
    // In a picture that others refer to.
    let pictures = pictures(&without_packets(&film("ts", "null"), 38, 1..4), Deblocking::References);
    let first = pictures.iter().position(|frame| frame.facts.signs.damaged).expect("damage is seen");
    assert!(left_out(&pictures[..first]) > first / 2, "{} of {first}", left_out(&pictures[..first]));
    // Those that the decoder had already when it came out are as they are.
    assert_eq!(left_out(&pictures[first + 4..]), 0);
}
