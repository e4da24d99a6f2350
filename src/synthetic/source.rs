//! The synthetic source: follows a recipe's plan and delivers items as fast as it is asked.
//!
//! Owned by its session's thread. It waits only where the plan says *stall*, honouring the lifeline.
//! The opener remembers how far the stream has come, so that the next session goes on from there: a
//! reconnect after `end@60` begins at 60 s, and a planned defect is shown once, however often the
//! session breaks.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use avwatch_actors::item::{Gap, GapReason, Item, PacketFacts};
use avwatch_actors::lifeline::{CutReason, Lifeline, Phase};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::source::{FrameSource, Opener, SourceError, SourceLimits};
use avwatch_actors::tier::{Tier, TierDial};
use avwatch_actors::track::{AudioFormat, SessionInfo, SessionNumber, TrackId, TrackInfo, VideoFormat};
use avwatch_actors::worker;

use super::defect::DefectKind;
use super::drive::Drive;
use super::plan::{DefectPlan, PlannedDefect};
use super::recipe::{CodecChoice, Recipe};
use super::sound;
use super::tracks::{PictureTrack, Setting, SoundTrack, Tally};
use crate::measure::{MarkerFinder, MeasurePlan};
use crate::media::packet_ring::{Form, PacketRing};
use crate::media::triage::Triage;

/// Distance of packet facts and clock items.
const REPORT_EVERY: MediaTime = MediaTime::from_millis(100);
/// How often a stalled source looks at its lifeline.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Longest single sleep of a driven source: a thousand of them should wake rarely.
const DRIVEN_SLICE: Duration = Duration::from_millis(200);

/// Opens one recipe, again and again.
pub struct SyntheticOpener {
    setting: Setting,
    stream: Arc<str>,
    limits: SourceLimits,
    reached: Arc<AtomicI64>,
    dial: Arc<TierDial>,
}

impl SyntheticOpener {
    /// Makes an opener for the stream of that name.
    pub fn new(name: &str, recipe: Recipe, measure: MeasurePlan) -> Self {
        let plan = Arc::new(DefectPlan::new(&recipe));
        let session = SessionNumber::default();
        let (recipe, what) = (Arc::new(recipe), "synthetic source".into());
        let setting = Setting { recipe, plan, measure, session, what, drive: None, ring: None };
        let reached = Arc::new(AtomicI64::new(0));
        Self { setting, stream: name.into(), limits: SourceLimits::default(), reached, dial: Arc::default() }
    }

    /// Asks for this patience instead of the default one.
    #[must_use]
    pub fn with_limits(mut self, limits: SourceLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Keeps to the schedule of a load test; then the engine must not pace it as well.
    #[must_use]
    pub fn with_drive(mut self, drive: Drive) -> Self {
        self.setting.drive = Some(drive);
        self
    }

    /// The same, holding what its encoders make in a ring.
    #[must_use]
    pub fn with_ring(mut self, ring: Option<Arc<PacketRing>>) -> Self {
        self.setting.ring = ring;
        self
    }

    /// The same, making as much as that dial says.
    #[must_use]
    pub fn with_dial(self, dial: Arc<TierDial>) -> Self {
        Self { dial, ..self }
    }

    /// The ground truth.
    pub fn plan(&self) -> &Arc<DefectPlan> {
        &self.setting.plan
    }

    /// How far the stream has come over all sessions.
    pub fn reached(&self) -> MediaTime {
        // Relaxed: a number that stands for itself.
        MediaTime::from_nanos(self.reached.load(Ordering::Relaxed))
    }
}

impl Opener for SyntheticOpener {
    fn open(&self, session: SessionNumber, line: &Arc<Lifeline>) -> Result<Box<dyn FrameSource>, SourceError> {
        line.enter(Phase::Opening);
        if self.setting.drive.is_some() {
            // Nobody paces it for the engine, which is where other sessions step back.
            worker::step_back();
        }
        let mut start = self.reached();
        let setting = Setting { session, ..self.setting.clone() };
        if let Some(duration) = setting.recipe.duration
            && start >= duration.into()
        {
            let why = format!("its duration of {} s is over", duration.as_secs_f64());
            return Err(SourceError::Refused { what: setting.what.to_string(), why });
        }
        let thread =
            Thread { line: line.clone(), limits: self.limits, reached: self.reached.clone(), dial: self.dial.clone() };
        if let Some(defect) = setting.plan.next_input_defect(start)
            && defect.kind == DefectKind::Stall
            && defect.from < start
        {
            thread.stall(&setting.what, start, defect.to)?;
            start = defect.to;
        }
        Ok(Box::new(SyntheticSource::open(setting, self.stream.clone(), start, thread)?))
    }

