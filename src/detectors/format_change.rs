//! Format change: codec, size, rate, sampling or the set of tracks is not what it was, or not what
//! the operator expects.
//!
//! Point events, told when a session is announced anew. On the picture and sound lanes each instance
//! speaks for its own track; on the input lane one speaks for tracks that appear or disappear. The
//! last known make-up is kept across sessions, so that a source that reconnects in another format
//! is told. A field that was unknown is learned, not told; the first announcement is told only where
//! it contradicts `expect`. Frame rates differ from 1 % on. There is no score.
//!
//! On live streams the detectors that judge the contents of a changed track raise nothing for 5 s of
//! media time: the engine sees to it by their ladders, not this detector.
//!
//! `info`; `warning` when the new state contradicts `expect`, once until it is right again.
//!
//! Source: operational practice; 1 % separates 25 from 24 and 30 from 29.97·1.01, but not 30 from
//! 29.97, which containers confuse.
//!
//! Owned by the picture, sound and input actors of a stream, on their arbiters. Sees announcements
//! only; allocates when something changed.

use std::sync::Arc;

use avwatch_actors::detector::{Detector, Finding, LaneKind, Precedence, Situation, Verdicts, Worse};
use avwatch_actors::item::Item;
use avwatch_actors::severity::Severity::{Info, Warning};
use avwatch_actors::tier::Tier;
use avwatch_actors::track::{AudioFormat, SessionInfo, TrackId, TrackInfo, TrackKind, VideoFormat};

use super::DetectorKind;
use super::table::Table;
use crate::media::spec::Expect;

/// The row.
pub(super) const KIND: DetectorKind = DetectorKind {
    number: 111,
    name: "format_change",
    summary: "Format or set of tracks changed, or is not what is expected",
    unit: "count",
    worse: Worse::Higher,
    lanes: &[LaneKind::Picture, LaneKind::Sound, LaneKind::Input],
    precedence: Precedence::Apart,
    cheapest: Tier::Transport,
    standard_ref: None,
    source: "Operational practice",
    options: &[],
    defaults: |profile| Table { live: &[(0, Info)], fast: &[(0, Info)], file: &[(0, Info)] }.defaults(profile),
    needs: |_, _| {},
    threshold: |_| None,
    class_limits: |_| None,
    applies: |track| matches!(track.track.kind, TrackKind::Video | TrackKind::Audio | TrackKind::Input),
    message: |_: &Situation| "format changed".to_owned(),
    build: |_, expect| {
        let expect = expect.clone();
        Arc::new(move |track: &TrackInfo| -> Box<dyn Detector> {
            let (track, expect) = (track.track, expect.clone());
            match track.kind {
                TrackKind::Input => Box::new(TrackSet { expect, known: None, told: Vec::new() }),
                TrackKind::Video | TrackKind::Audio | TrackKind::Subtitle | TrackKind::Data => {
                    Box::new(TrackFormat { track, expect, known: None, told: Vec::new() })
                }
            }
        })
    },
};

/// Tells contradictions to `expect` once each, until they are gone.
fn newly(told: &mut Vec<&'static str>, now: Vec<(&'static str, String)>) -> Vec<String> {
    let fresh = now.iter().filter(|(field, _)| !told.contains(field)).map(|(_, words)| words.clone()).collect();
    *told = now.into_iter().map(|(field, _)| field).collect();
    fresh
}

/// Speaks for the format of one track.
struct TrackFormat {
    track: TrackId,
    expect: Expect,
    known: Option<TrackInfo>,
    /// Fields whose contradiction has been told.
    told: Vec<&'static str>,
}

impl TrackFormat {
    fn look(&mut self, info: &SessionInfo, out: &mut Verdicts) {
        let Some(now) = info.track(self.track).filter(|track| track.present) else { return };
        let mut changes = Vec::new();
        let known = match self.known.take() {
            None => now.clone(),
            Some(known) => merge(known, now, &mut changes),
        };
        // `expect` speaks of the main video track.
        let against = if self.track == TrackId::video(0) { contradictions(&self.expect, &known) } else { Vec::new() };
        self.known = Some(known);
        let fresh = newly(&mut self.told, against);
        let severity = Some(if fresh.is_empty() { Info } else { Warning });
        changes.extend(fresh);
        if !changes.is_empty() {
            out.find(Finding { at: info.at, severity, score: None, message: changes.join(", ") });
        }
    }
}

