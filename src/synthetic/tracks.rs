//! The two tracks of a synthetic source: what makes one frame after the other of each.
//!
//! Owned by the source, on its session's thread. A track knows when its next frame is due, makes it,
//! spoils it after the plan, measures it and stamps it.

use std::sync::Arc;
use std::time::Instant;

use avwatch_actors::frame::{
    AudioFrame, DecodeSigns, Picture, PictureFacts, PictureView, Repair, SourceTime, Stamp, VideoFrame,
};
use avwatch_actors::item::{PacketCounts, TimelineMark, TimelineSign};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::source::SourceError;
use avwatch_actors::tier::Tier;
use avwatch_actors::track::{SessionNumber, TrackId};
use ffmpeg_next::Packet;

use super::contents::Contents;
use super::defect::{DefectKind, Place};
use super::drive::Drive;
use super::encoded::{SignedPicture, SoundCodec, VideoCodec};
use super::picture::YuvPicture;
use super::plan::{DefectPlan, block_samples};
use super::recipe::{CodecChoice, FrameRate, Recipe};
use super::sound::{self, SoundBlock, SoundMaker};
use crate::measure::MeasurePlan;
use crate::measure::{PictureMeasurer, SoundMeasurer};
use crate::media::held_packet::{HeldPacket, HeldTrack};
use crate::media::packet_ring::{PacketRing, What};

/// What both tracks need to know of their session.
#[derive(Clone)]
pub(super) struct Setting {
    pub(super) recipe: Arc<Recipe>,
    pub(super) plan: Arc<DefectPlan>,
    pub(super) measure: MeasurePlan,
    pub(super) session: SessionNumber,
    /// Names the input in errors.
    pub(super) what: Arc<str>,
    /// The schedule, under a load test.
    pub(super) drive: Option<Drive>,
    /// Where packets are held for evidence. Of what is not encoded there are none.
    pub(super) ring: Option<Arc<PacketRing>>,
}

/// The tracks of what is held.
const HELD_PICTURES: usize = 0;
const HELD_SOUNDS: usize = 1;

impl Setting {
    /// Holds a packet for evidence; clips begin with key pictures.
    fn hold(&self, track: usize, at: MediaTime, packet: &Packet) {
        let Some(ring) = &self.ring else { return };
        if let Some(held) = HeldPacket::of(packet) {
            let is_key = track == HELD_PICTURES && packet.is_key();
            ring.push(Some(at), is_key, What::Packet(track, Arc::new(held)));
        }
    }

    /// When what is at that media time arrives: when it is due, or now.
    fn arrival(&self, at: MediaTime) -> Instant {
        self.drive.as_ref().map_or_else(Instant::now, |drive| drive.due(at))
    }
}

/// What a track tells the next report of packets.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) counts: PacketCounts,
    pub(super) marks: Vec<TimelineMark>,
    /// End of the newest frame.
    pub(super) end: Option<MediaTime>,
}

/// A picture that a frame carries while the track holds it for the next comparison.
struct Held(Arc<dyn Picture>);

impl Picture for Held {
    fn view(&self) -> PictureView<'_> {
        self.0.view()
    }
}

/// Makes `video:0`.
pub(super) struct PictureTrack {
    setting: Setting,
    contents: Contents,
    codec: Option<VideoCodec>,
    measurer: PictureMeasurer,
    previous: Option<Arc<dyn Picture>>,
    number: u64,
    seq: u64,
    /// The next picture that is not damaged must be a key picture.
    key_due: bool,
    missing_since: Option<MediaTime>,
    /// When a picture was last handed out as a still.
    still: Option<MediaTime>,
    pub(super) tally: Tally,
}

impl PictureTrack {
    pub(super) fn open(setting: Setting, at: MediaTime) -> Result<Self, SourceError> {
        let recipe = &*setting.recipe;
        let codec = match recipe.codec {
            CodecChoice::Raw => None,
            CodecChoice::H264 => Some(VideoCodec::open(recipe, &setting.what)?),
        };
        Ok(Self {
            contents: Contents::new(recipe, setting.drive.as_ref().map(|drive| &drive.reel)),
            codec,
            measurer: PictureMeasurer::new(&setting.measure),
            previous: None,
            number: recipe.fps.first_at(at),
            seq: 0,
            key_due: true,
            missing_since: None,
            still: None,
            tally: Tally::default(),
            setting,
        })
    }

