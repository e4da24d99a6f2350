//! The page as a whole.

use avwatch_actors::media_time::MediaTime;
use avwatch_actors::track::TrackId;
use quick_xml::events::Event;

use super::super::fixture::{event, example, input};
use super::*;
use crate::record::{ChannelRecord, Record, Series, Still};

/// Reads the page as XML; gives every element with its attributes, in order.
#[track_caller]
fn elements(page: &str) -> Vec<(String, Vec<(String, String)>)> {
    let body = page.strip_prefix("<!doctype html>\n").expect("is a page");
    let mut reader = quick_xml::Reader::from_str(body);
    let mut elements = Vec::new();
    loop {
        match reader.read_event().expect("is well formed") {
            Event::Start(tag) | Event::Empty(tag) => {
                let attribute = |found: Result<quick_xml::events::attributes::Attribute<'_>, _>| {
                    let found = found.expect("is well formed");
                    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("is text");
                    (text(found.key.as_ref()), text(&found.value))
                };
                let name = String::from_utf8(tag.name().as_ref().to_vec()).expect("is text");
                elements.push((name, tag.attributes().map(attribute).collect()));
            }
            Event::Eof => return elements,
            _ => {}
        }
    }
}

fn values<'a>(elements: &'a [(String, Vec<(String, String)>)], key: &str) -> Vec<&'a str> {
    let all = elements.iter().flat_map(|(_, attributes)| attributes);
    all.filter(|(name, _)| name == key).map(|(_, value)| &**value).collect()
}

/// As if the example's input had been recorded: a still each second, and curves over 20 s.
fn recorded(seconds: i64, jpeg_bytes: usize) -> Record {
    let series = |value: fn(i64) -> f32| {
        let mut series = Series::default();
        for place in 0..seconds * 25 {
            series.push(MediaTime::from_millis(place * 40), MediaTime::from_millis(40), value(place));
        }
        series
    };
    let noise: fn(i64) -> f32 = |place| (place * 7_919 % 255) as f32;
    let mut record = Record::default();
    let pictures = record.pictures.entry(TrackId::video(0)).or_default();
    (pictures.mean, pictures.p1, pictures.p99, pictures.difference) =
        (series(noise), series(|_| 16.0), series(|_| 235.0), series(noise));
    for second in 0..seconds {
        let at = MediaTime::from_millis(second * 1_000);
        if pictures.stills.wants(at) {
            pictures.stills.push(Still { at, width: 320, height: 180, jpeg: vec![second as u8; jpeg_bytes].into() });
        }
    }
    let sound = record.sounds.entry(TrackId::audio(0)).or_default();
    (sound.momentary, sound.short_term) = (series(|place| -(place % 40) as f32), series(|_| -23.0));
    let channel = ChannelRecord { power: series(|_| 0.01), peak: series(|_| 0.5), ..ChannelRecord::default() };
    sound.channels = vec![channel; 2];
    record
}

fn page_of(inputs: Vec<ReportInput>) -> String {
    render(&Report::new("file", Severity::Warning, inputs))
}

#[test]
fn every_event_has_a_row_and_a_band_that_lead_to_each_other() {
    let mut report = example();
    report.inputs[0].record = Some(recorded(20, 100));
    let page = render(&report);
    let elements = elements(&page);
    let ids = values(&elements, "id");
    for number in 0..3 {
        assert!(ids.contains(&&*format!("i0e{number}")) && ids.contains(&&*format!("i0b{number}")), "{ids:?}");
    }
    let links = values(&elements, "href");
    assert!(links.len() > 6 && links.iter().all(|link| ids.contains(&&link[1..])), "{links:?}");
    let mut unique = ids.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), ids.len());
    assert!(page.contains("cannot open gone.ts"), "{page}");
}

#[test]
fn a_band_stands_where_its_event_does() {
    // Of 20 s: black from 8 s to 11 s, in the first lane below the strip.
    let page = render(&example());
    assert_eq!(
        page.matches("<rect x=\"40.00%\" y=\"24\" width=\"15.00%\" height=\"14\" rx=\"2\"/>").count(),
        1,
        "{page}"
    );
    let mut late = input("a.ts");
    late.events = vec![event("flash", 8, Severity::Warning, 20_000, 20_000)];
    assert!(page_of(vec![late]).contains("<rect x=\"99.80%\" y=\"24\" width=\"0.20%\""), "at the very end");
}

