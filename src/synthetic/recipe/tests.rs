//! Recipes as people write them, and what they are told.

use proptest::prelude::*;

use super::*;

fn recipe(text: &str) -> Recipe {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn complaint(text: &str) -> String {
    text.parse::<Recipe>().expect_err(text).to_string()
}

#[test]
fn an_empty_text_gives_the_defaults_with_or_without_a_question_mark() {
    assert_eq!(recipe(""), Recipe::default());
    assert_eq!(recipe("?"), Recipe::default());
    assert_eq!(recipe("?seed=9"), recipe("seed=9"));
}

#[test]
fn a_full_recipe_says_everything() {
    let text = "?size=640x360&fps=30000/1001&seed=7&codec=h264&audio=1&rate=44100\
        &defects=silence@20+3,black@10+500ms,end@59&loop=1m&duration=2h";
    let made = recipe(text);
    assert_eq!((made.width, made.height), (640, 360));
    assert_eq!(made.fps, FrameRate { numerator: 30_000, denominator: 1_001 });
    assert_eq!((made.seed, made.codec, made.channels, made.sample_rate), (7, CodecChoice::H264, 1, 44_100));
    let kinds: Vec<_> = made.defects.iter().map(|defect| defect.kind).collect();
    assert_eq!(kinds, [DefectKind::Black, DefectKind::Silence, DefectKind::End]);
    assert_eq!(made.defects[0].lasts, Duration::from_millis(500));
    assert_eq!(made.cycle, Some(Duration::from_secs(60)));
    assert_eq!(made.duration, Some(Duration::from_secs(7_200)));
}

#[test]
fn frame_rates_come_as_numbers_and_fractions() {
    for (text, numerator, denominator) in
        [("25", 25, 1), ("29.97", 30_000, 1_001), ("59.94", 60_000, 1_001), ("12.5", 12_500, 1_000), ("240", 240, 1)]
    {
        assert_eq!(recipe(&format!("fps={text}")).fps, FrameRate { numerator, denominator }, "{text}");
    }
    for text in ["0", "241", "0.5", "-25", "25/0", "NaN", "inf", "1/2", "x", ""] {
        assert!(complaint(&format!("fps={text}")).contains("write 1 to 240"), "{text}");
    }
}

#[test]
fn the_first_picture_at_a_time_is_never_before_it_and_never_one_late() {
    for rate in [FrameRate { numerator: 30_000, denominator: 1_001 }, FrameRate { numerator: 25, denominator: 1 }] {
        for number in [0_u64, 1, 2, 299, 300, 123_456_789] {
            let time = rate.time_of(number);
            assert_eq!(rate.first_at(time), number);
            assert_eq!(rate.first_at(time + MediaTime::from_nanos(1)), number + 1);
        }
    }
}

#[test]
fn complaints_name_key_place_and_what_is_allowed() {
    for (text, words) in [
        ("?sise=1x1", "sise at character 2: unknown key (did you mean 'size'?)"),
        ("size=4098x720", "size at character 6: allowed: even numbers from 64x64 to 4096x2304"),
        ("size=641x360", "allowed: even numbers"),
        ("size=big", "write WIDTHxHEIGHT"),
        ("seed=1&seed=2", "seed at character 8: is given twice"),
        ("seed=-1", "write a whole number"),
        ("codec=vp9", "codec at character 7: allowed: raw, h264"),
        ("audio=3", "allowed: 0, 1, 2, 6"),
        ("rate=8000", "allowed: 32000, 44100, 48000, 96000"),
        ("loop=0", "from 1 s to"),
        ("black@10+2", "'black@10+2' is no setting: write key=value"),
        ("defects=blck@10+2", "unknown defect 'blck' (did you mean 'black'?); allowed: black, freeze"),
        ("defects=panic@1", "unknown defect 'panic'"),
        ("defects=black@1+1,freeze", "defects at character 19: 'freeze' is no defect"),
        ("defects=black@10", "has no length: write black@from+lasts"),
        ("defects=end@10+1", "is a moment: write end@from"),
        ("defects=black@x+2", "'x' is no time"),
        ("defects=black@1e3+2", "'1e3' is no time"),
        ("defects=black@1+0.01", "is shorter than 0.040 s"),
        ("defects=silence@1+0.01", "is shorter than 0.020 s"),
        ("defects=stall@1+0", "is shorter than 0.001 s"),
        ("defects=end@0", "would end the stream before it begins"),
        ("defects=black@10+2,freeze@11+2", "character 20: 'freeze@11+2' overlaps 'black@10+2'"),
        ("defects=silence@1+1&audio=0", "needs audio=1 or more"),
        ("audio=1&defects=channel_silence@1+1", "needs audio=2 or more"),
        ("loop=10&defects=black@9+2", "does not end within loop=10"),
        ("duration=10&defects=black@10+2", "begins after the end, duration=10"),
    ] {
        let complaint = complaint(text);
        assert!(complaint.contains(words), "{text}: {complaint}");
    }
}

#[test]
fn a_recipe_takes_a_thousand_defects_and_not_one_more() {
    let list = |count: usize| (0..count).map(|n| format!("black@{}+1", n * 2)).collect::<Vec<_>>().join(",");
    assert_eq!(recipe(&format!("defects={}", list(DEFECTS_MAX))).defects.len(), DEFECTS_MAX);
    assert!(complaint(&format!("defects={}", list(DEFECTS_MAX + 1))).contains("at most 1000 defects"));
}

#[test]
fn defects_of_picture_and_sound_may_overlap() {
    assert_eq!(recipe("defects=black@10+5,silence@12+5").defects.len(), 2);
}

#[test]
fn long_nonsense_is_shortened_in_the_complaint() {
    assert!(complaint(&"x".repeat(500)).len() < 200);
    assert!(complaint(&"x".repeat(TEXT_MAX + 1)).contains("is longer than"));
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "(\\PC{0,60}|(defects|fps|size|loop)=[0-9a-z@+,.x/&=µ]{0,40})") {
        if let Ok(made) = text.parse::<Recipe>() {
            prop_assert!(made.fps.as_f64() >= 1.0 && made.defects.len() <= DEFECTS_MAX);
        }
    }
}