    /// What a file of the packets needs to know; nothing of pictures that are not encoded.
    pub(super) fn held_track(&self) -> Option<HeldTrack> {
        self.codec.as_ref()?.held_track(HELD_PICTURES)
    }

    /// When the next picture is due.
    pub(super) fn due(&self) -> MediaTime {
        self.setting.recipe.fps.time_of(self.number)
    }

    /// Goes on at that time; the source says so, and every decoder begins anew.
    pub(super) fn skip_to(&mut self, at: MediaTime) -> Result<(), SourceError> {
        self.tally.marks.push(mark(TrackId::video(0), at, TimelineSign::Signalled));
        self.number = self.setting.recipe.fps.first_at(at);
        self.key_due = true;
        if self.codec.is_some() {
            self.codec = Some(VideoCodec::open(&self.setting.recipe, &self.setting.what)?);
        }
        Ok(())
    }

    /// The next picture, or none where the tier does without it.
    pub(super) fn next_in(&mut self, tier: Tier) -> Result<Option<Arc<VideoFrame>>, SourceError> {
        let is_key = self.number.is_multiple_of(self.setting.recipe.fps.key_distance());
        let is_wanted = match tier {
            Tier::Full => true,
            // As if every other picture were one to which no other refers.
            Tier::Light => is_key || self.number.is_multiple_of(2),
            Tier::Keyframes => is_key,
            Tier::Audio | Tier::Transport => false,
        };
        if is_wanted {
            return self.next();
        }
        let at = self.due();
        self.number += 1;
        self.tally.end = Some(self.due());
        let is_sent = self.setting.plan.at(Place::Picture, at).is_none_or(|one| one.kind != DefectKind::VideoMissing);
        self.tally.counts.packets += u32::from(is_sent);
        self.tally.counts.left_out += u32::from(is_sent);
        // A decoder that comes back needs a key picture.
        self.key_due |= tier >= Tier::Keyframes;
        Ok(None)
    }

    /// The next picture; `None` when the plan or the decoder left it out.
    pub(super) fn next(&mut self) -> Result<Option<Arc<VideoFrame>>, SourceError> {
        let (number, at) = (self.number, self.due());
        let arrived = self.setting.arrival(at);
        let making = self.setting.drive.as_ref().map(Drive::timer);
        self.number += 1;
        let defect = self.setting.plan.at(Place::Picture, at);
        let kind = defect.map(|defect| defect.kind);
        if kind == Some(DefectKind::VideoMissing) {
            self.missing_since.get_or_insert(at);
            return Ok(None);
        }
        if let Some(since) = self.missing_since.take() {
            self.tally.marks.push(mark(TrackId::video(0), at, TimelineSign::Gap { missing: at - since }));
        }
        let shown = defect.map(|defect| (defect.kind, defect.from));
        let made = self.contents.picture(&self.setting.recipe, number, shown);
        let Some((picture, signs)) = self.decode(made, number, kind == Some(DefectKind::DecodeError))? else {
            return Ok(None);
        };
        drop(making);
        let view = picture.view();
        let previous = self.previous.as_ref().map(|previous| previous.view());
        let measures = self.measurer.measure(&view, previous.as_ref(), at);
        let facts = PictureFacts {
            width: self.setting.recipe.width,
            height: self.setting.recipe.height,
            depth: view.depth,
            interlaced: false,
            signs,
            ..measures.facts()
        };
        let fps = self.setting.recipe.fps;
        let lasts = fps.time_of(number + 1) - at;
        let base = (fps.denominator, fps.numerator);
        let stamp =
            stamp(TrackId::video(0), self.setting.session, (self.seq, number as i64), (at, lasts), base, arrived);
        self.seq += 1;
        self.tally.end = Some(at + lasts);
        let is_wanted = self.setting.measure.wants_picture(at, &mut self.still);
        let kept: Option<Box<dyn Picture>> = is_wanted.then(|| Box::new(Held(picture.clone())) as Box<dyn Picture>);
        self.previous = Some(picture);
        Ok(Some(Arc::new(VideoFrame::new(stamp, facts, kept))))
    }

