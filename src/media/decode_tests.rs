//! Real clips through real decoders, compared with what `ffprobe` says of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use avwatch_actors::frame::{AudioFrame, Repair, VideoFrame};
use avwatch_actors::item::TimelineSign;
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::track::TrackId;

use super::spec::{Selection, TrackRole};
use super::test_media::{Heard, assembled, clip, hear, probe, spec, without_packets};

const SCENE: &str = "-f lavfi -i testsrc2=s=320x240:r=25:d=4 -f lavfi -i sine=r=48000:d=4";

fn h264_ts() -> PathBuf {
    clip("ts", &format!("{SCENE} -c:v libx264 -preset veryfast -x264-params keyint=25:bframes=3:scenecut=0 -c:a aac"))
}

/// Frame count, first and last presentation time of every given stream are those of `ffprobe`, with
/// zero at the earliest of them.
fn check_against_ffprobe(path: &Path, streams: &[&str]) -> Heard {
    let heard = hear(spec(path));
    let truths: Vec<_> = streams.iter().map(|stream| probe(path, stream)).collect();
    let zero = truths.iter().flatten().map(|(at, _)| *at).fold(f64::INFINITY, f64::min);
    for (stream, truth) in streams.iter().zip(&truths) {
        let (kind, number) = stream.split_once(':').expect("kind:number");
        let number = number.parse().expect("a number");
        let times: Vec<MediaTime> = match kind {
            "v" => heard.video_of(number).iter().map(|frame| frame.stamp.media_time).collect(),
            _ => heard.audio_of(number).iter().map(|frame| frame.stamp.media_time).collect(),
        };
        assert_eq!(times.len(), truth.len(), "{stream} of {}", path.display());
        for (at, (truth, _)) in times.iter().zip(truth) {
            // Sound counts samples where the container rounds to milliseconds.
            assert!((at.as_secs_f64() - (truth - zero)).abs() < 0.0021, "{stream}: {at} is not {}", truth - zero);
        }
        assert!(times.windows(2).all(|pair| pair[0] < pair[1]));
    }
    assert_eq!(heard.signs(), [], "a clean clip has no marks");
    assert!(heard.gaps.is_empty());
    assert!(heard.clock_ahead <= MediaTime::ZERO, "clock ahead by {}", heard.clock_ahead);
    assert!(heard.video.iter().all(|frame| !frame.facts.signs.damaged && frame.facts.signs.errors == 0));
    assert!(heard.audio.iter().all(|frame| !frame.signs.damaged));
    heard
}

#[test]
fn h264_and_aac_in_ts_come_out_as_ffprobe_sees_them() {
    let heard = check_against_ffprobe(&h264_ts(), &["v:0", "a:0"]);
    let last = heard.video_of(0).last().expect("frames").stamp;
    assert_eq!(last.lasts, MediaTime::from_millis(40));
    let info = &heard.started[0];
    assert_eq!((info.container.as_str(), info.revision, info.tracks.len()), ("mpegts", 0, 2));
    let video = info.track(TrackId::video(0)).expect("a picture track");
    assert_eq!((video.codec.as_str(), video.pid, video.program), ("h264", Some(0x100), Some(1)));
    let format = video.video.as_ref().expect("known");
    assert_eq!((format.width, format.height, format.frame_rate), (320, 240, 25.0));
    assert_eq!((format.pixel_format.as_str(), format.interlaced, format.full_range), ("yuv420p", false, false));
    assert_eq!(heard.video.iter().filter(|frame| frame.facts.signs.key).count(), 4);
    assert!(heard.video.iter().all(|frame| frame.facts.signs.tuned));
}

#[test]
fn edit_lists_and_priming_of_mp4_are_honoured() {
    let path = clip("mp4", &format!("{SCENE} -c:v libx264 -preset veryfast -bf 3 -g 25 -c:a aac"));
    let heard = check_against_ffprobe(&path, &["v:0", "a:0"]);
    assert_eq!(heard.video_of(0)[0].stamp.media_time, MediaTime::ZERO);
    assert_eq!(heard.audio_of(0)[0].stamp.media_time, MediaTime::ZERO, "the priming is not heard");
}

