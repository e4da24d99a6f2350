//! The evidence thread: gathers what is around events, and writes it.
//!
//! `evidence:writer`. It alone writes below `data_dir/evidence/`. It waits for orders of its sink; a disk that hangs holds
//! up this thread and nothing else, its queue fills, and further evidence is lost and counted.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use avwatch_actors::event::{Event, EventState, Wall};
use avwatch_actors::lifeline::Lifeline;
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::severity::Severity;
use avwatch_actors::worker;
use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

use super::job::Job;
use super::manifest::{ClipPart, FilmPart, Manifest, PicturePart};
use super::on_air::{self, OnAir};
use super::portrait::{self, Portrait};
use super::rings::Rings;
use super::shelf::{FILM, MANIFEST, Shelf, TRACE};
use super::sink::{EvidenceCounts, EvidenceSink, ORDERS_MAX};
use crate::live::LiveBoard;
use crate::media::film::{self, Film};
use crate::media::packet_ring::Clip;
use crate::media::remux::{self, Container};

/// How often it looks at the streams while it gathers.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How often the budget is shared anew.
const SHARE_EVERY: Duration = Duration::from_secs(5);
/// Events whose evidence is gathered at a time; further ones get none and are counted.
const JOBS_MAX: usize = 64;
/// While more than this are gathered, clips are written without being decoded for pictures and curves: a storm of
/// events must not take the processor from the streams.
const PORTRAITS_WITHIN: usize = 8;
/// Pictures of a strip.
const STRIP_MAX: usize = 16;
/// How evidence calls the moment of an event's end.
const AT_ITS_END: &str = "when it ended";

/// What the thread works with.
pub struct EvidenceParts {
    /// The packets.
    pub rings: Arc<Rings>,
    /// What streams show.
    pub live: Arc<LiveBoard>,
    /// Where evidence goes.
    pub shelf: Shelf,
    /// Least severity of which evidence is kept.
    pub from: Severity,
}

/// Starts the thread; it ends when the sink is dropped, without what it was gathering.
///
/// # Errors
/// The system refuses the thread.
pub fn start(parts: EvidenceParts) -> io::Result<(EvidenceSink, Arc<EvidenceCounts>)> {
    let (orders, inbox) = bounded(ORDERS_MAX);
    let counts = Arc::<EvidenceCounts>::default();
    let sink = EvidenceSink { orders, from: parts.from, counts: counts.clone() };
    let mut writer = Writer { parts, counts: counts.clone(), jobs: Vec::new(), ended: Vec::new() };
    let done = |end| {
        if let worker::WorkEnd::Panicked(why) = end {
            tracing::error!(fault = "panic", "evidence is no longer kept: {why}");
        }
    };
    drop(worker::spawn_lasting("evidence:writer", Arc::default(), move |_: &Arc<Lifeline>| writer.run(&inbox), done)?);
    Ok((sink, counts))
}

struct Writer {
    parts: EvidenceParts,
    counts: Arc<EvidenceCounts>,
    jobs: Vec<Job>,
    /// Events that ended while their evidence is gathered; at most one for each job.
    ended: Vec<End>,
}

/// An event that ended, and what was on when that was told.
struct End {
    event: Arc<Event>,
    on_air: OnAir,
}

