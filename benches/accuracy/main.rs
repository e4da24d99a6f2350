//! How accurate the detectors are: clips with planted defects and clean twins, `avwatch check` and
//! FFmpeg's filters on each, events matched with the truth, scores.
//!
//! `scripts/accuracy` runs it. By hand: `cargo bench --bench accuracy -- run [WORD...]`; with words
//! only cases whose names hold one of them, and then `docs/accuracy.md` is left alone. Ends with
//! status 1 when a clip came to nothing or a report differed from itself.

#[path = "../../tests/common/mod.rs"]
mod common;

mod case;
mod damage;
mod defect;
mod determinism;
mod document;
mod encode;
mod event;
mod filters;
mod hard;
mod kitchen;
mod matching;
mod material;
mod menu;
mod ours;
mod planted_input;
mod planted_picture;
mod planted_real;
mod planted_sound;
mod results;
mod scores;
mod source;
mod terminal;
mod thresholds;
mod transport;
mod words;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    // `cargo test --benches` and `cargo bench` give no word.
    let done = match words.split_first() {
        Some((first, only)) if first == "run" => run(only),
        Some((first, only)) if first == "list" => list(only),
        _ => {
            eprintln!("say `run` or `list`; scripts/accuracy says `run`");
            Ok(true)
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The cases whose names hold one of the words, or all; and the real material they rest on.
fn cases(only: &[String], folder: &Path) -> (Vec<case::Case>, material::Material) {
    let material = material::fetch(&folder.join("material"));
    let mut cases = menu::all(&material);
    if !only.is_empty() {
        cases.retain(|case| only.iter().any(|word| case.name.contains(word.as_str())));
    }
    (cases, material)
}

fn list(only: &[String]) -> Result<bool, String> {
    for case in cases(only, &folder()?).0 {
        println!("{:10}  {}", case.kind.word(), case.name);
    }
    Ok(true)
}

fn run(only: &[String]) -> Result<bool, String> {
    // A clip that cannot be made is told with its case; where in the code it happened helps nobody.
    std::panic::set_hook(Box::new(|_| {}));
    let folder = folder()?;
    let built = ours::Built::ask()?;
    let (cases, material) = cases(only, &folder);
    eprintln!("accuracy: {} clips", cases.len());
    let readings = folder.join("filters");
    fs::create_dir_all(&readings).map_err(|error| error.to_string())?;
    let judged = kitchen::judge_all(&cases, &built, &readings);
    eprintln!("accuracy: once more on a busy machine");
    let differing = determinism::differing(&cases, &judged, &built);
    let results = results::gather(&cases, &judged, &built, &material, differing);
    // A part of the set does not replace what the document rests on.
    let name = if only.is_empty() { "results.json" } else { "results-in-part.json" };
    results::write(&results::json(&results, &cases, &judged), &folder.join(name))?;
    print!("{}", terminal::table(&results));
    if only.is_empty() {
        let date = jiff::Zoned::now().date().to_string();
        let text = document::render(&results, &date, &ffmpeg_version());
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/accuracy.md");
        fs::write(path, text).map_err(|error| error.to_string())?;
    }
    Ok(results.failures.is_empty() && results.differing.0.is_empty())
}

/// `target/accuracy`, made if need be.
fn folder() -> Result<PathBuf, String> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().ok_or("cargo's folder for tests is inside none")?;
    let folder = target.join("accuracy");
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    Ok(folder)
}

/// Such as `5.1.9`, without what the distribution adds.
fn ffmpeg_version() -> String {
    let output = Command::new("ffmpeg").arg("-version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let version = text.split_whitespace().nth(2).unwrap_or("of unknown version");
    version.split('-').next().unwrap_or(version).to_owned()
}