    fn limits(&self) -> SourceLimits {
        self.limits
    }
}

/// What ties a session to its thread and its opener.
struct Thread {
    line: Arc<Lifeline>,
    limits: SourceLimits,
    reached: Arc<AtomicI64>,
    dial: Arc<TierDial>,
}

impl Thread {
    fn check(&self, what: &str) -> Result<(), SourceError> {
        if !self.line.is_cut() {
            return Ok(());
        }
        let reason = self.line.cut_reason().unwrap_or(CutReason::Stopped);
        Err(SourceError::from_cut(&reason, what, &self.limits))
    }

    fn reach(&self, at: MediaTime) {
        // The largest one stands, so an abandoned session cannot set the stream back.
        self.reached.fetch_max(at.as_nanos(), Ordering::Relaxed);
    }

    /// Waits, beating, until that moment or the cut.
    fn wait_until(&self, what: &str, due: Instant) -> Result<(), SourceError> {
        loop {
            self.check(what)?;
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            self.line.beat();
            std::thread::sleep(left.min(DRIVEN_SLICE));
        }
    }

    /// Lets real time pass as if nothing arrived, beating, until `to` or the cut.
    fn stall(&self, what: &str, from: MediaTime, to: MediaTime) -> Result<(), SourceError> {
        let begun = Instant::now();
        loop {
            self.check(what)?;
            let at = from + MediaTime::from(begun.elapsed());
            self.reach(at.min(to));
            if at >= to {
                return Ok(());
            }
            self.line.beat();
            std::thread::sleep((to - at).to_duration().min(LOOK_EVERY));
        }
    }
}

/// One session of a synthetic stream.
pub struct SyntheticSource {
    what: Arc<str>,
    plan: Arc<DefectPlan>,
    thread: Thread,
    drive: Option<Drive>,
    /// Looked at in full while something is suspicious, where that is what its dial says.
    triage: Triage,
    pictures: PictureTrack,
    sounds: Option<SoundTrack>,
    markers: MarkerFinder,
    /// The next stall or end.
    input: Option<PlannedDefect>,
    /// Where the next report is due, and where the last one ended.
    report_due: MediaTime,
    reported: MediaTime,
    end: MediaTime,
    over: bool,
    /// What the session was last announced as.
    info: Arc<SessionInfo>,
    /// Made but not yet delivered: at most the items of a report or a restart.
    pending: VecDeque<Item>,
}

impl SyntheticSource {
    fn open(setting: Setting, stream: Arc<str>, start: MediaTime, thread: Thread) -> Result<Self, SourceError> {
        let recipe = setting.recipe.clone();
        let end = recipe.duration.map_or(MediaTime::MAX, MediaTime::from);
        let tier = thread.dial.wanted();
        let info = Arc::new(session_info(&recipe, stream, setting.session, (start, tier)));
        let started = Item::Started(info.clone());
        let sounds = if recipe.channels > 0 { Some(SoundTrack::open(setting.clone(), start, end)?) } else { None };
        let pictures = PictureTrack::open(setting.clone(), start)?;
        if let Some(ring) = &setting.ring {
            ring.begin(setting.session, Form::Packets);
            let held = [pictures.held_track(), sounds.as_ref().and_then(SoundTrack::held_track)];
            ring.set_tracks(held.into_iter().flatten().map(Arc::new).collect());
        }
        Ok(Self {
            what: setting.what.clone(),
            plan: setting.plan.clone(),
            thread,
            drive: setting.drive.clone(),
            triage: Triage::default(),
            input: setting.plan.next_input_defect(start),
            pictures,
            markers: MarkerFinder::default(),
            sounds,
            report_due: start + REPORT_EVERY,
            reported: start,
            end,
            over: false,
            info,
            pending: VecDeque::from([started]),
        })
    }

    /// Ends the session at that time: what was counted is reported, then nothing follows.
    fn finish(&mut self, at: MediaTime) {
        self.over = true;
        self.thread.reach(at);
        if at > self.reported {
            self.report(at);
        }
    }

    /// Stands still until the stall is over, and goes on where the time then is.
    fn stall(&mut self, defect: PlannedDefect) -> Result<(), SourceError> {
        if defect.from > self.reported {
            // What came before goes out first; then the stall is due again.
            self.report(defect.from);
            return Ok(());
        }
        self.thread.stall(&self.what, defect.from, defect.to)?;
        let gap = Gap { track: TrackId::INPUT, from: defect.from, to: defect.to, why: GapReason::Source };
        self.pending.push_back(Item::Gap(gap));
        self.pictures.skip_to(defect.to)?;
        if let Some(sounds) = &mut self.sounds {
            sounds.skip_to(defect.to)?;
        }
        self.reported = defect.to;
        self.report_due = defect.to + REPORT_EVERY;
        self.input = self.plan.next_input_defect(defect.to);
        Ok(())
    }

