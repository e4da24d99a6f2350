//! Datagrams that this machine dropped: no fault of the source, whatever the tier.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{JoinHandle, park_timeout};
use std::time::Duration;

use avwatch_actors::frame::{DecodeSigns, Stamp};
use avwatch_actors::item::{GapReason, TimelineSign};
use avwatch_actors::lifeline::{CutReason, Lifeline};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::source::Opener;
use avwatch_actors::tier::{Tier, TierDial, TierRange};
use avwatch_actors::track::{SessionNumber, TrackId};

use super::MediaOpener;
use super::spec::{Address, InputSpec};
use super::test_media::{Heard, clip, spec};
use super::testing::free_port;

const DATAGRAM: usize = 7 * 188;
/// The socket has room for about a hundred datagrams: for those that are sent one for one, and not for a flood.
const RECEIVE_BUFFER: usize = 128 << 10;
const ON_THE_WAY: u64 = 70;
const FLOOD: usize = 300;

/// Sends a clip as fast as it is read, and some of it at once when it is told to.
struct Driver {
    floods: Sender<()>,
    flooded: Receiver<()>,
    thread: JoinHandle<()>,
}

fn send(bytes: Vec<u8>, port: u16, line: Arc<Lifeline>) -> Driver {
    let (floods, told) = channel::<()>();
    let (done, flooded) = channel::<()>();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let give = move |datagram: &[u8]| drop(socket.send_to(datagram, ("127.0.0.1", port)));
    let wait = || park_timeout(Duration::from_millis(1));
    let thread = std::thread::spawn(move || {
        // Stuffing until somebody listens.
        let stuffing = [[0x47, 0x1F, 0xFF, 0x10].as_slice(), &[0xFF; 184]].concat();
        while line.progress_count() == 0 && !line.is_cut() {
            give(&stuffing);
            wait();
        }
        let mut sent = line.progress_count();
        let mut datagrams = bytes.chunks(DATAGRAM);
        while !line.is_cut() {
            if told.try_recv().is_ok() {
                datagrams.by_ref().take(FLOOD).for_each(&give);
                // The socket is full: as many as may be on the way are read before the next is sent.
                sent = line.progress_count() + 2 * ON_THE_WAY;
                done.send(()).unwrap();
            } else if sent < line.progress_count() + ON_THE_WAY {
                datagrams.next().into_iter().for_each(&give);
                sent += 1;
            } else {
                wait();
            }
        }
    });
    Driver { floods, flooded, thread }
}

/// Fourteen seconds at a constant rate of 2 Mb/s, so that a flood is a second and a half.
fn programme(coding: &str) -> Vec<u8> {
    let arguments = format!(
        "-f lavfi -i testsrc2=size=320x180:rate=25:duration=14 -f lavfi -i sine=frequency=440:duration=14 \
         -c:v libx264 -preset veryfast -g 25 -sc_threshold 0 -bf 2 -b:v 1000k -maxrate 1000k -bufsize 500k \
         {coding} -c:a aac -ac 2 -muxrate 2000k"
    );
    std::fs::read(clip("ts", &arguments)).unwrap()
}

/// What is heard of a clip of which parts are dropped at 3.1 and 7.1 seconds; in triage just when it was raised.
fn heard_with_floods(range: TierRange, coding: &str) -> Heard {
    let (port, line) = (free_port(), Arc::new(Lifeline::default()));
    let driver = send(programme(coding), port, line.clone());
    let url = Address::Url(format!("udp://127.0.0.1:{port}").parse().unwrap());
    let mut spec = InputSpec { address: url, ..spec(std::path::Path::new("")) };
    spec.transport.receive_buffer = Some(RECEIVE_BUFFER);
    let dial = Arc::new(TierDial::new(range));
    let mut source = MediaOpener::new(spec).with_dial(dial.clone()).open(SessionNumber(1), &line).expect("opens");
    let mut heard = Heard::default();
    let mut floods_at = [3_100, 7_100].map(MediaTime::from_millis).into_iter().peekable();
    while heard.clock.last().is_none_or(|at| *at < MediaTime::from_millis(11_000)) {
        heard.take(source.next().expect("reads").expect("goes on"));
        if let (Some(at), Some(flood)) = (heard.clock.last(), floods_at.peek())
            && at >= flood
        {
            floods_at.next();
            dial.suspect();
            heard.take(source.next().expect("reads").expect("goes on"));
            driver.floods.send(()).unwrap();
            driver.flooded.recv().unwrap();
        }
    }
    line.cut(CutReason::Stopped);
    driver.thread.join().unwrap();
    heard
}