#[test]
fn interlaced_mpeg2_with_mp2_is_told_as_such() {
    let path = clip(
        "ts",
        &format!(
            "{SCENE} -vf tinterlace=interleave_top,setfield=tff -c:v mpeg2video -flags +ilme+ildct+bitexact -bf 2 -g 12 -b:v 2M -c:a mp2 -b:a 192k"
        ),
    );
    let heard = check_against_ffprobe(&path, &["v:0", "a:0"]);
    assert!(heard.video.iter().all(|frame| frame.facts.interlaced));
}

#[test]
fn ten_bit_hevc_is_read_in_its_own_depth() {
    let path = clip(
        "mp4",
        "-f lavfi -i testsrc2=s=320x240:r=30000/1001:d=2 -pix_fmt yuv420p10le -c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=30 -tag:v hvc1",
    );
    let heard = check_against_ffprobe(&path, &["v:0"]);
    assert!(
        heard
            .video
            .iter()
            .all(|frame| frame.facts.depth == 10 && frame.facts.luma.mean > 16.0 && frame.facts.luma.mean < 235.0)
    );
}

#[test]
fn vp9_and_opus_in_webm_count_samples_over_rounded_times() {
    let path = clip("webm", &format!("{SCENE} -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 500k -c:a libopus"));
    check_against_ffprobe(&path, &["v:0", "a:0"]);
}

#[test]
fn odd_sizes_and_every_chroma_format_are_read() {
    for (format, depth) in [("yuv422p10le", 10), ("yuv444p", 8), ("yuvj420p", 8), ("gray", 8), ("bgr0", 8), ("gbrp", 8)]
    {
        let path = clip(
            "mkv",
            &format!("-f lavfi -i testsrc2=s=320x240:r=24000/1001:d=1 -vf scale=321:241 -pix_fmt {format} -c:v ffv1"),
        );
        let heard = check_against_ffprobe(&path, &["v:0"]);
        let facts = heard.video[0].facts;
        assert_eq!((facts.width, facts.height, facts.depth), (321, 241, depth), "{format}");
        assert!(facts.luma.mean > 30.0, "{format}: {}", facts.luma.mean);
    }
}

#[test]
fn full_range_is_recognised() {
    let path = clip("mp4", "-f lavfi -i testsrc2=s=320x240:r=25:d=1 -pix_fmt yuvj420p -c:v libx264 -preset veryfast");
    let heard = check_against_ffprobe(&path, &["v:0"]);
    assert!(heard.started[0].tracks[0].video.as_ref().expect("known").full_range);
}

#[test]
fn sound_of_any_block_length_is_split_and_covered_by_hops() {
    let path = clip("flac", "-f lavfi -i sine=r=44100:d=3 -c:a flac -frame_size 16384");
    let heard = hear(spec(&path));
    let blocks = heard.audio_of(0);
    assert!(blocks.iter().all(|block| block.stamp.lasts <= MediaTime::from_millis(100)));
    assert!(
        blocks
            .windows(2)
            .all(|pair| pair[0].stamp.end().distance(pair[1].stamp.media_time) <= MediaTime::from_nanos(2))
    );
    let hops: usize = blocks.iter().map(|block| block.hops.len()).sum();
    assert_eq!(hops, 300);
    let last = heard.audio.last().expect("a final block");
    assert_eq!((last.stamp.lasts, last.loudness.is_some()), (MediaTime::ZERO, true), "it carries the final loudness");
    assert!((last.stamp.media_time.as_secs_f64() - 3.0).abs() < 1e-6);
}

#[test]
fn two_sound_tracks_have_their_names_and_roles() {
    let path = clip(
        "ts",
        "-f lavfi -i testsrc2=s=160x120:r=25:d=2 -f lavfi -i sine=d=2 -f lavfi -i sine=f=880:d=2 -map 0 -map 1 -map 2 -c:v mpeg2video -c:a mp2 -metadata:s:a:0 language=deu -metadata:s:a:1 language=eng",
    );
    let mut spec = spec(&path);
    spec.tracks.insert(TrackId::audio(1), TrackRole { role: Some("descriptions".into()), ignore: false });
    let heard = hear(spec);
    let told: Vec<_> = heard.started[0]
        .tracks
        .iter()
        .map(|track| (track.track.to_string(), track.language.clone(), track.secondary))
        .collect();
    let own = |text: &str| Some(text.to_owned());
    assert_eq!(
        told,
        [("video:0".into(), None, false), ("audio:0".into(), own("deu"), false), ("audio:1".into(), own("eng"), true)]
    );
    assert!(heard.audio_of(0).len() > 70 && heard.audio_of(1).len() > 70);
}