    fn decode(
        &mut self,
        made: Arc<YuvPicture>,
        number: u64,
        damage: bool,
    ) -> Result<Option<SignedPicture>, SourceError> {
        // A key picture right after real damage ends it where the plan says that it ends.
        let key = number.is_multiple_of(self.setting.recipe.fps.key_distance()) || (self.key_due && !damage);
        self.key_due = damage && (self.key_due || self.codec.is_some());
        let counts = &mut self.tally.counts;
        counts.packets += 1;
        counts.corrupt += u32::from(damage);
        let Some(codec) = &mut self.codec else {
            counts.bytes += made.planes().iter().map(|(plane, _)| plane.len() as u64).sum::<u64>();
            counts.undecodable += u32::from(damage);
            let signs = DecodeSigns {
                errors: u16::from(damage),
                concealed: damage,
                packet_corrupt: damage,
                reference_missing: false,
                damaged: damage,
                key,
                tuned: true,
            };
            return Ok(Some((made, signs)));
        };
        let decoded = codec.pass(&made, number, key, damage)?;
        self.setting.hold(HELD_PICTURES, self.setting.recipe.fps.time_of(number), &decoded.packet);
        counts.bytes += decoded.packet.size() as u64;
        counts.undecodable += u32::from(decoded.refused);
        Ok(decoded.picture)
    }
}

/// Makes `audio:0`.
pub(super) struct SoundTrack {
    setting: Setting,
    maker: SoundMaker,
    codec: Option<SoundCodec>,
    measurer: SoundMeasurer,
    blocks: FrameRate,
    scratch: SoundBlock,
    number: u64,
    seq: u64,
    end: MediaTime,
    missing_since: Option<MediaTime>,
    /// The blocks before the next one were left out.
    left_out: bool,
    pub(super) tally: Tally,
}

impl SoundTrack {
    /// Opens the track; no block begins at or after `end`.
    pub(super) fn open(setting: Setting, at: MediaTime, end: MediaTime) -> Result<Self, SourceError> {
        let recipe = &*setting.recipe;
        let rate = i32::try_from(recipe.sample_rate).expect("sample rates come from a short list");
        let blocks = FrameRate { numerator: rate, denominator: block_samples(recipe) as i32 };
        let number = blocks.first_at(at);
        let codec = match recipe.codec {
            CodecChoice::Raw => None,
            CodecChoice::H264 => Some(SoundCodec::open(recipe, number, &setting.what)?),
        };
        Ok(Self {
            maker: SoundMaker::new(recipe, setting.plan.clone()),
            codec,
            measurer: SoundMeasurer::new(&setting.measure, recipe.sample_rate, &sound::roles(recipe.channels)),
            blocks,
            scratch: SoundBlock::default(),
            number,
            seq: 0,
            end,
            missing_since: None,
            left_out: false,
            tally: Tally::default(),
            setting,
        })
    }

    /// What a file of the packets needs to know; nothing of sound that is not encoded.
    pub(super) fn held_track(&self) -> Option<HeldTrack> {
        self.codec.as_ref()?.held_track(HELD_SOUNDS)
    }

    /// When the next block is due.
    pub(super) fn due(&self) -> MediaTime {
        self.blocks.time_of(self.number)
    }

    /// Goes on at that time; the source says so, and every decoder begins anew.
    pub(super) fn skip_to(&mut self, at: MediaTime) -> Result<(), SourceError> {
        self.tally.marks.push(mark(TrackId::audio(0), at, TimelineSign::Signalled));
        self.number = self.blocks.first_at(at);
        if self.codec.is_some() {
            self.codec = Some(SoundCodec::open(&self.setting.recipe, self.number, &self.setting.what)?);
        }
        Ok(())
    }

    /// The next block, or none where the tier does without it.
    pub(super) fn next_in(&mut self, tier: Tier) -> Result<Option<Arc<AudioFrame>>, SourceError> {
        if tier != Tier::Transport {
            if std::mem::take(&mut self.left_out) {
                self.begin_anew()?;
            }
            return self.next();
        }
        let at = self.due();
        self.number += 1;
        self.left_out = true;
        self.tally.end = Some(self.due());
        let is_sent = self.setting.plan.at(Place::Sound, at).is_none_or(|one| one.kind != DefectKind::AudioMissing);
        self.tally.counts.packets += u32::from(is_sent);
        self.tally.counts.left_out += u32::from(is_sent);
        Ok(None)
    }