fn is_well(signs: &DecodeSigns) -> bool {
    !signs.damaged && signs.errors == 0 && !signs.concealed && !signs.packet_corrupt && !signs.reference_missing
}

/// By how much the time of a frame differs from that which the source gave it.
fn shift(stamp: &Stamp) -> Option<MediaTime> {
    let sent = stamp.source_time?;
    Some(stamp.media_time - MediaTime::from_ticks(sent.pts?, sent.base.0, sent.base.1))
}

#[test]
fn what_this_machine_dropped_is_called_no_fault_of_the_source() {
    let tiers = [Tier::Full, Tier::Light, Tier::Keyframes, Tier::Audio, Tier::Transport].map(TierRange::from);
    let cases = tiers.into_iter().chain([TierRange::triage()]).map(|range| (range, ""));
    for (tier, coding) in cases.chain([(TierRange::from(Tier::Full), "-x264-params open-gop=1")]) {
        let heard = heard_with_floods(tier, coding);
        let dropped: u64 = heard.packets.iter().map(|facts| facts.receive_dropped).sum();
        assert!(dropped > FLOOD as u64 / 2, "{tier:?}: {dropped} datagrams");
        assert_eq!(heard.signs(), Vec::<TimelineSign>::new(), "{tier:?}");
        assert!(heard.gaps.iter().all(|gap| gap.why == GapReason::Displaced), "{tier:?}: {:?}", heard.gaps);
        assert!(heard.video.iter().all(|frame| is_well(&frame.facts.signs)), "{tier:?}");
        assert!(heard.audio.iter().all(|frame| is_well(&frame.signs)), "{tier:?}");
        for pair in heard.video.windows(2) {
            let hole = pair[1].stamp.media_time - pair[0].stamp.end();
            assert!(hole < MediaTime::from_millis(200) || pair[1].facts.signs.key, "{tier:?} {coding}: {hole:?}");
        }
        let stamps = heard.video.iter().map(|frame| frame.stamp).chain(heard.audio.iter().map(|frame| frame.stamp));
        let mut shifts: Vec<MediaTime> = stamps.filter_map(|stamp| shift(&stamp)).collect();
        shifts.sort_unstable();
        if let (Some(least), Some(most)) = (shifts.first(), shifts.last()) {
            assert!(*most - *least < MediaTime::from_millis(2), "{tier:?}: {least:?} to {most:?}");
        }
    }
}

#[test]
fn pictures_go_on_with_the_first_key_picture_that_came_whole_and_sound_a_second_later() {
    let heard = heard_with_floods(TierRange::from(Tier::Full), "");
    let holes = heard
        .video
        .windows(2)
        .filter(|pair| pair[1].stamp.media_time - pair[0].stamp.end() > MediaTime::from_millis(100));
    let holes: Vec<_> = holes.map(|pair| (pair[0].stamp.end(), &pair[1])).collect();
    assert_eq!(holes.len(), 2, "{:?}", holes.iter().map(|hole| hole.0).collect::<Vec<_>>());
    for (from, next) in holes {
        assert!(next.facts.signs.key, "{from:?}");
        let lasts = next.stamp.media_time - from;
        let told = heard.gaps.iter().filter(|gap| gap.track == TrackId::video(0));
        assert!(told.clone().any(|gap| gap.from <= from && gap.to >= next.stamp.media_time), "{from:?}: {told:?}");
        assert!(lasts < MediaTime::from_millis(2_800), "lost, and what referred to it: {lasts:?}");
    }
    let sound = heard.audio_of(0);
    let silent = sound.windows(2).map(|pair| pair[1].stamp.media_time - pair[0].stamp.end());
    let longest = silent.max().expect("blocks");
    assert!((MediaTime::from_millis(1_000)..MediaTime::from_millis(3_500)).contains(&longest), "{longest:?}");
    assert!(heard.counts(TrackId::video(0)).left_out > 10, "coverage shows it");
    // The tone is as loud as ever on both sides of a hole: nothing fades in, nothing is left of what was torn.
    let hops =
        sound.iter().flat_map(|block| block.hops.iter()).filter(|(hop, _)| hop.lasts == MediaTime::from_millis(10));
    let mut peaks: Vec<f32> = hops.skip(20).map(|(_, channels)| channels[0].peak).collect();
    peaks.sort_by(f32::total_cmp);
    let (least, usual, most) = (peaks[0], peaks[peaks.len() / 2], peaks[peaks.len() - 1]);
    assert!(least > 0.95 * usual && most < 1.05 * usual, "{least} {usual} {most}");
}