fn changed<T: PartialEq + std::fmt::Display>(what: &str, was: &T, now: &T, known: bool, changes: &mut Vec<String>) {
    if known && was != now {
        changes.push(format!("{what} changed from {was} to {now}"));
    }
}

/// The newest state with what it leaves unknown taken from before; notes what differs.
fn merge(was: TrackInfo, now: &TrackInfo, changes: &mut Vec<String>) -> TrackInfo {
    let mut merged = now.clone();
    changed("codec", &was.codec, &now.codec, !was.codec.is_empty() && !now.codec.is_empty(), changes);
    if merged.codec.is_empty() {
        merged.codec = was.codec;
    }
    merged.video = match (was.video, merged.video) {
        (Some(was), Some(now)) => Some(merge_video(&was, now, changes)),
        (was, now) => now.or(was),
    };
    merged.audio = match (was.audio, merged.audio) {
        (Some(was), Some(now)) => Some(merge_audio(was, now, changes)),
        (was, now) => now.or(was),
    };
    merged
}

fn merge_video(was: &VideoFormat, mut now: VideoFormat, changes: &mut Vec<String>) -> VideoFormat {
    if now.width == 0 || now.height == 0 {
        return was.clone();
    }
    let sized = was.width > 0 && was.height > 0;
    let size = |format: &VideoFormat| format!("{}x{}", format.width, format.height);
    changed("size", &size(was), &size(&now), sized, changes);
    if now.frame_rate <= 0.0 {
        now.frame_rate = was.frame_rate;
    } else if differ(was.frame_rate, now.frame_rate) {
        changes.push(format!("frame rate changed from {} to {}", rate(was.frame_rate), rate(now.frame_rate)));
    }
    if now.pixel_format.is_empty() {
        now.pixel_format.clone_from(&was.pixel_format);
    }
    let (before, after) = (sampling(&was.pixel_format), sampling(&now.pixel_format));
    changed("pixel format", &before, &after, !before.is_empty() && !after.is_empty(), changes);
    let scan = |format: &VideoFormat| if format.interlaced { "interlaced" } else { "progressive" };
    changed("scan", &scan(was), &scan(&now), sized, changes);
    let range = |format: &VideoFormat| if format.full_range { "full" } else { "limited" };
    changed("range", &range(was), &range(&now), sized, changes);
    now
}

fn merge_audio(was: AudioFormat, mut now: AudioFormat, changes: &mut Vec<String>) -> AudioFormat {
    if now.sample_rate == 0 {
        now.sample_rate = was.sample_rate;
    }
    changed("sample rate", &was.sample_rate, &now.sample_rate, was.sample_rate > 0, changes);
    if now.channels == 0 {
        now.channels = was.channels;
        now.roles = was.roles;
    }
    changed("channels", &was.channels, &now.channels, was.channels > 0, changes);
    if now.layout.is_empty() && now.channels == was.channels {
        now.layout.clone_from(&was.layout);
    }
    let comparable = was.channels == now.channels && !was.layout.is_empty() && !now.layout.is_empty();
    changed("layout", &was.layout, &now.layout, comparable, changes);
    now
}

/// True when two known frame rates differ by more than 1 %.
fn differ(one: f64, other: f64) -> bool {
    one > 0.0 && other > 0.0 && (one - other).abs() > 0.01 * one.max(other)
}

/// A frame rate with up to three decimals, as people write it.
fn rate(rate: f64) -> f64 {
    (rate * 1000.0).round() / 1000.0
}

/// FFmpeg writes full range into some names as a `j`; the range is compared by itself.
fn sampling(pixel_format: &str) -> String {
    pixel_format.replacen("yuvj", "yuv", 1)
}