impl Writer {
    fn run(&mut self, inbox: &Receiver<Arc<Event>>) {
        worker::step_back();
        self.tidy();
        let mut shared = Instant::now();
        loop {
            match inbox.recv_timeout(LOOK_EVERY) {
                Ok(event) => self.take(event),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            inbox.try_iter().take(JOBS_MAX).for_each(|event| self.take(event));
            if shared.elapsed() >= SHARE_EVERY {
                shared = Instant::now();
                self.parts.rings.share();
            }
            self.gather();
        }
    }

    fn take(&mut self, event: Arc<Event>) {
        let is_known = self.jobs.iter().any(|job| job.event.id == event.id);
        let is_there = self.parts.shelf.of(&event.id).is_some_and(|folder| folder.exists());
        if event.state == EventState::Ended {
            if is_known {
                // A remark on an ended event is told as one more end.
                if !self.ended.iter().any(|end| end.event.id == event.id) {
                    let end = self.end_of(event);
                    self.ended.push(end);
                }
                return;
            }
            if is_there {
                self.add_end(self.end_of(event));
                return;
            }
        }
        if is_known || is_there {
            return;
        }
        let age = SystemTime::now().duration_since(event.raised_at.0).unwrap_or_default();
        if event.state == EventState::Ended && age > Duration::from_secs(5) {
            // Its evidence was lost or is gone, which was counted then.
            return;
        }
        if self.jobs.len() >= JOBS_MAX {
            self.counts.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.jobs.push(Job::begin(event, &self.parts.rings, &self.parts.live));
    }

    fn gather(&mut self) {
        let pinned_max = self.parts.rings.budget() / 2;
        let mut pinned: u64 = 0;
        let mut place = 0;
        while place < self.jobs.len() {
            pinned += self.jobs[place].clip.as_ref().map_or(0, |clip| clip.bytes);
            if !self.jobs[place].gather(&self.parts.rings, &self.parts.live, pinned, pinned_max) {
                place += 1;
                continue;
            }
            let job = self.jobs.remove(place);
            let ended = self.ended.iter().position(|end| end.event.id == job.event.id);
            let ended = ended.map(|place| self.ended.swap_remove(place));
            self.write(job, ended);
        }
    }

    fn write(&mut self, job: Job, ended: Option<End>) {
        let event = job.event.clone();
        match self.try_write(job) {
            Ok(()) => {
                self.counts.written.fetch_add(1, Ordering::Relaxed);
                if let Some(ended) = ended {
                    self.add_end(ended);
                }
                self.tidy();
            }
            Err(error) => {
                let before = self.counts.lost.fetch_add(1, Ordering::Relaxed);
                if before.is_multiple_of(100) {
                    tracing::error!(
                        stream = &*event.stream,
                        fault = "evidence",
                        lost = before + 1,
                        "evidence of an event could not be written: {error}"
                    );
                }
                // What is there of it is removed, and room is made.
                self.tidy();
            }
        }
    }

    fn try_write(&mut self, mut job: Job) -> io::Result<()> {
        let event = job.event.clone();
        let making = self.parts.shelf.begin(&event.id)?;
        let mut manifest = Manifest::of(&event);
        let (mut portrait, mut zero) = (None, MediaTime::ZERO);
        if let Some(clip) = job.take_clip() {
            let container = Container::of(&clip);
            let file = format!("clip.{}", container.ending());
            let path = making.join(&file);
            match remux::write(&clip, container, &path) {
                Ok(refused) => {
                    if refused > 0 {
                        job.missing.push(format!("{refused} packets of the clip: its container does not take them"));
                    }
                    manifest.clip = Some(ClipPart {
                        file,
                        container: container.name().to_owned(),
                        bytes: fs::metadata(&path)?.len(),
                        before_s: (job.onset - clip.begins).as_secs_f64(),
                        after_s: (clip.reached - job.onset).as_secs_f64(),
                        key: clip.key,
                    });
                    zero = job.onset - clip.begins;
                    portrait = self.portrait(&path, &mut job);
                    if let (Some(first), Some(part)) = (first_picture(portrait.as_ref(), &clip), &mut manifest.clip) {
                        // Of the sound before the first picture only the clip itself tells how much it is.
                        zero += first;
                        part.before_s = zero.as_secs_f64();
                    }
                    if container == Container::Transport {
                        manifest.film = film_of(&clip, &path, &making, &mut job.missing);
                    }
                }
                Err(remux::RemuxError::Disk(error)) => return Err(error),
                Err(error) => {
                    // A file of which nobody knows what it holds is worse than none.
                    let _ = fs::remove_file(&path);
                    job.missing.push(format!("the clip: {error}"));
                }
            }
        }
        add_pictures(&making, &job, portrait.as_ref(), zero, &mut manifest)?;
        let readings = self.parts.live.stream(&event.stream).map(|live| live.recent_readings()).unwrap_or_default();
        let started = event.started_at.0.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let trace = portrait::trace(portrait.as_ref(), zero, &readings, started);
        fs::write(making.join(TRACE), serde_json::to_vec(&trace)?)?;
        manifest.trace = Some(TRACE.to_owned());
        manifest.missing = job.missing;
        manifest.missing.extend(job.raised.missing);
        save(&making, &mut manifest)?;
        self.parts.shelf.put(&making, &event.id)
    }

    fn portrait(&self, clip: &Path, job: &mut Job) -> Option<Portrait> {
        if self.jobs.len() > PORTRAITS_WITHIN {
            job.missing.push("pictures and curves of the clip: too many events at a time".to_owned());
            return None;
        }
        let portrait = Portrait::of(clip);
        portrait.map_err(|why| job.missing.push(format!("pictures and curves of the clip: {why}"))).ok()
    }

    /// The end of an event, with what is on now: its evidence may be written later.
    fn end_of(&self, event: Arc<Event>) -> End {
        let on_air = OnAir::of(&event, event.changed_at.0, AT_ITS_END, &self.parts.live);
        End { event, on_air }
    }

    /// Adds what was on when the event ended, or why that is missing.
    fn add_end(&self, End { event, on_air }: End) {
        let Some(folder) = self.parts.shelf.of(&event.id) else { return };
        let Some(mut manifest) = self.parts.shelf.manifest(&event.id) else { return };
        let is_missing = |why: &String| why.starts_with(&on_air::picture_of(AT_ITS_END));
        if manifest.pictures.iter().any(|picture| picture.shows == "end") || manifest.missing.iter().any(is_missing) {
            // A remark on an ended event is told as one more end.
            return;
        }
        let added = match (on_air.picture, on_air.missing) {
            (Some(newest), _) => {
                let at_s = seconds_after(&event, newest.taken);
                manifest.pictures.push(PicturePart { file: "end.jpg".to_owned(), shows: "end".to_owned(), at_s });
                fs::write(folder.join("end.jpg"), &newest.jpeg).and_then(|()| save(&folder, &mut manifest))
            }
            (None, Some(why)) => {
                manifest.missing.push(why);
                save(&folder, &mut manifest)
            }
            (None, None) => return,
        };
        if let Err(error) = added {
            tracing::warn!(stream = &*event.stream, "the picture at an event's end could not be added: {error}");
        }
    }

    fn tidy(&self) {
        if let Err(error) = self.parts.shelf.tidy() {
            tracing::warn!(fault = "evidence", "old evidence could not be removed: {error}");
        }
    }
}

/// When the picture that a clip begins with is shown in it.
fn first_picture(portrait: Option<&Portrait>, clip: &Clip) -> Option<MediaTime> {
    portrait.filter(|_| clip.key).and_then(Portrait::first_picture)
}

/// Writes what browsers play of a clip; a clip of other codecs has none.
fn film_of(clip: &Clip, path: &Path, folder: &Path, missing: &mut Vec<String>) -> Option<FilmPart> {
    let target = folder.join(FILM);
    match film::write(clip, path, &target) {
        Ok(Film { written: false, left_out }) => {
            let codecs = left_out.join(", ");
            missing.push(format!("a film of the clip: browsers play none of its codecs ({codecs})"));
            None
        }
        Ok(Film { written: true, left_out }) => {
            let bytes = fs::metadata(&target).ok()?.len();
            Some(FilmPart { file: FILM.to_owned(), bytes, left_out })
        }
        Err(why) => {
            // Half a film is worse than none.
            let _ = fs::remove_file(&target);
            missing.push(format!("the film of the clip: {why}"));
            None
        }
    }
}

fn seconds_after(event: &Event, taken: SystemTime) -> f64 {
    match taken.duration_since(event.started_at.0) {
        Ok(after) => after.as_secs_f64(),
        Err(before) => -before.duration().as_secs_f64(),
    }
}

/// Writes the picture at the onset, the one at the raise and the strip.
fn add_pictures(
    folder: &Path,
    job: &Job,
    portrait: Option<&Portrait>,
    zero: MediaTime,
    manifest: &mut Manifest,
) -> io::Result<()> {
    let mut add = |file: String, shows: &str, at_s: f64, jpeg: &[u8]| -> io::Result<()> {
        fs::write(folder.join(&file), jpeg)?;
        manifest.pictures.push(PicturePart { file, shows: shows.to_owned(), at_s });
        Ok(())
    };
    if let Some(portrait) = portrait {
        let after = |at: MediaTime| (at - zero).as_secs_f64();
        if let Some(still) = portrait.nearest(zero) {
            add("onset.jpg".to_owned(), "onset", after(still.at), &still.jpeg)?;
        }
        let every = portrait.stills().count().div_ceil(STRIP_MAX).max(1);
        for (number, still) in portrait.stills().step_by(every).enumerate() {
            add(format!("strip-{number:02}.jpg"), "strip", after(still.at), &still.jpeg)?;
        }
    }
    if let Some(raised) = &job.raised.picture {
        let at_s = seconds_after(&job.event, raised.taken);
        add("raised.jpg".to_owned(), "raised", at_s, &raised.jpeg)?;
    }
    Ok(())
}

fn save(folder: &Path, manifest: &mut Manifest) -> io::Result<()> {
    manifest.written_at = Wall(SystemTime::now());
    manifest.pictures.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
    // Replaced as a whole: somebody may be reading it.
    let fresh = folder.join("evidence.json.new");
    fs::write(&fresh, serde_json::to_vec_pretty(manifest)?)?;
    fs::rename(&fresh, folder.join(MANIFEST))
}
