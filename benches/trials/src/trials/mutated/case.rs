//! One `avwatch check` as a process: how it ended, how long it took, how much memory it held.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::Value;

/// After so long a process is killed.
const KILLED_AFTER: Duration = Duration::from_secs(20);
/// Seconds of media that are looked at of what is served.
const SECONDS: &str = "1";

/// How a case ended.
pub enum Ended {
    /// With a report on what is in it.
    Reported,
    /// With a report that says why it cannot be read, or not to its end.
    Refused,
    /// By a signal or a panic.
    Crashed(String),
    /// In another way than the documents tell.
    Unclassified(String),
}

/// A case that is over.
pub struct Checked {
    pub ended: Ended,
    pub seconds: f64,
    pub peak_mib: f64,
}

/// Checks an input; `beside` is where report and standard error are written meanwhile.
pub fn check(avwatch: &Path, input: &str, is_live: bool, beside: &Path) -> Result<Checked> {
    let (report, said) = (beside.with_extension("report"), beside.with_extension("said"));
    let mut command = Command::new(avwatch);
    command.args(["check", input, "--format", "json", "--output"]).arg(&report);
    if is_live {
        command.args(["--seconds", SECONDS]);
    }
    let begin = Instant::now();
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&said)?).spawn()?;
    let (status, peak_mib) = wait(child.id() as i32, begin)?;
    let seconds = begin.elapsed().as_secs_f64();
    let text = String::from_utf8_lossy(&std::fs::read(&said)?).into_owned();
    let ended = judge(status, &text, std::fs::read(&report).ok().as_deref());
    for path in [report, said] {
        // There may be no report.
        let _ = std::fs::remove_file(path);
    }
    Ok(Checked { ended, seconds, peak_mib })
}

/// Waits for a child, with what it used; kills it when it takes too long.
fn wait(child: i32, begin: Instant) -> Result<(ExitStatus, f64)> {
    loop {
        let mut status = 0;
        // SAFETY: rusage is a struct of numbers, for which zero is valid.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: both pointers are to locals that live through the call; the child was started here and is reaped nowhere else.
        let reaped = unsafe { libc::wait4(child, &raw mut status, libc::WNOHANG, &raw mut usage) };
        ensure!(reaped >= 0, "the child is gone: {}", std::io::Error::last_os_error());
        if reaped == child {
            return Ok((ExitStatus::from_raw(status), usage.ru_maxrss as f64 / 1024.0));
        }
        if begin.elapsed() > KILLED_AFTER {
            // SAFETY: kill(2) takes two numbers; the child has not been reaped, so the number is still its own.
            unsafe { libc::kill(child, libc::SIGKILL) };
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn judge(status: ExitStatus, said: &str, report: Option<&[u8]>) -> Ended {
    if let Some(signal) = status.signal() {
        return Ended::Crashed(format!("signal {signal}"));
    }
    if let Some(panic) = said.lines().find(|line| line.contains("panicked at")) {
        return Ended::Crashed(panic.to_owned());
    }
    let report: Option<Value> = report.and_then(|bytes| serde_json::from_slice(bytes).ok());
    let error = report.as_ref().map(|report| &report["inputs"][0]["error"]);
    match (status.code(), error) {
        (Some(0 | 1), Some(Value::Null)) => Ended::Reported,
        (Some(3), Some(Value::String(why))) if !why.is_empty() => Ended::Refused,
        (code, error) => Ended::Unclassified(format!("status {code:?}, error {error:?}, said {}", said.trim())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_report_that_fits_its_status_is_a_classified_end() {
        let status = |code: i32| ExitStatus::from_raw(code << 8);
        let pass = br#"{"inputs":[{"error":null}]}"#;
        let error = br#"{"inputs":[{"error":"cannot open it"}]}"#;
        assert!(matches!(judge(status(0), "", Some(pass)), Ended::Reported));
        assert!(matches!(judge(status(3), "", Some(error)), Ended::Refused));
        assert!(matches!(judge(status(3), "", Some(pass)), Ended::Unclassified(_)));
        assert!(matches!(judge(status(0), "", None), Ended::Unclassified(_)));
        assert!(matches!(judge(status(70), "thread 'x' panicked at a.rs:1:1:", None), Ended::Crashed(_)));
        assert!(matches!(judge(ExitStatus::from_raw(11), "", None), Ended::Crashed(_)));
    }
}
