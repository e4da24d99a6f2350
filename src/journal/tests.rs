//! The journal as a whole, and what must hold of stretches and records whatever they say.

use std::sync::Arc;

use avwatch_actors::severity::Severity;
use avwatch_actors::track::TrackId;
use proptest::prelude::*;
use rusqlite::Connection;

use super::book::{Book, CLOSED_AFTER, Closed};
use super::database::{self, Rows};
use super::reader::{JournalReader, POINTS_MAX};
use super::record;
use super::seen::SEEN_SPANS_MAX;
use super::stretch::{LatencyReading, Stretch};
use super::writer::JournalKeep;
use crate::live::{ChannelLevel, PictureReading, SoundReading, StreamReading};

fn reading(second: u64, luma: f32) -> StreamReading {
    let picture = PictureReading {
        track: TrackId::video(0),
        frames: 25,
        damaged: 1,
        luma_mean: Some(luma),
        difference: Some(2.5),
        coverage: 1.0,
    };
    let level = ChannelLevel { rms_dbfs: -20.0, peak_dbfs: -6.0 };
    let sound = SoundReading {
        track: TrackId::audio(0),
        momentary_lufs: Some(-23.0),
        short_term_lufs: None,
        channels: vec![level; 2],
        coverage: 1.0,
    };
    let bitrate = Some(4e6);
    StreamReading { second, bitrate, pictures: vec![picture], sounds: vec![sound], ..StreamReading::default() }
}

/// Any second of a stream.
fn any_second() -> impl Strategy<Value = Stretch> {
    let worst = prop_oneof![Just(None), proptest::sample::select(&Severity::ALL[..]).prop_map(Some)];
    let level = (-120.0_f32..3.0, -120.0_f32..3.0);
    let channels = proptest::collection::vec(level, 0..4);
    let lufs = proptest::option::of(-70.0_f32..0.0);
    let latency = (1e-6_f32..60.0, 1e-6_f32..60.0, 1e-6_f32..60.0);
    let latency = proptest::option::of(latency.prop_map(|(p50, p95, p99)| LatencyReading { p50, p95, p99 }));
    let latency = (latency, 0_u32..2);
    (worst, 0.0_f32..=1.0, proptest::option::of(0.0..1e9_f64), 0_u16..120, 0.0_f32..255.0, channels, lufs, latency)
        .prop_map(|(worst, up, bitrate, frames, luma, channels, momentary_lufs, (latency_s, blind))| {
            let mut reading = reading(0, luma);
            reading.pictures[0].frames = frames;
            let level = |(rms_dbfs, peak_dbfs)| ChannelLevel { rms_dbfs, peak_dbfs };
            let channels = channels.into_iter().map(level).collect();
            reading.sounds[0] = SoundReading { momentary_lufs, channels, ..reading.sounds[0].clone() };
            Stretch { worst, up, bitrate, latency_s, blind, ..Stretch::of_reading(&reading) }
        })
}

