//! The same input gives the same bytes of report, whatever else the machine does.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::common::binary::avwatch;
use crate::common::recipes;

/// The report of one file, with the folder left out: it differs from checkout to checkout.
fn report(clip: &Path) -> Vec<u8> {
    let output = avwatch().arg("check").arg(clip).args(["--format", "json"]).output().expect("it starts");
    assert!(output.status.code().is_some_and(|code| code < 2), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The report of the same bytes on standard input, from a pipe.
fn piped(clip: &Path) -> Vec<u8> {
    let bytes = std::fs::read(clip).expect("the clip was just made");
    let output = avwatch().args(["check", "-", "--format", "json"]).write_stdin(bytes).output().expect("it starts");
    assert!(output.status.code().is_some_and(|code| code < 2), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Two encoders with all threads, which keep every core busy until dropped.
struct Load(Vec<Child>);

impl Load {
    fn start() -> Self {
        let busy = || {
            Command::new("ffmpeg")
                .args(["-nostdin", "-v", "quiet", "-f", "lavfi", "-i", "testsrc2=s=1280x720:d=600"])
                .args(["-c:v", "libx264", "-preset", "slow", "-f", "null", "-"])
                .stdout(Stdio::null())
                .spawn()
                .expect("ffmpeg is installed (scripts/setup)")
        };
        Self((0..2).map(|_| busy()).collect())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn the_same_file_gives_the_same_bytes_also_on_a_loaded_machine() {
    let clips = [recipes::small_black_and_silent(), recipes::freeze(300), recipes::silence_with_clicks()];
    let quiet: Vec<Vec<u8>> = clips.iter().map(|clip| report(&clip.path)).collect();
    for (clip, first) in clips.iter().zip(&quiet) {
        assert!(report(&clip.path) == *first, "{} differs when it is checked again", clip.path.display());
    }
    let load = Load::start();
    for (clip, first) in clips.iter().zip(&quiet) {
        assert!(report(&clip.path) == *first, "{} differs on a loaded machine", clip.path.display());
    }
    drop(load);
}

#[test]
fn standard_input_gives_the_same_report_as_the_file_but_for_its_name() {
    for clip in [recipes::small_black_and_silent(), recipes::silence_with_clicks()] {
        let parse = |bytes: &[u8]| -> Value {
            let mut report: Value = serde_json::from_slice(bytes).expect("is JSON");
            report["inputs"][0]["input"].take();
            report
        };
        let (file, pipe) = (parse(&report(&clip.path)), parse(&piped(&clip.path)));
        assert_eq!(file, pipe, "{}", clip.path.display());
        assert!(file["inputs"][0]["events"].as_array().is_some_and(|events| !events.is_empty()));
    }
}
