//! What each tier shows of real clips, and what a change of tier leaves behind: nothing.

use std::sync::Arc;

use avwatch_actors::item::{Item, TimelineSign};
use avwatch_actors::lifeline::Lifeline;
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::source::{FrameSource, Opener};
use avwatch_actors::tier::{Tier, TierDial, TierRange};
use avwatch_actors::track::{SessionNumber, TrackId};

use super::decoder::{Decoder, Received, Sent};
use super::slices::SliceReader;
use super::test_media::{Heard, assembled, clip, spec};
use super::{MediaOpener, field_coded};

/// Ten seconds of pictures that refer to each other, a key picture each second, with sound.
fn programme(extension: &str, more: &str) -> std::path::PathBuf {
    clip(
        extension,
        &format!(
            "-f lavfi -i testsrc2=size=320x180:rate=25:duration=10 -f lavfi -i sine=frequency=440:duration=10 {more} \
             -c:v libx264 -preset veryfast -g 25 -sc_threshold 0 -bf 2 -c:a aac -ac 2"
        ),
    )
}

fn open(path: &std::path::Path, dial: &Arc<TierDial>) -> Box<dyn FrameSource> {
    let opener = MediaOpener::new(spec(path)).with_dial(dial.clone());
    opener.open(SessionNumber(1), &Arc::new(Lifeline::default())).expect("opens")
}

fn dial(tier: Tier) -> Arc<TierDial> {
    Arc::new(TierDial::new(TierRange::from(tier)))
}

fn heard_in(tier: Tier, path: &std::path::Path) -> Heard {
    let mut source = open(path, &dial(tier));
    let mut heard = Heard::default();
    while let Some(item) = source.next().expect("reads") {
        heard.take(item);
    }
    assert!(heard.started.iter().all(|info| info.tier == tier));
    heard
}

/// Nothing is called a fault of the source.
fn assert_no_sign(heard: &Heard, what: &str) {
    assert_eq!((heard.signs(), heard.gaps.len()), (Vec::<TimelineSign>::new(), 0), "{what}");
    assert!(heard.video.iter().all(|frame| !frame.facts.signs.damaged && frame.facts.signs.errors == 0), "{what}");
}

#[test]
fn keyframes_shows_every_key_picture_at_its_time_and_all_sound() {
    for extension in ["ts", "mp4", "mkv"] {
        let path = programme(extension, "");
        let (full, thin) = (heard_in(Tier::Full, &path), heard_in(Tier::Keyframes, &path));
        let keys = |heard: &Heard| -> Vec<i64> {
            let keys = heard.video.iter().filter(|frame| frame.facts.signs.key);
            keys.map(|frame| frame.stamp.media_time.as_nanos()).collect()
        };
        assert_eq!(keys(&thin), keys(&full), "{extension}");
        assert_eq!(thin.video.len(), 10, "{extension}");
        assert_eq!(thin.audio_of(0).len(), full.audio_of(0).len(), "{extension}");
        let counts = thin.counts(TrackId::video(0));
        assert_eq!((counts.packets, counts.left_out), (250, 240), "{extension}");
        assert_no_sign(&thin, extension);
        assert_eq!(thin.clock.last(), full.clock.last(), "{extension}");
    }
}

#[test]
fn key_pictures_that_are_followed_by_ones_shown_before_them_are_not_called_damaged_in_keyframes() {
    let path = programme("ts", "-x264-params open-gop=1");
    let thin = heard_in(Tier::Keyframes, &path);
    assert_eq!(thin.video.len(), 10);
    assert_no_sign(&thin, "open groups");
}

#[test]
fn light_leaves_out_what_no_picture_refers_to() {
    let path = programme("ts", "");
    let thin = heard_in(Tier::Light, &path);
    assert!((80..200).contains(&thin.video.len()), "{}", thin.video.len());
    let left_out = thin.counts(TrackId::video(0)).left_out as usize;
    assert!(left_out + thin.video.len() <= 250 && left_out + thin.video.len() >= 220, "{left_out}");
    assert_no_sign(&thin, "light");
}

#[test]
fn in_light_the_coverage_of_video_coded_field_by_field_counts_every_picture_once() {
    // Nothing refers to 12 of 25 pictures.
    for extension in ["ts", "mp4", "mkv"] {
        let path = fields(extension, 250);
        let full = heard_in(Tier::Full, &path);
        let counts = full.counts(TrackId::video(0));
        assert_eq!((counts.packets, full.video.len(), counts.left_out), (500, 250, 0), "{extension}");
        let thin = heard_in(Tier::Light, &path);
        let counts = thin.counts(TrackId::video(0));
        assert_eq!((counts.packets, thin.video.len()), (500, 130), "{extension}");
        // Up to 16 pictures may still be with the decoder.
        assert!((208..=240).contains(&counts.left_out), "{extension}: {}", counts.left_out);
        assert_eq!(counts.second_fields * 2, counts.left_out, "{extension}");
        assert!(thin.video.iter().all(|frame| !frame.facts.signs.damaged), "{extension}");
    }
}

