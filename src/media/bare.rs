//! Bare decoding: what libavformat and libavcodec alone manage.
//!
//! What a load test compares itself with on the same machine in the same run. Nothing is measured, judged or kept. Each
//! thread decodes several streams by turns, a picture of each: as many as the machine sustains, for decoders whose pictures
//! are still in the caches of the CPU from the last turn are no measure of a machine that watches many.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use avwatch_actors::lifeline::{CutReason, Lifeline};
use avwatch_actors::worker::{self, WorkEnd};
use ffmpeg_next::media::Type;
use ffmpeg_next::{Error, Packet, codec, decoder, ffi, format, frame};

use crate::measure::cost::thread_cpu;

/// What decoding came to, opening left out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bare {
    /// Pictures that were decoded.
    pub pictures: u64,
    /// CPU time that it took.
    pub cpu: Duration,
    /// Pictures a second of all threads together.
    pub rate: f64,
}

enum Track {
    Video(decoder::Video),
    Audio(decoder::Audio),
}

/// How often threads are looked after.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Decodes the file as `streams` streams on each of so many threads for that long, or until `stop` is set. The streams begin at different
/// key pictures, so that all of the file counts.
///
/// # Errors
/// The file cannot be decoded, or the system refuses a thread.
pub fn decode(path: &Path, threads: usize, streams: usize, wall: Duration, stop: &AtomicBool) -> std::io::Result<Bare> {
    let all = on_threads(threads, wall, stop, |number| {
        let path = path.to_owned();
        let shares = (0..streams).map(move |at| (at * threads + number) as f64 / (streams * threads) as f64);
        move |line: &Lifeline| by_turns(&path, shares, wall, line)
    })?;
    Ok(all.into_iter().fold(Bare::default(), |sum, one| Bare {
        pictures: sum.pictures + one.pictures,
        cpu: sum.cpu + one.cpu,
        rate: sum.rate + one.rate,
    }))
}

/// What each of so many threads came to, which take about `wall` and are cut when `stop` is set or one of them fails.
pub(super) fn on_threads<T: Send + 'static, W: FnOnce(&Lifeline) -> Result<T, Error> + Send + 'static>(
    threads: usize,
    wall: Duration,
    stop: &AtomicBool,
    work_of: impl Fn(usize) -> W,
) -> std::io::Result<Vec<T>> {
    let line = Arc::<Lifeline>::default();
    let all = run_threads(threads, wall, stop, &line, work_of);
    // Whoever still works does so for nobody.
    line.cut(CutReason::Stopped);
    all
}

fn run_threads<T: Send + 'static, W: FnOnce(&Lifeline) -> Result<T, Error> + Send + 'static>(
    threads: usize,
    wall: Duration,
    stop: &AtomicBool,
    line: &Arc<Lifeline>,
    work_of: impl Fn(usize) -> W,
) -> std::io::Result<Vec<T>> {
    let (say, said) = crossbeam_channel::bounded(threads);
    for number in 0..threads {
        let (work, say) = (work_of(number), say.clone());
        let work = move |line: &Arc<Lifeline>| work(line);
        let done = move |end: WorkEnd<Result<T, Error>>| {
            let end = match end {
                WorkEnd::Returned(end) => end.map_err(|error| error.to_string()),
                WorkEnd::Panicked(why) => Err(why),
            };
            // Nobody listening means that another thread has failed.
            let _ = say.send(end);
        };
        drop(worker::spawn(&format!("load:bare{number}"), line.clone(), work, done)?);
    }
    // The clock is looked at with every picture; a minute more is for opening, and for a machine that stands still.
    let until = Instant::now() + wall + Duration::from_secs(60);
    let mut all = Vec::with_capacity(threads);
    while all.len() < threads {
        match said.recv_timeout(LOOK_EVERY) {
            Ok(one) => all.push(one.map_err(std::io::Error::other)?),
            Err(error) if error.is_disconnected() || Instant::now() >= until => {
                return Err(std::io::Error::other(error));
            }
            Err(_) if stop.load(Ordering::Relaxed) => line.cut(CutReason::Stopped),
            Err(_) => {}
        }
    }
    Ok(all)
}