#[test]
fn an_ignored_track_is_told_but_not_decoded() {
    let path = h264_ts();
    let mut spec = spec(&path);
    spec.tracks.insert(TrackId::audio(0), TrackRole { role: None, ignore: true });
    let heard = hear(spec);
    assert_eq!((heard.started[0].tracks.len(), heard.audio.len(), heard.video.len()), (2, 0, 100));
}

#[test]
fn one_of_two_programmes_is_inspected() {
    let path = clip(
        "ts",
        "-f lavfi -i testsrc2=s=160x120:r=25:d=2 -f lavfi -i sine=d=2 -f lavfi -i testsrc2=s=320x240:r=25:d=2 -f lavfi -i sine=d=2 -map 0 -map 1 -map 2 -map 3 -c:v mpeg2video -c:a mp2 -program program_num=11:st=0:st=1 -program program_num=12:st=2:st=3",
    );
    for (wish, width) in [(None, 160), (Some(11), 160), (Some(12), 320)] {
        let mut spec = spec(&path);
        spec.selection = Selection { program: wish, ..Selection::default() };
        let heard = hear(spec);
        assert!(heard.video.iter().all(|frame| frame.facts.width == width), "{wish:?}");
        assert_eq!((heard.video.len(), heard.started[0].tracks.len()), (50, 2));
        assert_eq!(heard.started[0].tracks[0].program, Some(wish.unwrap_or(11)));
    }
}

#[test]
fn a_change_of_picture_size_is_announced_where_it_happens() {
    let make = |size: &str| {
        clip(
            "ts",
            &format!(
                "-f lavfi -i testsrc2=s={size}:r=25:d=2 -f lavfi -i sine=d=2 -c:v libx264 -preset veryfast -bf 2 -g 25 -c:a aac"
            ),
        )
    };
    let (small, large) = (make("320x240"), make("640x360"));
    let path = assembled(&{ [std::fs::read(&small).expect("made"), std::fs::read(&large).expect("made")].concat() });
    let heard = hear(spec(&path));
    assert_eq!(heard.video.len(), 100);
    assert_eq!(heard.started.len(), 2);
    let changed = &heard.started[1];
    let first_large = heard.video.iter().find(|frame| frame.facts.width == 640).expect("large pictures");
    assert_eq!((changed.revision, changed.at), (1, first_large.stamp.media_time));
    assert_eq!(changed.tracks[0].video.as_ref().map(|format| (format.width, format.height)), Some((640, 360)));
    assert!(!first_large.facts.motion.compared, "nothing to compare with");
    let end = heard.video.last().expect("frames").stamp.end();
    assert!(end.distance(MediaTime::from_millis(4_000)) < MediaTime::from_millis(150), "{end}");
}

#[test]
fn a_change_of_sample_rate_and_channels_is_announced() {
    let make = |arguments: &str| clip("ts", &format!("-f lavfi -i sine=d=2 {arguments} -c:a mp2"));
    let (first, second) = (make("-ar 48000 -ac 2"), make("-ar 32000 -ac 1"));
    let path = assembled(&{ [std::fs::read(&first).expect("made"), std::fs::read(&second).expect("made")].concat() });
    let heard = hear(spec(&path));
    let told: Vec<_> = heard
        .started
        .iter()
        .filter_map(|info| info.tracks[0].audio.as_ref())
        .map(|format| (format.sample_rate, format.channels, format.layout.clone()))
        .collect();
    assert_eq!(told, [(48_000, 2, "stereo".to_owned()), (32_000, 1, "mono".to_owned())]);
    let ends = |frame: &&Arc<AudioFrame>| frame.stamp.lasts == MediaTime::ZERO && frame.loudness.is_some();
    assert_eq!(heard.audio.iter().filter(ends).count(), 2, "one final reading each");
}