/// Pictures coded field by field, 25 from key picture to key picture, each field in a packet of its own.
fn fields(extension: &str, pictures: u32) -> std::path::PathBuf {
    clip(extension, &format!("-f h264 -r 50 -i {} -c copy", field_coded::file(pictures).display()))
}

fn millis(heard: &Heard) -> Vec<i64> {
    heard.video.iter().map(|frame| frame.stamp.media_time.as_millis()).collect()
}

#[test]
fn times_of_video_coded_field_by_field_do_not_jump_at_every_picture() {
    let apart = ["ts", "mp4", "mkv"].map(|extension| fields(extension, 250));
    let together = ["ts", "mp4"].map(|extension| field_coded::in_pairs(&fields("ts", 250), extension));
    for path in apart.iter().chain(&together) {
        let full = heard_in(Tier::Full, path);
        assert_eq!(millis(&full), (0..250).map(|number| number * 40).collect::<Vec<_>>(), "{}", path.display());
        assert_no_sign(&full, &path.display().to_string());
    }
}

#[test]
fn keyframes_shows_every_key_picture_of_video_coded_field_by_field() {
    let seconds: Vec<i64> = (0..10).map(|number| number * 1_000).collect();
    for extension in ["ts", "mp4", "mkv"] {
        let thin = heard_in(Tier::Keyframes, &fields(extension, 250));
        assert_eq!(millis(&thin), seconds, "{extension}");
        let counts = thin.counts(TrackId::video(0));
        assert_eq!((counts.packets, counts.left_out, counts.second_fields), (500, 480, 240), "{extension}");
        assert_no_sign(&thin, extension);
    }
    // A transport stream is taken apart into fields all the same, a file is not.
    for (extension, packets) in [("ts", 500), ("mp4", 250)] {
        let thin = heard_in(Tier::Keyframes, &field_coded::in_pairs(&fields("ts", 250), extension));
        assert_eq!(millis(&thin), seconds, "{extension}");
        assert_eq!(thin.counts(TrackId::video(0)).packets, packets, "{extension}");
        assert_no_sign(&thin, extension);
    }
}

#[test]
fn a_lost_field_hides_no_key_picture_but_its_own() {
    let whole = fields("ts", 150);
    let shown = |lost: usize| {
        let broken = format!("-i {} -c copy -bsf:v noise=drop='eq(n\\,{lost})'", whole.display());
        millis(&heard_in(Tier::Keyframes, &clip("ts", &broken)))
    };
    // Of the second key picture, 50 is the first field and 51 the second.
    for (lost, expected) in [
        (10, &[0, 1_000, 2_000, 3_000, 4_000, 5_000][..]),
        (11, &[0, 1_000, 2_000, 3_000, 4_000, 5_000]),
        (50, &[0, 2_000, 3_000, 4_000, 5_000]),
        (51, &[0, 2_000, 3_000, 4_000, 5_000]),
        // Its own times begin with the first picture that is shown.
        (0, &[0, 1_000, 2_000, 3_000, 4_000]),
    ] {
        assert_eq!(shown(lost), expected, "{lost}");
    }
}

#[test]
fn damage_of_a_second_field_is_told_with_its_own_key_picture() {
    let mut bytes = std::fs::read(fields("ts", 100)).expect("it was made");
    let pid = |packet: &[u8]| u16::from(packet[1] & 0x1F) << 8 | u16::from(packet[2]);
    let begins = |packet: &&mut [u8]| pid(packet) == 0x100 && packet[1] & 0x40 != 0;
    let second = bytes.chunks_mut(188).filter(begins).nth(51).expect("a second field");
    // The end of its only slice.
    second[186..].fill(0xFF);
    let thin = heard_in(Tier::Keyframes, &assembled(&bytes));
    let damaged: Vec<bool> = thin.video.iter().map(|frame| frame.facts.signs.damaged).collect();
    assert_eq!((millis(&thin), damaged), (vec![0, 1_000, 2_000, 3_000], vec![false, true, false, false]));
}