proptest! {
    #[test]
    fn a_minute_says_the_worst_and_the_loudest_of_its_seconds(seconds in proptest::collection::vec(any_second(), 1..60)) {
        let minute = Stretch::of(0, 60, &seconds);
        prop_assert_eq!(minute.worst, seconds.iter().filter_map(|second| second.worst).max());
        prop_assert_eq!(minute.known as usize, seconds.len());
        let slowest = seconds.iter().filter_map(|second| second.latency_s).map(|all| all.p99).reduce(f32::max);
        prop_assert_eq!(minute.latency_s.map(|all| all.p99), slowest);
        let luma = minute.pictures[0].luma_mean.unwrap();
        let lumas = || seconds.iter().filter_map(|second| second.pictures[0].luma_mean);
        prop_assert!(luma >= lumas().fold(f32::MAX, f32::min) - 0.01 && luma <= lumas().fold(0.0, f32::max) + 0.01);
        for (place, channel) in minute.sounds[0].channels.iter().enumerate() {
            let of = || seconds.iter().filter_map(|second| second.sounds[0].channels.get(place));
            prop_assert_eq!(channel.peak_dbfs, of().map(|level| level.peak_dbfs).fold(-120.0, f32::max));
            prop_assert!(channel.rms_dbfs <= of().map(|level| level.rms_dbfs).fold(-120.0, f32::max) + 0.01);
        }
        let loudest = seconds.iter().filter_map(|second| second.sounds[0].momentary_lufs).reduce(f32::max);
        prop_assert_eq!(minute.sounds[0].momentary_lufs, loudest);
    }

    #[test]
    fn minutes_of_minutes_are_as_the_minutes_of_all_seconds(
        seconds in proptest::collection::vec(any_second(), 4..40), at in 1_usize..3,
    ) {
        let (first, second) = seconds.split_at(at);
        let joined = Stretch::of(0, 60, &[Stretch::of(0, 60, first), Stretch::of(0, 60, second)]);
        let whole = Stretch::of(0, 60, &seconds);
        prop_assert_eq!((joined.worst, joined.known), (whole.worst, whole.known));
        prop_assert!((joined.up - whole.up).abs() < 1e-4);
        prop_assert_eq!(joined.sounds[0].channels.len(), whole.sounds[0].channels.len());
    }

    #[test]
    fn a_record_is_read_as_it_was_written_within_its_steps(stretch in any_second(), place in 0_u8..60) {
        let mut row = Vec::new();
        record::write(&mut row, place, &stretch);
        let mut found = Vec::new();
        record::read(&row, |place, stretch| found.push((place, stretch)));
        prop_assert_eq!(found.len(), 1);
        let (at, read) = &found[0];
        prop_assert_eq!((*at, read.worst, read.known), (place, stretch.worst, stretch.known));
        prop_assert!((read.up - stretch.up).abs() <= 0.002);
        prop_assert_eq!(read.bitrate.is_some(), stretch.bitrate.is_some());
        if let (Some(is), Some(was)) = (read.bitrate, stretch.bitrate) {
            prop_assert!((is - was).abs() <= was / 100.0);
        }
        prop_assert_eq!(read.latency_s.is_some(), stretch.latency_s.is_some());
        if let (Some(is), Some(was)) = (read.latency_s, stretch.latency_s) {
            for (is, was) in [(is.p50, was.p50), (is.p95, was.p95), (is.p99, was.p99)] {
                prop_assert!((is - was).abs() <= was / 15.0, "{is} {was}");
            }
        }
        let mut seconds = 0;
        record::read_watched(&row, |_, watched| seconds += watched);
        prop_assert_eq!(seconds, stretch.known - stretch.blind);
        prop_assert_eq!(read.blind, stretch.blind);
        prop_assert_eq!(read.pictures[0].frames, stretch.pictures[0].frames);
        for (is, was) in read.sounds[0].channels.iter().zip(&stretch.sounds[0].channels) {
            prop_assert!((is.rms_dbfs - was.rms_dbfs).abs() <= 0.26 && (is.peak_dbfs - was.peak_dbfs).abs() <= 0.26);
        }
    }

    #[test]
    fn a_row_that_is_cut_off_or_full_of_rubbish_is_read_without_harm(row in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut count = 0;
        record::read(&row, |_, _| count += 1);
        prop_assert!(count <= row.len());
    }
}

#[test]
fn a_second_takes_23_bytes() {
    let mut row = Vec::new();
    record::write(&mut row, 0, &Stretch::of_reading(&reading(0, 100.0)));
    assert_eq!(row.len(), 23);
}

/// Writes what a book closes, as the thread does.
fn write(connection: &mut Connection, closed: &[Closed]) {
    super::writer::write(connection, closed, &[]).unwrap();
}

/// A journal of one stream with these seconds.
fn journal(seconds: std::ops::Range<u64>) -> (tempfile::TempDir, JournalReader, Connection) {
    let directory = tempfile::tempdir().unwrap();
    let mut connection = database::open(directory.path()).unwrap();
    let (mut book, name): (_, Arc<str>) = (Book::default(), "lobby".into());
    for second in seconds.clone() {
        book.state(&name, second, (true, false), None, &[]);
        book.reading(&name, &reading(second, (second % 200) as f32));
        if second % 10 == 0 {
            write(&mut connection, &book.close(second));
        }
    }
    write(&mut connection, &book.close_all(seconds.end));
    assert_eq!(book.lost, 0);
    let reader =
        JournalReader::new(directory.path(), JournalKeep { seconds_hours: 1_000_000, ..JournalKeep::default() });
    (directory, reader, connection)
}

#[test]
fn every_second_is_found_again_once_and_in_order() {
    let (_directory, reader, _) = journal(1_000..1_300);
    let found = reader.history("lobby", 1_100, 1_200, 1).unwrap();
    assert_eq!(found.iter().map(|stretch| stretch.at).collect::<Vec<_>>(), (1_100..1_200).collect::<Vec<_>>());
    for stretch in &found {
        assert_eq!((stretch.lasts, stretch.known, stretch.up), (1, 1, 1.0));
        assert_eq!(stretch.pictures[0].luma_mean, Some((stretch.at % 200) as f32));
    }
}

#[test]
fn a_second_of_a_stream_takes_less_than_27_bytes_on_disk() {
    // Of two hours and of six, since an empty database has pages, too.
    let [short, long] = [7_200, 21_600].map(|seconds| database::used_bytes(&journal(0..seconds).2).unwrap());
    let bytes = (long - short) as f64 / 14_400.0;
    assert!(bytes < 27.0, "{bytes:.1} bytes");
}

