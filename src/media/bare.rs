//! Bare decoding: what libavformat and libavcodec alone manage, one thread a stream.
//!
//! What a load test compares itself with on the same machine in the same run. Nothing is measured, judged or kept. As
//! many threads as there are cores decode the same file over and over; their pictures a second, over those that a stream has,
//! are the streams that decoding alone could sustain.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use avwatch_actors::lifeline::Lifeline;
use avwatch_actors::worker::{self, WorkEnd};
use ffmpeg_next::media::Type;
use ffmpeg_next::{Error, Packet, codec, decoder, format, frame};

use crate::measure::cost::thread_cpu;

/// What all threads came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bare {
    /// Pictures that were decoded.
    pub pictures: u64,
    /// CPU time that it took.
    pub cpu: Duration,
    /// How long it took.
    pub wall: Duration,
}

enum Track {
    Video(decoder::Video),
    Audio(decoder::Audio),
}

/// Decodes the file on that many threads for that long, or until the cut.
///
/// # Errors
/// The file cannot be decoded, or the system refuses a thread.
pub fn decode(path: &Path, threads: usize, wall: Duration, line: &Arc<Lifeline>) -> std::io::Result<Bare> {
    let (say, said) = crossbeam_channel::bounded(threads);
    let begin = Instant::now();
    for number in 0..threads {
        let (path, say) = (path.to_owned(), say.clone());
        let work =
            move |line: &Arc<Lifeline>| rounds(&path, begin + wall, line).map(|pictures| (pictures, thread_cpu()));
        let done = move |end: WorkEnd<Result<(u64, Duration), Error>>| {
            let end = match end {
                WorkEnd::Returned(end) => end.map_err(|error| error.to_string()),
                WorkEnd::Panicked(why) => Err(why),
            };
            // Nobody listening means that another thread has failed.
            let _ = say.send(end);
        };
        drop(worker::spawn(&format!("load:bare{number}"), line.clone(), work, done)?);
    }
    let mut bare = Bare::default();
    for _ in 0..threads {
        // A round is checked against the clock with every packet; a minute more is for a machine that stands still.
        let (pictures, cpu) = said
            .recv_timeout(wall + Duration::from_secs(60))
            .map_err(std::io::Error::other)?
            .map_err(std::io::Error::other)?;
        bare.pictures += pictures;
        bare.cpu += cpu;
    }
    bare.wall = begin.elapsed();
    Ok(bare)
}

fn rounds(path: &Path, until: Instant, line: &Lifeline) -> Result<u64, Error> {
    let mut pictures = 0;
    while Instant::now() < until && !line.is_cut() {
        pictures += round(path, until, line)?;
    }
    Ok(pictures)
}

fn round(path: &Path, until: Instant, line: &Lifeline) -> Result<u64, Error> {
    let mut input = format::input(path)?;
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
    let mut pictures = 0;
    loop {
        let mut packet = Packet::empty();
        match packet.read(&mut input) {
            Ok(()) => {}
            Err(Error::Eof) => return Ok(pictures),
            Err(error) => return Err(error),
        }
        if Instant::now() >= until || line.is_cut() {
            return Ok(pictures);
        }
        match tracks.get_mut(packet.stream()).and_then(Option::as_mut) {
            Some(Track::Video(decoder)) => {
                decoder.send_packet(&packet)?;
                let mut picture = frame::Video::empty();
                while decoder.receive_frame(&mut picture).is_ok() {
                    pictures += 1;
                }
            }
            Some(Track::Audio(decoder)) => {
                decoder.send_packet(&packet)?;
                let mut block = frame::Audio::empty();
                while decoder.receive_frame(&mut block).is_ok() {}
            }
            None => {}
        }
    }
}