#[test]
fn audio_shows_sound_alone_and_transport_counts_alone() {
    for extension in ["ts", "mp4"] {
        let path = programme(extension, "");
        let full = heard_in(Tier::Full, &path);
        for (tier, blocks) in [(Tier::Audio, full.audio_of(0).len()), (Tier::Transport, 0)] {
            let thin = heard_in(tier, &path);
            assert_eq!((thin.video.len(), thin.audio_of(0).len()), (0, blocks), "{tier} {extension}");
            let counts = thin.counts(TrackId::video(0));
            assert_eq!((counts.packets, counts.left_out), (250, 250), "{tier} {extension}");
            assert!(counts.bytes > 0 && counts.undecodable == 0);
            assert_no_sign(&thin, &format!("{tier} {extension}"));
            let last = thin.clock.last().copied().unwrap_or_default();
            assert!(last >= MediaTime::from_millis(9_700), "{tier} {extension} ends at {last:?}");
        }
    }
}

#[test]
fn a_hole_of_the_source_is_told_in_every_tier() {
    let path = programme("ts", "-vf setpts=PTS+gte(T\\,5.4)*3/TB -fps_mode passthrough");
    for tier in Tier::ALL {
        let thin = heard_in(tier, &path);
        let holes: Vec<f64> = thin
            .signs()
            .iter()
            .filter_map(|sign| match sign {
                TimelineSign::Gap { missing } => Some(missing.as_secs_f64()),
                _ => None,
            })
            .collect();
        let [hole] = holes[..] else { panic!("{tier}: {:?}", thin.signs()) };
        assert!((2.2..=3.2).contains(&hole), "{tier}: {hole}");
    }
}

#[test]
fn a_session_follows_its_dial_through_all_tiers_and_back_without_a_trace() {
    for extension in ["ts", "mp4"] {
        let path = programme(extension, "");
        let dial = dial(Tier::Full);
        let mut source = open(&path, &dial);
        let mut heard = Heard::default();
        let mut way =
            [Tier::Keyframes, Tier::Full, Tier::Audio, Tier::Light, Tier::Transport, Tier::Keyframes, Tier::Full]
                .into_iter();
        let mut next_at = MediaTime::from_millis(1_300);
        while let Some(item) = source.next().expect("reads") {
            if let Item::Clock(at) = item
                && at >= next_at
                && let Some(tier) = way.next()
            {
                dial.shed_to(tier);
                next_at = at + MediaTime::from_millis(1_200);
            }
            heard.take(item);
        }
        let tiers: Vec<Tier> = heard.started.iter().map(|info| info.tier).collect();
        let mut changes = tiers.clone();
        changes.dedup();
        assert_eq!(changes.len(), 8, "{extension}: {tiers:?}");
        assert_no_sign(&heard, extension);
        let times: Vec<i64> = heard.video.iter().map(|frame| frame.stamp.media_time.as_nanos()).collect();
        assert!(times.is_sorted_by(|one, next| one < next), "{extension}");
        // Each of these pictures would be broken if it were decoded without its key picture.
        let full = heard_in(Tier::Full, &path);
        for frame in &heard.video {
            let same = full.video.iter().find(|known| known.stamp.media_time == frame.stamp.media_time);
            let same = same.unwrap_or_else(|| panic!("{extension}: none at {:?}", frame.stamp.media_time));
            assert!((frame.facts.luma.mean - same.facts.luma.mean).abs() < 0.5, "{extension}");
        }
        assert!(heard.video.len() > 60, "{extension}: {}", heard.video.len());
    }
}

#[test]
fn a_decoder_gives_out_a_key_picture_at_the_end_of_its_sequence_and_goes_on() {
    for extension in ["ts", "mp4"] {
        let film = "-f lavfi -i testsrc2=s=320x240:r=25:d=4 -c:v libx264 -preset veryfast -x264-params";
        let path = clip(extension, &format!("{film} keyint=25:bframes=3:scenecut=0"));
        let mut input = ffmpeg_next::format::input(&path).expect("opens");
        let stream = input.streams().next().expect("pictures");
        // SAFETY: the input is open, and nobody else uses it.
        let mut decoder = unsafe { Decoder::open(stream.as_ptr(), &spec(&path)) }.expect("H.264");
        let slices = SliceReader::new(decoder.extra_data());
        let end = ffmpeg_next::Packet::copy(&slices.end_of_sequence());
        let mut pictures = 0;
        for (_, packet) in input.packets().filter(|(_, packet)| packet.is_key()) {
            assert!(slices.first(packet.data().expect("bytes")).is_some_and(|slice| slice.is_idr));
            assert_eq!(decoder.send(Some(&packet), pictures), Sent::Taken);
            assert_eq!(decoder.receive(), Received::Hungry, "held back, as others might be shown before it");
            assert_eq!(decoder.send(Some(&end), pictures), Sent::Taken);
            assert_eq!(decoder.receive(), Received::Frame);
            assert_eq!((decoder.frame().key_frame, decoder.frame().reordered_opaque), (1, pictures as i64));
            assert_eq!(decoder.receive(), Received::Hungry);
            pictures += 1;
        }
        assert_eq!(pictures, 4, "{extension}");
    }
}