#[test]
fn a_wrap_of_the_transport_clock_goes_unnoticed() {
    // 2^33 ticks are 95443.717 s.
    let path =
        clip("ts", &format!("{SCENE} -c:v libx264 -preset veryfast -bf 2 -g 25 -c:a aac -output_ts_offset 95440.3"));
    let heard = hear(spec(&path));
    assert_eq!((heard.video.len(), heard.signs()), (100, vec![]));
    assert_eq!(heard.started[0].tracks.len(), 2);
    let end = heard.video.last().expect("frames").stamp.end();
    assert!(end.distance(MediaTime::from_millis(4_000)) < MediaTime::from_millis(100), "{end}");
}

#[test]
fn a_hole_in_the_pictures_is_a_gap_of_that_track() {
    let path = clip(
        "mp4",
        "-f lavfi -i testsrc2=s=160x120:r=25:d=6 -f lavfi -i sine=d=6 -c:v libx264 -preset veryfast -bf 0 -g 25 -c:a aac",
    );
    let holed = clip("ts", &format!("-i {} -c copy -bsf:v noise=drop='between(n,50,124)'", path.display()));
    let heard = hear(spec(&holed));
    assert_eq!(heard.video.len(), 75);
    assert_eq!(heard.signs(), [TimelineSign::Gap { missing: MediaTime::from_millis(3_000) }]);
    assert_eq!(heard.gaps.len(), 1);
    let gap = heard.gaps[0];
    assert_eq!((gap.track, gap.to - gap.from), (TrackId::video(0), MediaTime::from_millis(3_000)));
    // The clock went on through the hole, by the sound.
    assert!(heard.clock.iter().filter(|at| **at > gap.from && **at < gap.to).count() >= 15);
}

#[test]
fn a_restart_of_the_sender_keeps_sound_with_its_picture() {
    let make = |offset: &str| {
        clip("ts", &format!("{SCENE} -c:v libx264 -preset veryfast -bf 2 -g 25 -c:a mp2 -output_ts_offset {offset}"))
    };
    let (first, second) = (make("50000"), make("10"));
    let path = assembled(&{ [std::fs::read(&first).expect("made"), std::fs::read(&second).expect("made")].concat() });
    let heard = hear(spec(&path));
    assert_eq!(heard.video.len(), 200);
    let skew = |video: usize, audio: usize| {
        let (video, audio) = (heard.video_of(0)[video].stamp, heard.audio_of(0)[audio].stamp);
        let raw = |stamp: avwatch_actors::frame::Stamp| stamp.source_time.and_then(|time| time.pts).expect("sent");
        let sent = (raw(video) - raw(audio)) as f64 / 90_000.0;
        (video.media_time - audio.media_time).as_secs_f64() - sent
    };
    let last_audio = heard.audio_of(0).len() - 1;
    assert!(skew(10, 10).abs() < 0.001 && skew(199, last_audio).abs() < 0.001, "{}", skew(199, last_audio));
    assert!(heard.video.iter().any(|frame| frame.stamp.repair == Repair::Rebased));
    let end = heard.video.last().expect("frames").stamp.end();
    assert!(end.distance(MediaTime::from_millis(8_000)) < MediaTime::from_millis(300), "{end}");
}

#[test]
fn lost_transport_packets_damage_pictures_until_the_next_key_frame() {
    // Of the picture coded after the second key picture, to which those behind it refer.
    let path = without_packets(&h264_ts(), 26, 1..4);
    let heard = hear(spec(&path));
    assert!(heard.counts(TrackId::video(0)).corrupt >= 1, "{:?}", heard.counts(TrackId::video(0)));
    let damaged: Vec<usize> = heard
        .video
        .iter()
        .enumerate()
        .filter(|(_, frame)| frame.facts.signs.damaged)
        .map(|(number, _)| number)
        .collect();
    let (first, last) = (*damaged.first().expect("damage"), *damaged.last().expect("damage"));
    assert!(damaged.len() == last - first + 1, "without holes: {damaged:?}");
    assert!(heard.video[last + 1].facts.signs.key, "until a key frame");
    assert!(heard.video[first..=last].iter().any(|frame| frame.facts.signs.packet_corrupt));
    assert!(last - first < 25);
}