#[test]
fn plots_show_what_was_measured_with_the_events_behind() {
    let mut report = example();
    report.inputs[0].record = Some(recorded(20, 100));
    let page = render(&report);
    for name in [
        "luma of video:0",
        "picture difference of video:0",
        "loudness of audio:0",
        "level of audio:0, channel 2 channel",
    ] {
        assert!(page.contains(&format!("aria-label=\"{name}\"")), "{name}");
    }
    // The 99th percentile is 235 throughout: at 110 × (1 − 235/255) from the top, to the end.
    let level =
        page.split("class=\"curve c\" d=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("there is one");
    assert!(level.starts_with("M0,8.6 ") && level.ends_with(",8.6H1000"), "{level}");
    // −6 dB and −20 dB below a top of 3 dB, in a height of 64 for 83 dB.
    assert_eq!(page.matches("class=\"curve c\" d=\"M0,7 ").count(), 2);
    assert_eq!(page.matches("class=\"curve a\" d=\"M0,17.7 ").count(), 2);
    assert_eq!(
        page.matches("<path class=\"band warning\" d=\"M400,0h150v110h-150z\"/>").count(),
        1,
        "black, behind luma"
    );
    assert_eq!(
        page.matches("<path class=\"band info\" d=\"M400,0h75v64h-75z\"/>").count(),
        2,
        "silence, behind levels"
    );
}

#[test]
fn pictures_stand_at_the_begin_and_at_the_onset_of_events_that_concern_them() {
    let mut report = example();
    report.inputs[0].record = Some(recorded(20, 3));
    let page = render(&report);
    let elements = elements(&page);
    // The picture of second n is three bytes n: AAAA is the first one, CAgI that at 8 s; silence needs none.
    let sources = values(&elements, "src");
    assert_eq!(sources, ["data:image/jpeg;base64,AAAA", "data:image/jpeg;base64,CAgI"]);
    assert!(
        page.contains("</span> black <span class=\"w\">from 8.000 s</span></a>")
            && page.contains("</span> freeze <span class=\"w\">from 8.000 s</span></a>"),
        "{page}"
    );
}

#[test]
fn the_page_of_an_hour_full_of_events_is_below_two_megabytes() {
    let mut long = input("a.ts");
    long.duration_s = Some(3_600.0);
    long.events = (0..3_000).map(|n| event("black", 1, Severity::Minor, n * 1_200, n * 1_200 + 900)).collect();
    long.record = Some(recorded(3_600, 14_000));
    let page = page_of(vec![long]);
    assert!(page.len() < 2_000_000, "{}", page.len());
    let sources = elements(&page).iter().filter(|(name, _)| name == "img").count();
    assert!((10..=24).contains(&sources), "{sources}");
    assert!(page.contains("And 2000 more; the JSON report lists all."));
}

#[test]
fn many_tracks_and_channels_fit_too() {
    let mut wide = input("a.ts");
    wide.duration_s = Some(3_600.0);
    let mut record = recorded(3_600, 100);
    let mut sound = record.sounds[&TrackId::audio(0)].clone();
    sound.channels.resize(16, sound.channels[0].clone());
    record.sounds = (0..8).map(|number| (TrackId::audio(number), sound.clone())).collect();
    wide.record = Some(record);
    let page = page_of(vec![wide]);
    assert!(page.len() < 2_000_000, "{}", page.len());
}

#[test]
fn every_severity_has_a_colour() {
    for severity in Severity::ALL {
        assert!(
            STYLE.contains(&format!(".{severity}{{color:var(--{severity});fill:var(--{severity})}}")),
            "{severity}"
        );
        assert_eq!(STYLE.matches(&format!("--{severity}:#")).count(), 2, "light and dark");
    }
}

#[test]
fn nothing_from_outside_becomes_markup() {
    let hostile = "\"><img src=x onerror='x'>&</script></style></title><svg onload=alert(1)>\n";
    let mut bad = input(hostile);
    bad.events = vec![event("black", 1, Severity::Info, 0, 1_000)];
    bad.events[0].message = hostile.to_owned();
    bad.events[0].unit = hostile.to_owned();
    bad.error = Some(hostile.to_owned());
    bad.container = Some(hostile.to_owned());
    bad.tracks[0].codec = Some(hostile.to_owned());
    bad.tracks[1].language = Some(hostile.to_owned());
    bad.record = Some(recorded(20, 10));
    let page = render(&Report::new(hostile, Severity::Warning, vec![bad, input("good.ts")]));
    let elements = elements(&page);
    for (name, attributes) in &elements {
        assert!(name != "script", "{attributes:?}");
        assert!(attributes.iter().all(|(key, _)| !key.starts_with("on") && key != "style"), "{name} {attributes:?}");
    }
    assert_eq!(elements.iter().filter(|(name, _)| name == "style").count(), 1);
    assert!(page.contains("&quot;&gt;&lt;img src=x onerror=&#39;x&#39;&gt;&amp;&lt;/script&gt;"), "{page}");
}

#[test]
fn the_page_fetches_nothing_and_forbids_what_it_does_not_need() {
    let mut report = example();
    report.inputs[0].record = Some(recorded(20, 100));
    let page = render(&report);
    for word in ["http://", "https://", "url(", "@import", "<script", "<link"] {
        assert!(!page.contains(word), "{word}");
    }
    let elements = elements(&page);
    assert!(values(&elements, "src").iter().all(|source| source.starts_with("data:image/jpeg;base64,")));
    assert!(values(&elements, "href").iter().all(|link| link.starts_with('#')));
    let policy =
        values(&elements, "content").into_iter().find(|value| value.starts_with("default-src")).expect("there is one");
    assert!(policy.starts_with("default-src 'none'; img-src data:; style-src 'sha256-"), "{policy}");
    let style = page.split("<style>").nth(1).and_then(|rest| rest.split("</style>").next()).expect("there is one");
    assert!(policy.contains(&format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(style)))), "{policy}");
}

#[test]
fn an_event_of_a_track_that_is_missing_has_a_timeline_too() {
    let mut missed = input("a.ts");
    missed.events = vec![event("audio_missing", 25, Severity::Warning, 0, 20_000)];
    missed.events[0].track = TrackId::audio(1);
    assert!(page_of(vec![missed]).contains("aria-label=\"timeline of audio:1\""));
}