/// What of the main video track is not as expected.
fn contradictions(expect: &Expect, track: &TrackInfo) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    if let Some(codec) = expect.codec.as_ref().filter(|codec| !track.codec.is_empty() && **codec != track.codec) {
        found.push(("codec", format!("codec is {}, expected {codec}", track.codec)));
    }
    let Some(video) = &track.video else { return found };
    if let Some(width) = expect.width.filter(|width| video.width > 0 && *width != video.width) {
        found.push(("width", format!("width is {}, expected {width}", video.width)));
    }
    if let Some(height) = expect.height.filter(|height| video.height > 0 && *height != video.height) {
        found.push(("height", format!("height is {}, expected {height}", video.height)));
    }
    if let Some(expected) = expect.frame_rate.filter(|expected| differ(*expected, video.frame_rate)) {
        found.push(("frame_rate", format!("frame rate is {}, expected {}", rate(video.frame_rate), rate(expected))));
    }
    found
}

/// Speaks for which tracks there are.
struct TrackSet {
    expect: Expect,
    /// Tracks listed last time, and whether they are there: a track that was only announced is not
    /// told when it shows up, one that had gone is.
    known: Option<Vec<(TrackId, Standing)>>,
    told: Vec<&'static str>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Announced,
    Present,
    Gone,
}

impl TrackSet {
    fn look(&mut self, info: &SessionInfo, out: &mut Verdicts) {
        let first = self.known.is_none();
        let mut known = self.known.take().unwrap_or_default();
        let mut changes = Vec::new();
        for (track, standing) in &mut known {
            if *standing == Standing::Present && !info.track(*track).is_some_and(|track| track.present) {
                *standing = Standing::Gone;
                changes.push(format!("{track} disappeared"));
            }
        }
        for track in &info.tracks {
            let standing = if track.present { Standing::Present } else { Standing::Announced };
            match known.iter_mut().find(|(known, _)| *known == track.track) {
                None => {
                    known.push((track.track, standing));
                    if !first && track.present {
                        changes.push(appeared(track));
                    }
                }
                Some((_, before)) if *before == Standing::Gone && track.present => {
                    *before = Standing::Present;
                    changes.push(appeared(track));
                }
                Some((_, before)) if track.present => *before = Standing::Present,
                Some(_) => {}
            }
        }
        self.known = Some(known);
        let against = self.contradictions(info);
        let fresh = newly(&mut self.told, against);
        let severity = Some(if fresh.is_empty() { Info } else { Warning });
        changes.extend(fresh);
        if !changes.is_empty() {
            out.find(Finding { at: info.at, severity, score: None, message: changes.join(", ") });
        }
    }

    fn contradictions(&self, info: &SessionInfo) -> Vec<(&'static str, String)> {
        // Listed, not present: one that was announced and brings nothing is told as missing.
        let count = |kind| info.tracks.iter().filter(|track| track.track.kind == kind).count();
        let mut found = Vec::new();
        let audio = count(TrackKind::Audio) as u32;
        if let Some(expected) = self.expect.audio_tracks.filter(|expected| *expected != audio) {
            found.push(("audio_tracks", format!("{audio} audio tracks, expected {expected}")));
        }
        let video = count(TrackKind::Video) > 0;
        if let Some(expected) = self.expect.video.filter(|expected| *expected != video) {
            found.push(("video", if expected { "no video track" } else { "unexpected video track" }.to_owned()));
        }
        found
    }
}

fn appeared(track: &TrackInfo) -> String {
    let name = track.track;
    if track.codec.is_empty() { format!("{name} appeared") } else { format!("{name} appeared ({})", track.codec) }
}

impl Detector for TrackFormat {
    fn inspect(&mut self, item: &Item, out: &mut Verdicts) {
        if let Item::Started(info) = item {
            self.look(info, out);
        }
    }
}

impl Detector for TrackSet {
    fn inspect(&mut self, item: &Item, out: &mut Verdicts) {
        if let Item::Started(info) = item {
            self.look(info, out);
        }
    }
}

#[cfg(test)]
#[path = "format_change_tests.rs"]
mod tests;