#[test]
fn tuning_in_to_an_open_group_is_no_damage() {
    let whole = clip(
        "ts",
        &format!(
            "{SCENE} -c:v libx264 -preset veryfast -x264-params open-gop=1:keyint=25:bframes=3:scenecut=0 -c:a aac"
        ),
    );
    let path = assembled(&{
        let bytes = std::fs::read(&whole).expect("made");
        // The tables stand at the beginning; the programme is joined a third into it.
        let start = bytes.len() / 3 / 188 * 188;
        [&bytes[..188 * 3], &bytes[start..]].concat()
    });
    let heard = hear(spec(&path));
    assert!(heard.video.len() > 50);
    let tuned: Vec<_> = heard.video.iter().filter(|frame| frame.facts.signs.tuned).collect();
    assert!(tuned[0].facts.signs.key);
    assert_eq!(tuned.iter().filter(|frame| frame.facts.signs.damaged).count(), 0);
}

#[test]
fn progress_is_told_about_ten_times_a_second() {
    let heard = hear(spec(&h264_ts()));
    assert_eq!(heard.clock.len(), heard.packets.len());
    assert!((30..=45).contains(&heard.clock.len()), "{}", heard.clock.len());
    assert!(heard.clock.windows(2).all(|pair| pair[0] < pair[1]));
    let end = heard
        .video
        .iter()
        .map(|frame| frame.stamp.end())
        .max()
        .max(heard.audio.iter().map(|frame| frame.stamp.end()).max());
    assert_eq!(heard.clock.last().copied(), end, "the last one at the very end");
    let counts = heard.counts(TrackId::video(0));
    assert_eq!((counts.packets, counts.corrupt, counts.undecodable), (100, 0, 0));
    assert!(
        heard
            .packets
            .iter()
            .filter_map(|facts| facts.skew)
            .all(|skew| skew.distance(MediaTime::ZERO) < MediaTime::from_millis(1_000))
    );
}

#[test]
fn encrypted_mp4_is_recognised_as_scrambled() {
    let path = clip(
        "mp4",
        &format!(
            "{SCENE} -c:v libx264 -preset veryfast -c:a aac -encryption_scheme cenc-aes-ctr -encryption_key 76a6c65c5ea762046bd749a2e632ccbb -encryption_kid a7e61c373e219033c21091fa607bf3b8"
        ),
    );
    let heard = hear(spec(&path));
    let counts = heard.counts(TrackId::video(0));
    assert_eq!((counts.packets, counts.scrambled, heard.video.len()), (100, 100, 0));
    assert!(
        heard.clock.last().expect("the clock goes on") >= &MediaTime::from_millis(2_500),
        "{:?}",
        heard.clock.last()
    );
}

#[test]
fn scrambled_transport_packets_are_counted_though_ffmpeg_drops_them() {
    let whole = h264_ts();
    let path = assembled(&{
        let mut bytes = std::fs::read(&whole).expect("made");
        for packet in bytes.chunks_mut(188) {
            if u16::from(packet[1] & 0x1F) << 8 | u16::from(packet[2]) == 0x101 {
                packet[3] |= 0x80;
                let payload = packet_payload(packet);
                packet[payload..].reverse();
            }
        }
        bytes
    });
    let heard = hear(spec(&path));
    let counts = heard.counts(TrackId::audio(0));
    assert!(counts.scrambled > 100 && counts.scrambled == counts.packets, "{counts:?}");
    assert_eq!((heard.video.len(), heard.counts(TrackId::video(0)).scrambled), (100, 0));
    assert!(!heard.started[0].track(TrackId::audio(0)).expect("announced").present);
}

fn packet_payload(packet: &[u8]) -> usize {
    if packet[3] & 0x20 != 0 { (5 + usize::from(packet[4])).min(188) } else { 4 }
}