    /// Measures and decodes afresh: what came before was left out.
    fn begin_anew(&mut self) -> Result<(), SourceError> {
        let recipe = &self.setting.recipe;
        self.measurer = SoundMeasurer::new(&self.setting.measure, recipe.sample_rate, &sound::roles(recipe.channels));
        if self.codec.is_some() {
            self.codec = Some(SoundCodec::open(recipe, self.number, &self.setting.what)?);
        }
        Ok(())
    }

    /// The next block; `None` when the plan left it out.
    pub(super) fn next(&mut self) -> Result<Option<Arc<AudioFrame>>, SourceError> {
        let at = self.due();
        let arrived = self.setting.arrival(at);
        let making = self.setting.drive.as_ref().map(Drive::timer);
        let sample = self.number * u64::from(block_samples(&self.setting.recipe));
        let packet = self.fill(self.number)?;
        drop(making);
        self.number += 1;
        if self.setting.plan.at(Place::Sound, at).is_some_and(|defect| defect.kind == DefectKind::AudioMissing) {
            self.missing_since.get_or_insert(at);
            return Ok(None);
        }
        if let Some(since) = self.missing_since.take() {
            self.tally.marks.push(mark(TrackId::audio(0), at, TimelineSign::Gap { missing: at - since }));
        }
        if let Some(packet) = &packet {
            self.setting.hold(HELD_SOUNDS, at, packet);
        }
        let planes: Vec<&[f32]> = self.scratch.0.iter().map(Vec::as_slice).collect();
        let mut measures = self.measurer.measure(at, &planes);
        if self.due() >= self.end {
            let rest = self.measurer.finish();
            rest.hops.iter().for_each(|(hop, channels)| measures.hops.push(*hop, channels));
            measures.loudness = rest.loudness.or(measures.loudness);
        }
        let lasts = self.due() - at;
        let base = (1, self.setting.recipe.sample_rate as i32);
        let stamp =
            stamp(TrackId::audio(0), self.setting.session, (self.seq, sample as i64), (at, lasts), base, arrived);
        self.seq += 1;
        self.tally.counts.packets += 1;
        let raw_bytes = || planes.iter().map(|plane| size_of_val(*plane)).sum();
        self.tally.counts.bytes += packet.as_ref().map_or_else(raw_bytes, Packet::size) as u64;
        self.tally.end = Some(at + lasts);
        let kept = self.setting.measure.keep_samples.then(|| Box::new(self.scratch.clone()) as _);
        let signs = DecodeSigns { key: true, tuned: true, ..DecodeSigns::default() };
        Ok(Some(Arc::new(AudioFrame::new(stamp, signs, measures.hops, measures.loudness, kept))))
    }

    /// Puts the samples of a block into the scratch block, and gives its packet where there is one.
    fn fill(&mut self, number: u64) -> Result<Option<Packet>, SourceError> {
        let count = block_samples(&self.setting.recipe) as usize;
        let maker = &self.maker;
        let mut make = |number: u64, block: &mut SoundBlock| maker.make(number * count as u64, count, block);
        let Some(codec) = &mut self.codec else {
            make(number, &mut self.scratch);
            return Ok(None);
        };
        let decoded = codec.next(&mut make)?;
        debug_assert_eq!(decoded.number, number, "the codec gives every block once, in order");
        self.scratch = decoded.block;
        Ok(Some(decoded.packet))
    }
}

fn mark(track: TrackId, at: MediaTime, sign: TimelineSign) -> TimelineMark {
    TimelineMark { track, at, sign, source_time: None }
}

fn stamp(
    track: TrackId,
    session: SessionNumber,
    (seq, ticks): (u64, i64),
    (media_time, lasts): (MediaTime, MediaTime),
    base: (i32, i32),
    arrived: Instant,
) -> Stamp {
    Stamp {
        track,
        session,
        seq,
        media_time,
        lasts,
        source_time: Some(SourceTime { pts: Some(ticks), dts: Some(ticks), base }),
        repair: Repair::None,
        arrived,
        ready: Instant::now(),
    }
}