    /// Queues what was counted since the last report, and the clock.
    fn report(&mut self, at: MediaTime) {
        let mut facts = PacketFacts { at, lasts: at - self.reported, ..PacketFacts::default() };
        let video = std::mem::take(&mut self.pictures.tally);
        let audio = self.sounds.as_mut().map(|sounds| std::mem::take(&mut sounds.tally));
        if let Some((sound, picture)) = audio.as_ref().and_then(|tally| tally.end).zip(video.end) {
            facts.skew = Some(sound - picture);
        }
        let mut add = |track, tally: Tally| {
            facts.bytes += tally.counts.bytes;
            facts.tracks.push((track, tally.counts));
            facts.marks.extend(tally.marks);
        };
        add(TrackId::video(0), video);
        if let Some(audio) = audio {
            add(TrackId::audio(0), audio);
        }
        facts.markers = self.markers.take();
        self.reported = at;
        self.report_due = at + REPORT_EVERY;
        self.pending.push_back(Item::Packets(Arc::new(facts)));
        self.pending.push_back(Item::Clock(at));
    }

    /// Announces another tier, from here on.
    fn follow_dial(&mut self, at: MediaTime) {
        self.triage.reach(at);
        let wanted = self.triage.tier(&self.thread.dial);
        if wanted != self.info.tier {
            let info = SessionInfo { tier: wanted, at, revision: self.info.revision + 1, ..(*self.info).clone() };
            self.info = Arc::new(info);
            self.pending.push_back(Item::Started(self.info.clone()));
        }
    }

    /// Makes what is due next; what comes of it is pending, and may be nothing.
    fn advance(&mut self) -> Result<(), SourceError> {
        let picture_due = self.pictures.due();
        let sound_due = self.sounds.as_ref().map_or(MediaTime::MAX, SoundTrack::due);
        let at = picture_due.min(sound_due).min(self.report_due);
        if let Some(defect) = self.input
            && defect.from <= at
            && defect.from < self.end
        {
            if defect.kind == DefectKind::End {
                self.finish(defect.from);
                return Ok(());
            }
            return self.stall(defect);
        }
        if at >= self.end {
            self.finish(self.end);
            return Ok(());
        }
        if let Some(drive) = &self.drive {
            self.thread.wait_until(&self.what, drive.due(at))?;
        }
        self.thread.reach(at);
        self.follow_dial(at);
        let tier = self.info.tier;
        if self.report_due <= at {
            self.report(at);
        } else if picture_due <= sound_due {
            if let Some(frame) = self.pictures.next_in(tier)? {
                self.markers.picture(&frame.stamp, &frame.facts);
                self.pending.push_back(Item::Video(frame));
            }
        } else if let Some(sounds) = &mut self.sounds
            && let Some(frame) = sounds.next_in(tier)?
        {
            self.markers.sound(&frame.stamp, &frame.hops);
            self.pending.push_back(Item::Audio(frame));
        }
        Ok(())
    }
}

impl FrameSource for SyntheticSource {
    fn next(&mut self) -> Result<Option<Item>, SourceError> {
        self.thread.line.enter(Phase::Reading);
        // Each round moves the time on, and a report is due every 100 ms, so this ends.
        loop {
            self.thread.check(&self.what)?;
            if let Some(item) = self.pending.pop_front() {
                if !matches!(item, Item::Gap(_)) {
                    self.thread.line.progress();
                }
                return Ok(Some(item));
            }
            if self.over {
                return Ok(None);
            }
            self.advance()?;
        }
    }
}

fn session_info(
    recipe: &Recipe,
    stream: Arc<str>,
    session: SessionNumber,
    (at, tier): (MediaTime, Tier),
) -> SessionInfo {
    let (video_codec, audio_codec) = match recipe.codec {
        CodecChoice::Raw => ("rawvideo", "pcm_f32le"),
        CodecChoice::H264 => ("h264", "aac"),
    };
    let mut video = TrackInfo::bare(TrackId::video(0));
    video.codec = video_codec.to_owned();
    video.video = Some(VideoFormat {
        width: recipe.width,
        height: recipe.height,
        frame_rate: recipe.fps.as_f64(),
        pixel_format: "yuv420p".to_owned(),
        interlaced: false,
        full_range: false,
        pixel_aspect: 1.0,
    });
    let mut tracks = vec![video];
    if recipe.channels > 0 {
        let mut audio = TrackInfo::bare(TrackId::audio(0));
        audio.codec = audio_codec.to_owned();
        audio.audio = Some(AudioFormat {
            sample_rate: recipe.sample_rate,
            channels: u16::from(recipe.channels),
            layout: sound::layout_name(recipe.channels).to_owned(),
            roles: sound::roles(recipe.channels),
        });
        tracks.push(audio);
    }
    SessionInfo {
        stream,
        session,
        revision: 0,
        at,
        container: "synthetic".to_owned(),
        tracks,
        tier,
        burst: MediaTime::ZERO,
        started: Instant::now(),
        started_wall: SystemTime::now(),
    }
}

#[cfg(test)]
mod tests;