#[test]
fn minutes_add_up_to_the_seconds_and_reach_as_far() {
    let (_directory, reader, _) = journal(1_000..5_000);
    let found = reader.history("lobby", 0, 10_000, 60).unwrap();
    assert_eq!(found.iter().map(|minute| minute.known).sum::<u32>(), 4_000);
    assert!(found.windows(2).all(|pair| pair[1].at == pair[0].at + 60), "no minute is missing");
    assert_eq!((found[0].at, found[0].known, found[1].known), (960, 20, 60));
}

#[test]
fn any_resolution_tells_every_second_exactly_once() {
    let (_directory, reader, _) = journal(1_000..3_000);
    for resolution in [1, 2, 7, 30, 60, 90, 600, 86_400] {
        let found = reader.history("lobby", 0, 10_000, resolution).unwrap();
        assert_eq!(found.iter().map(|stretch| stretch.known).sum::<u32>(), 2_000, "at {resolution} s");
        assert!(found.windows(2).all(|pair| pair[0].at < pair[1].at));
    }
}

#[test]
fn an_answer_has_no_more_points_than_may_be() {
    let (_directory, reader, _) = journal(1_000..9_000);
    let found = reader.history("lobby", 1_000, 9_000, 1).unwrap();
    assert!(found.len() as u64 <= POINTS_MAX && found.iter().all(|stretch| stretch.lasts == 2), "{}", found.len());
}

#[test]
fn a_stream_that_is_not_known_and_a_journal_that_is_not_there_have_no_past() {
    let (_directory, reader, _) = journal(0..100);
    assert_eq!(reader.history("other", 0, 100, 1).unwrap(), []);
    let nowhere = tempfile::tempdir().unwrap();
    assert_eq!(JournalReader::new(nowhere.path(), JournalKeep::default()).history("a", 0, 9, 1).unwrap(), []);
}

#[test]
fn an_event_colours_the_seconds_from_its_begin_on() {
    let (mut book, name): (_, Arc<str>) = (Book::default(), "lobby".into());
    for second in 100..120 {
        let open = [(108, Severity::Info), (112, Severity::Major)];
        let raised = if second >= 110 { &open[..if second >= 114 { 2 } else { 1 }] } else { &[] };
        book.state(&name, second, (true, false), None, raised);
    }
    let closed = book.close(119 + CLOSED_AFTER + 1);
    let worst: Vec<Option<Severity>> = closed[0].seconds.iter().map(|second| second.worst).collect();
    assert_eq!(worst[..8], [None; 8]);
    assert_eq!(worst[8..12], [Some(Severity::Info); 4]);
    assert_eq!(worst[12..], [Some(Severity::Major); 8]);
}

#[test]
fn what_comes_after_its_second_was_written_is_lost_and_counted() {
    let (mut book, name): (_, Arc<str>) = (Book::default(), "lobby".into());
    book.reading(&name, &reading(100, 50.0));
    assert_eq!(book.close(120).len(), 1);
    book.reading(&name, &reading(101, 50.0));
    book.reading(&name, &reading(110, 50.0));
    assert_eq!(book.lost, 1);
    assert_eq!(book.close(130)[0].seconds[0].at, 110);
}

#[test]
fn the_oldest_seconds_go_first_by_age_and_by_bytes() {
    let (_directory, reader, connection) = journal(1_000_000..1_020_000);
    let keep = JournalKeep { seconds_hours: 1, minutes_days: 1, bytes_max: u64::MAX };
    while database::sweep(&connection, keep, 1_020_000).unwrap() {}
    let rows = |rows: Rows| {
        let sql = format!("SELECT count(*), min(number) FROM {}", rows.table());
        connection.query_row(&sql, [], |row| Ok((row.get::<_, u64>(0)?, row.get::<_, Option<i64>>(1)?))).unwrap()
    };
    assert_eq!(rows(Rows::Seconds), (60, Some(Rows::Seconds.number(1_016_400, 1))));
    let found = reader.history("lobby", 1_000_000, 1_020_000, 60).unwrap();
    assert_eq!(found.iter().map(|minute| minute.known).sum::<u32>(), 20_000, "minutes reach further back");
    let little = JournalKeep { bytes_max: 1, ..keep };
    while database::sweep(&connection, little, 1_020_000).unwrap() {}
    assert_eq!((rows(Rows::Seconds).0, rows(Rows::Minutes).0), (0, 0));
}

#[test]
fn a_damaged_journal_is_begun_afresh() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join(database::FILE), vec![7; 20_000]).unwrap();
    let connection = database::open(directory.path()).unwrap();
    assert!(database::used_bytes(&connection).unwrap() > 0);
}

