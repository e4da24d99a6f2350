//! Runs a script in the browser, and tells what it said when it fails.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Once;

static SET_UP: Once = Once::new();

/// `target/dashboard`, where packages and pictures are.
fn target() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("cargo's folder for tests is inside target");
    target.join("dashboard")
}

/// Browser and packages, if they are not there yet.
fn set_up() {
    SET_UP.call_once(|| {
        let root = env!("CARGO_MANIFEST_DIR");
        let target = target();
        let output = Command::new("bash")
            .args(["-c", ". scripts/setup && setup_dashboard"])
            .current_dir(root)
            .env("CARGO_TARGET_DIR", target.parent().expect("is inside target"))
            .stdin(Stdio::null())
            .output()
            .expect("bash starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    });
}

/// Runs a script to its end; it must find what it looks for.
#[track_caller]
pub(crate) fn run(script: &str, arguments: &[&str]) -> String {
    set_up();
    let output = Command::new("node")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dashboard").join(script))
        .args(arguments)
        .env("DASHBOARD_TARGET", target())
        .stdin(Stdio::null())
        .output()
        .expect("node starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{script} {arguments:?}\n{said}\n{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// Runs one of the cases of `cases/`, against the service at that address or, with none, a stand-in.
#[track_caller]
pub(crate) fn case(name: &str, address: Option<&str>) {
    let address = address.map(|address| format!("http://{address}"));
    let arguments: Vec<&str> = [Some(name), address.as_deref()].into_iter().flatten().collect();
    run("case.mjs", &arguments);
}