#[test]
fn a_track_that_appears_later_is_announced_and_decoded() {
    let make = |arguments: &str| clip("ts", arguments);
    let first = make("-f lavfi -i testsrc2=s=160x120:r=25:d=5 -c:v mpeg2video");
    let second = make("-f lavfi -i testsrc2=s=160x120:r=25:d=2 -f lavfi -i sine=d=2 -c:v mpeg2video -c:a mp2");
    let path = assembled(&{ [std::fs::read(&first).expect("made"), std::fs::read(&second).expect("made")].concat() });
    let heard = hear(spec(&path));
    let last = heard.started.last().expect("announced");
    assert!(last.revision >= 1 && last.track(TrackId::audio(0)).is_some());
    assert!((60..=80).contains(&heard.audio_of(0).len()), "{}", heard.audio_of(0).len());
    let (video, audio) =
        (heard.video.last().expect("frames").stamp.end(), heard.audio.last().expect("blocks").stamp.end());
    assert!(video.distance(audio) < MediaTime::from_millis(150), "{video} {audio}");
}

#[test]
fn pictures_are_handed_out_by_reference_and_at_most_two_at_a_time() {
    let mut spec = spec(&h264_ts());
    spec.measure.keep_pictures = true;
    let heard = hear(spec);
    // Nothing was dropped meanwhile, so that the first two were never given back.
    let kept: Vec<_> = heard.video.iter().filter_map(|frame| frame.picture()).collect();
    assert_eq!(kept.len(), 2);
    assert_eq!((kept[0].view().luma.width, kept[0].view().luma.height), (320, 240));
}

#[test]
fn samples_are_handed_out_when_asked_for() {
    let mut spec = spec(&h264_ts());
    spec.measure.keep_samples = true;
    let heard = hear(spec);
    let samples: usize =
        heard.audio.iter().filter_map(|block| block.samples()).map(|block| block.channel(0).len()).sum();
    assert!((4 * 48_000 - 2_048..=4 * 48_000 + 2_048).contains(&samples), "{samples}");
}

#[test]
fn dropped_reference_pictures_show_by_the_decoders_log_alone() {
    for codec in [
        "libx264 -preset veryfast -g 25 -bf 0",
        "libx265 -preset ultrafast -x265-params log-level=none:keyint=25:bframes=0:scenecut=0",
    ] {
        let whole = clip("mp4", &format!("-f lavfi -i testsrc2=s=320x240:r=25:d=4 -c:v {codec}"));
        let dropped = format!("-i {} -c copy -bsf:v noise=drop='between(n,35,36)'", whole.display());
        let heard = hear(spec(&clip("ts", &dropped)));
        let damaged = |frame: &VideoFrame| frame.facts.signs.damaged;
        let (first, last) = (heard.video.iter().position(|f| damaged(f)), heard.video.iter().rposition(|f| damaged(f)));
        assert_eq!((heard.video.len(), first, last), (98, Some(35), Some(47)), "{codec}");
        assert!(heard.video[35].facts.signs.reference_missing, "{codec}");
        assert!(heard.video[48].facts.signs.key, "{codec}");
    }
}

#[test]
#[ignore = "a measurement, to be run by hand on a quiet machine"]
fn what_a_session_costs_beside_bare_decoding() {
    let path = clip(
        "ts",
        "-f lavfi -i testsrc2=s=1920x1080:r=25:d=20 -f lavfi -i sine=r=48000:d=20 -c:v libx264 -preset veryfast -b:v 6M -x264-params keyint=50:bframes=3 -c:a aac",
    );
    let cpu = || {
        // SAFETY: plain data, filled by the system.
        let usage = unsafe {
            let mut usage: libc::rusage = std::mem::zeroed();
            libc::getrusage(libc::RUSAGE_THREAD, &mut usage);
            usage
        };
        usage.ru_utime.tv_sec as f64 + usage.ru_utime.tv_usec as f64 / 1e6
    };
    let before = cpu();
    let mut spec = spec(&path);
    spec.measure.keep_pictures = true;
    let line = std::sync::Arc::new(avwatch_actors::lifeline::Lifeline::default());
    let opener = super::MediaOpener::new(spec);
    let mut source =
        avwatch_actors::source::Opener::open(&opener, avwatch_actors::track::SessionNumber(1), &line).expect("opens");
    let opened = cpu();
    let mut frames = 0;
    while let Some(item) = source.next().expect("reads") {
        frames += usize::from(matches!(item, avwatch_actors::item::Item::Video(_)));
    }
    assert_eq!(frames, 500);
    println!("{}: open {:.2} s, session {:.2} s of user CPU", path.display(), opened - before, cpu() - opened);
}