#[test]
fn the_watched_seconds_of_a_stream_are_told_without_what_was_not_seen() {
    let (_directory, reader, mut connection) = journal(1_000..2_000);
    let mut book = Book::default();
    let name: Arc<str> = "lobby".into();
    for second in 2_100..2_130 {
        book.state(&name, second, (false, false), None, &[]);
    }
    write(&mut connection, &book.close_all(2_130));
    let spans = reader.watched(&["lobby".to_owned(), "other".to_owned()], 1_500, 5_000).unwrap();
    let total = |spans: &[(u64, u64)]| spans.iter().map(|(from, to)| to - from).sum::<u64>();
    // Seconds are kept for ever in this journal: each is found as it was.
    assert_eq!((total(&spans[0]), total(&spans[1])), (500 + 30, 0));
    assert!(spans[0].iter().all(|(from, to)| (1_500..2_000).contains(from) && *to <= 2_000 || *from >= 2_100));
}

#[test]
fn time_in_which_load_left_no_room_for_contents_does_not_count_as_watched() {
    let (directory, reader, mut connection) = journal(1_020..1_080);
    let (mut book, name): (_, Arc<str>) = (Book::default(), "lobby".into());
    for second in 1_080..1_200 {
        // Bytes arrive all the time, and nothing of them is decoded for 80 s of the 120.
        book.state(&name, second, (true, second < 1_160), None, &[]);
        book.reading(&name, &StreamReading { second, bitrate: Some(4e6), ..StreamReading::default() });
    }
    write(&mut connection, &book.close_all(1_200));
    let spans = reader.watched(&["lobby".to_owned()], 1_020, 1_200).unwrap();
    assert_eq!(spans[0].iter().map(|(from, to)| to - from).sum::<u64>(), 60 + 40);
    // Where seconds are no longer kept, minutes say as much.
    connection.execute("DELETE FROM seconds", []).unwrap();
    let coarse = JournalReader::new(directory.path(), JournalKeep { seconds_hours: 1, ..JournalKeep::default() });
    let spans = coarse.watched(&["lobby".to_owned()], 1_020, 1_200).unwrap();
    assert_eq!(spans[0].iter().map(|(from, to)| to - from).sum::<u64>(), 60 + 40);
    let history = reader.history("lobby", 1_020, 1_200, 60).unwrap();
    assert_eq!(history.iter().map(|minute| minute.blind).collect::<Vec<_>>(), [0, 60, 20]);
}

#[test]
fn when_streams_were_seen_is_told_of_all_by_the_minute_and_of_the_newest_by_the_second() {
    let (_directory, reader, mut connection) = journal(60_000..60_600);
    let mut book = Book::default();
    let [down, blind, often]: [Arc<str>; 3] = ["down".into(), "blind".into(), "often".into()];
    for second in 60_000..60_600 {
        book.state(&down, second, (false, false), None, &[]);
        book.state(&blind, second, (true, second < 60_300), None, &[]);
        if second / 120 % 2 == 0 {
            book.state(&often, second, (true, false), None, &[]);
        }
    }
    write(&mut connection, &book.close_all(60_600));
    // Of a minute that is not over there are seconds alone.
    for second in 60_600..60_650 {
        book.state(&blind, second, (true, false), None, &[]);
    }
    write(&mut connection, &book.close(60_650));
    let seen = reader.seen(59_000, 60_650).unwrap();
    assert_eq!(seen["lobby"], [(60_000, 60_600)]);
    assert_eq!(seen["blind"], [(60_300, 60_635)]);
    assert_eq!(seen["often"], [(60_000, 60_120), (60_240, 60_360), (60_480, 60_600)]);
    assert!(!seen.contains_key("down") && reader.seen(70_000, 60_000).unwrap().is_empty());
    // Asked for in part: from the begin of a minute on, and no further than asked for.
    assert_eq!(reader.seen(60_130, 60_590).unwrap()["lobby"], [(60_120, 60_590)]);
}

#[test]
fn of_a_stream_that_comes_and_goes_all_day_the_newest_spans_are_told() {
    let (_directory, reader, mut connection) = journal(0..60);
    let (mut book, name): (_, Arc<str>) = (Book::default(), "gate".into());
    for minute in (0..1_000).step_by(2) {
        book.state(&name, minute * 60, (true, false), None, &[]);
        write(&mut connection, &book.close(minute * 60 + CLOSED_AFTER + 60));
    }
    let seen = reader.seen(0, 60_000).unwrap();
    assert_eq!((seen["gate"].len(), seen["gate"].last()), (SEEN_SPANS_MAX, Some(&(998 * 60, 999 * 60))));
}