fn by_turns(path: &Path, shares: impl Iterator<Item = f64>, wall: Duration, line: &Lifeline) -> Result<Bare, Error> {
    let mut streams = shares.map(|share| Stream::open(path, share)).collect::<Result<Vec<_>, _>>()?;
    let (begin, cpu_before) = (Instant::now(), thread_cpu());
    let mut pictures = 0;
    'all: loop {
        for stream in &mut streams {
            if begin.elapsed() >= wall || line.is_cut() {
                break 'all;
            }
            match stream.turn()? {
                Some(decoded) => pictures += decoded,
                None => stream.rewind()?,
            }
        }
    }
    let took = begin.elapsed();
    let cpu = thread_cpu().saturating_sub(cpu_before);
    Ok(Bare { pictures, cpu, rate: pictures as f64 / took.as_secs_f64().max(1e-3) })
}

/// One stream: the file, with a decoder for its pictures and one for its sound.
pub(super) struct Stream {
    input: format::context::Input,
    tracks: Vec<Option<Track>>,
    /// The packet to begin with.
    first: Option<Packet>,
}

impl Stream {
    /// Opens the file and goes on to the first key picture after that share of it.
    pub(super) fn open(path: &Path, share: f64) -> Result<Self, Error> {
        let input = format::input(path)?;
        let mut tracks: Vec<Option<Track>> = input.streams().map(|_| None).collect();
        for kind in [Type::Video, Type::Audio] {
            let Some(stream) = input.streams().find(|stream| stream.parameters().medium() == kind) else { continue };
            let mut context = codec::Context::from_parameters(stream.parameters())?;
            context.set_threading(codec::threading::Config::count(1));
            context.set_flags(codec::Flags::OUTPUT_CORRUPT);
            tracks[stream.index()] = Some(match kind {
                Type::Video => Track::Video(context.decoder().video()?),
                _ => Track::Audio(context.decoder().audio()?),
            });
        }
        let pictures = input.streams().find(|stream| stream.parameters().medium() == Type::Video);
        let pictures = pictures.map(|stream| (stream.index(), stream.time_base(), stream.start_time()));
        let mut stream = Self { input, tracks, first: None };
        if let Some((index, base, start)) = pictures.filter(|_| share > 0.0) {
            let seconds = stream.input.duration() as f64 / f64::from(ffi::AV_TIME_BASE) * share;
            let from = start + (seconds / f64::from(base)) as i64;
            while let Some(packet) = stream.read()? {
                if packet.stream() == index && packet.is_key() && packet.pts() >= Some(from) {
                    stream.first = Some(packet);
                    break;
                }
            }
        }
        Ok(stream)
    }

    /// Goes back to the begin of the file, without looking into it again as an opening would.
    pub(super) fn rewind(&mut self) -> Result<(), Error> {
        self.first = None;
        // SAFETY: the input is open and ours alone.
        let code = unsafe { ffi::av_seek_frame(self.input.as_mut_ptr(), -1, 0, ffi::AVSEEK_FLAG_BYTE) };
        if code < 0 {
            return Err(Error::from(code));
        }
        for track in self.tracks.iter_mut().flatten() {
            match track {
                Track::Video(decoder) => decoder.flush(),
                Track::Audio(decoder) => decoder.flush(),
            }
        }
        Ok(())
    }

    fn read(&mut self) -> Result<Option<Packet>, Error> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        let mut packet = Packet::empty();
        match packet.read(&mut self.input) {
            Ok(()) => Ok(Some(packet)),
            Err(Error::Eof) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Decodes up to the next packet of pictures; gives how many pictures came, nothing at the end of the file.
    fn turn(&mut self) -> Result<Option<u64>, Error> {
        self.turn_when(|_| ())
    }

    /// The same; `wait` is told when a packet of pictures is due, before it is decoded.
    pub(super) fn turn_when(&mut self, mut wait: impl FnMut(Duration)) -> Result<Option<u64>, Error> {
        while let Some(packet) = self.read()? {
            match self.tracks.get_mut(packet.stream()).and_then(Option::as_mut) {
                Some(Track::Video(decoder)) => {
                    let base = self.input.stream(packet.stream()).map_or(0.0, |stream| f64::from(stream.time_base()));
                    wait(Duration::from_secs_f64(packet.dts().unwrap_or_default().max(0) as f64 * base));
                    decoder.send_packet(&packet)?;
                    let (mut picture, mut pictures) = (frame::Video::empty(), 0);
                    while decoder.receive_frame(&mut picture).is_ok() {
                        pictures += 1;
                    }
                    return Ok(Some(pictures));
                }
                Some(Track::Audio(decoder)) => {
                    decoder.send_packet(&packet)?;
                    let mut block = frame::Audio::empty();
                    while decoder.receive_frame(&mut block).is_ok() {}
                }
                None => {}
            }
        }
        Ok(None)
    }
}
