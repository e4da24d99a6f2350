//! The HTML report of real clips: the same findings as in JSON, with pictures that show them.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::common::binary::{avwatch, check};
use crate::common::recipes;

fn page(clip: &Path) -> String {
    let output = avwatch().arg("check").arg(clip).args(["--format", "html"]).output().expect("it starts");
    assert!(output.status.code().is_some_and(|code| code < 2), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("is text")
}

/// The pictures of a page: their description and their JPEG file.
fn pictures(page: &str) -> Vec<(String, Vec<u8>)> {
    let between = |text: &str, from: &str| -> String {
        text.split(from).nth(1).and_then(|rest| rest.split('"').next()).expect("is there").to_owned()
    };
    let one = |image: &str| {
        let jpeg = BASE64_STANDARD.decode(between(image, "src=\"data:image/jpeg;base64,")).expect("is base64");
        (between(image, "alt=\""), jpeg)
    };
    page.split("<img ").skip(1).map(one).collect()
}

/// Size and mean grey level of a JPEG file, by the ffmpeg binary.
fn grey(jpeg: &[u8]) -> (usize, f64) {
    let mut child = Command::new("ffmpeg")
        .args([
            "-v",
            "error",
            "-f",
            "image2pipe",
            "-c:v",
            "mjpeg",
            "-i",
            "-",
            "-pix_fmt",
            "gray",
            "-f",
            "rawvideo",
            "-",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("ffmpeg is installed (scripts/setup)");
    // A small file: it fits into the pipe before anything is read.
    child.stdin.take().expect("is piped").write_all(jpeg).expect("is read");
    let levels = child.wait_with_output().expect("it ends").stdout;
    (levels.len(), levels.iter().map(|level| f64::from(*level)).sum::<f64>() / levels.len() as f64)
}

#[test]
fn the_pictures_of_a_page_show_the_programme_and_what_is_wrong_with_it() {
    // Black from 4 s to 7 s.
    let pictures = pictures(&page(&recipes::black().path));
    let find = |name: &str| {
        let found = pictures.iter().find(|(known, _)| known == name);
        grey(
            &found
                .unwrap_or_else(|| {
                    panic!("no {name} in {:?}", pictures.iter().map(|(name, _)| name).collect::<Vec<_>>())
                })
                .1,
        )
    };
    let (first, black) = (find("video:0 at 0.000 s"), find("video:0 at 4.000 s"));
    assert_eq!((first.0, black.0), (320 * 180, 320 * 180));
    assert!(first.1 > 60.0 && black.1 < 4.0, "{first:?} {black:?}");
}

#[test]
fn a_page_tells_the_events_that_json_tells_and_is_the_same_each_time() {
    for clip in [recipes::small_black_and_silent(), recipes::freeze(300)] {
        let (_, report) = check(&clip.path, &[]);
        let events = report["events"].as_array().expect("is a list");
        let first = page(&clip.path);
        assert!(!events.is_empty() && first.matches("<tr id=\"").count() == events.len(), "{}", clip.path.display());
        for event in events {
            let message = event["message"].as_str().expect("is a text");
            assert!(first.contains(&format!("<td class=\"m\">{message}</td>")), "{message}");
        }
        assert!(page(&clip.path) == first, "{} differs when it is checked again", clip.path.display());
    }
}
