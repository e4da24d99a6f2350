//! Operations logs of a real service and the command that reads them; logs of others as a source of events.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use serde_json::{Value, json};

use crate::common::binary::avwatch;
use crate::common::http::ask_json;
use crate::common::sender::wait;
use crate::common::service::Home;

const SECOND: Duration = Duration::from_secs(1);

const LOBBY: &str = "[[streams]]\nname = \"lobby\"\nurl = \"synthetic:?size=320x180&fps=25&seed=1\"\n";

/// A service that logs into files; killed on drop.
struct Logged {
    child: Child,
    folder: PathBuf,
    home: Home,
}

impl Logged {
    fn start(config: &str) -> Self {
        Self::begin(Home::new(""), config)
    }

    fn begin(home: Home, config: &str) -> Self {
        let folder = home.path().join("logs");
        home.configure(&format!("log.directory = \"{}\"\n{config}", folder.display()));
        let child = home.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        Self { child, folder, home }
    }

    fn lines(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.folder.join("avwatch.log")).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    #[track_caller]
    fn wait_for(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        wait(what, 30 * SECOND, || self.lines().into_iter().find(&is_it))
    }

    fn stop(&mut self) {
        let sent = Command::new("sh").args(["-c", &format!("kill -15 {}", self.child.id())]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the service runs");
        wait("the service to end", 12 * SECOND, || self.child.try_wait().expect("it can be asked"));
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Appends to a file, which is made if there is none.
pub(crate) fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().append(true).create(true).open(path).expect("the file can be written");
    file.write_all(text.as_bytes()).expect("the file can be written");
}

#[test]
fn the_log_of_a_service_says_how_long_each_stream_was_up_and_why_it_restarted() {
    // A file that ends again and again, and one that does not.
    let mut service = Logged::start(&format!(
        "log.latency_interval = \"1s\"\n{LOBBY}[[streams]]\nname = \"gone\"\nurl = \"/nowhere/clip.ts\"\n"
    ));
    let open = service.wait_for("the session", |line| line["stream"] == "lobby" && line["life"] == "open");
    assert_eq!(open["session"], 1);
    let failed = service.wait_for("the failure", |line| line["stream"] == "gone" && line["life"] == "end");
    assert!(failed["fault"].is_string() && failed["restart"] == failed["fault"], "{failed}");
    let hlog = |entry: fs::DirEntry| entry.file_name().to_string_lossy().starts_with("latency-").then(|| entry.path());
    let files = || fs::read_dir(&service.folder).expect("it is there").filter_map(|entry| hlog(entry.ok()?));
    wait("latencies", 30 * SECOND, || {
        files().any(|file| fs::read_to_string(file).is_ok_and(|text| text.contains("Tag=total,"))).then_some(())
    });
    service.stop();
    let mut summed = avwatch();
    summed.args(["logs", "--summary", "--format", "json", "--config"]).arg(service.home.config());
    let output = summed.output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let stream = |name: &str| {
        let all = report["streams"].as_array().expect("a list");
        all.iter().find(|stream| stream["stream"] == name).unwrap_or_else(|| panic!("no {name} in {report}")).clone()
    };
    assert!(stream("lobby")["uptime"].as_f64() > Some(0.9), "{}", stream("lobby"));
    assert_eq!(stream("lobby")["restarts"], json!({}));
    assert!(stream("gone")["restarts"].as_object().is_some_and(|causes| !causes.is_empty()), "{}", stream("gone"));
    assert_eq!(report["service_starts"], 1);
    let stages: Vec<&Value> = report["latencies"].as_array().expect("a list").iter().map(|row| &row["stage"]).collect();
    assert!(["decode", "queue", "inspect", "total"].iter().all(|stage| stages.contains(&&json!(stage))), "{stages:?}");
    let faults = report["faults"].as_array().expect("a list");
    assert!(faults.iter().any(|fault| fault["streams"] == json!(["gone"])), "{report}");
    assert!(!report["detectors"].as_array().expect("a list").is_empty(), "{report}");
}

#[test]
fn a_log_that_cannot_be_written_stops_nothing() {
    let home = Home::new("");
    let folder = home.path().join("logs");
    fs::create_dir(&folder).expect("the folder can be made");
    std::os::unix::fs::symlink("/dev/full", folder.join("avwatch.log")).expect("links are possible");
    let port = crate::common::sender::free_port();
    let config = format!("{LOBBY}[[streams]]\nname = \"gone\"\nurl = \"/nowhere/clip.ts\"\n");
    home.write(&format!(
        "data_dir = \"{}\"\nserver.listen = \"127.0.0.1:{port}\"\nlog.directory = \"{}\"\n{config}",
        home.data().display(),
        folder.display()
    ));
    let child = home.command().stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut service = Logged { child, folder, home };
    let address = format!("127.0.0.1:{port}");
    let state = || {
        std::net::TcpStream::connect(&address).ok()?;
        let answer = ask_json(&address, "GET", "/api/v1/streams/lobby", "", &Value::Null);
        (answer.json()["state"] == "live").then_some(())
    };
    wait("the stream to be watched", 30 * SECOND, state);
    service.stop();
    let mut said = String::new();
    let pipe = service.child.stderr.take().expect("is piped");
    BufReader::new(pipe).read_line(&mut said).expect("it is text");
    assert!(said.starts_with("avwatch: cannot write the log: No space left"), "{said}");
}

#[test]
fn the_level_of_one_stream_changes_while_the_service_runs() {
    let home = Home::new(&format!("{LOBBY}{}", LOBBY.replace("lobby", "roof").replace("seed=1", "seed=2")));
    let service = home.start();
    let levels = |body: Value| ask_json(service.address(), "PUT", "/api/v1/log", "", &body);
    let set = levels(json!({ "streams": { "roof": "debug" } }));
    assert_eq!((set.status, set.json()), (200, json!({ "level": "info", "streams": { "roof": "debug" } })));
    let told = || service.lines().iter().filter(|line| line.contains("levels of the log were changed")).count();
    wait("the change to be logged", 5 * SECOND, || (told() == 1).then_some(()));
    // What is refused and what changes nothing is told of by nobody.
    let half = json!({ "level": "trace", "streams": { "lobby": "trace", "nobody": "debug" } });
    assert_eq!(levels(half).status, 404);
    assert_eq!(levels(json!({})).json(), json!({ "level": "info", "streams": { "roof": "debug" } }));
    assert_eq!(levels(json!({ "level": "loud" })).status, 400);
    assert_eq!(levels(json!({ "streams": { "roof": null, "lobby": "debug" } })).status, 200);
    wait("the next change to be logged", 5 * SECOND, || (told() == 2).then_some(()));
    let off = levels(json!({ "level": "warn", "streams": { "lobby": null } }));
    assert_eq!(off.json(), json!({ "level": "warn", "streams": {} }));
    assert_eq!(service.get("/api/v1/log").0, 200);
    // The level that a changed configuration names wins at once.
    let config = fs::read_to_string(home.config()).expect("it is there");
    home.write(&format!("log.level = \"debug\"\n{config}"));
    service.signal(libc::SIGHUP);
    service.wait_for_line("the reload", 5 * SECOND, |line| {
        (line["message"] == "configuration reloaded: 0 added, 0 removed, 0 restarted, 0 retuned").then_some(())
    });
    assert_eq!(serde_json::from_str::<Value>(&service.get("/api/v1/log").1).expect("JSON")["level"], "debug");
}

/// A line of an access log, as of now.
pub(crate) fn request(status: u16) -> String {
    let now = Command::new("date").args(["-u", "+%d/%b/%Y:%H:%M:%S +0000"]).output().expect("there is date").stdout;
    let now = String::from_utf8(now).expect("it is text");
    format!("203.0.113.9 - - [{}] \"GET /live/lobby/1.ts HTTP/1.1\" {status} 100 \"-\" \"-\" 0.010\n", now.trim())
}

#[test]
fn server_errors_in_an_access_log_are_an_event_of_their_stream_until_they_end() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let log = folder.path().join("access.log");
    let home = Home::new(&format!(
        "{LOBBY}[[logs]]\nname = \"edge\"\npath = \"{}\"\nformat = \"common\"\nstream_field = \"path\"\n\
        stream_pattern = \"^/live/([^/]+)/\"\n[logs.rules.origin]\ndetector = \"log_http_errors\"\nwindow = \"5s\"\n\
        min_lines = 60\nthresholds = {{ warning = 0.05, major = 0.5 }}\nclear_after = \"1s\"\n",
        log.display()
    ));
    let service = home.start();
    // A line that is none is told of once: then the log is followed.
    wait("the log to be followed", 10 * SECOND, || {
        append(&log, "plain words\n");
        std::thread::park_timeout(SECOND / 4);
        service.lines().iter().any(|line| line.contains("not every line of a log was judged")).then_some(())
    });
    // Neither half alone is enough to say anything: no line may be missing.
    append(&log, &request(503).repeat(40));
    fs::rename(&log, folder.path().join("access.log.1")).expect("it can be renamed");
    append(&log, &request(503).repeat(40));
    let raised = service.wait_for_event("lobby", "log_http_errors", "raised", 10 * SECOND);
    assert_eq!((&raised["track"], &raised["severity"]), (&json!("input"), &json!("major")), "{raised}");
    assert!(raised["message"].as_str().is_some_and(|text| text.starts_with("origin: ")), "{raised}");
    let ended = wait("the event to end", 30 * SECOND, || {
        append(&log, &request(200).repeat(20));
        std::thread::park_timeout(SECOND / 4);
        service.events_of("lobby", "log_http_errors", "ended").pop()
    });
    assert_eq!((&ended["id"], &ended["end_reason"]), (&raised["id"], &json!("cleared")));
    let metric = "avwatch_events_total{stream=\"lobby\",detector=\"log_http_errors\",severity=\"major\"}";
    assert_eq!(service.metric(metric), Some(1.0));
}

/// Lines that a command prints, as they come.
fn printed(command: &mut Command) -> (Child, Receiver<String>) {
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let (sender, lines) = mpsc::channel();
    let pipe = child.stdout.take().expect("is piped");
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            // The test may have ended.
            let _ = sender.send(line);
        }
    });
    (child, lines)
}

fn line(number: usize) -> String {
    format!("{{\"time\":\"2026-11-28T00:00:00.{number:03}Z\",\"level\":\"info\",\"message\":\"m{number}\"}}\n")
}

#[test]
fn following_a_log_survives_rotation_and_truncation() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let log = folder.path().join("avwatch.log");
    append(&log, &line(0));
    let mut command = Command::new(env!("CARGO_BIN_EXE_avwatch"));
    let (mut child, lines) = printed(command.args(["logs", "--follow", "--format", "json"]).arg(folder.path()));
    let expect = |number: usize| {
        let found = lines.recv_timeout(20 * SECOND).unwrap_or_else(|_| panic!("line {number} never came"));
        assert_eq!(found, line(number).trim_end());
    };
    expect(0);
    append(&log, &line(1));
    fs::rename(&log, folder.path().join("avwatch.log.1")).expect("it can be renamed");
    append(&log, &line(2));
    expect(1);
    expect(2);
    fs::write(&log, "").expect("it can be emptied");
    std::thread::park_timeout(SECOND);
    append(&log, &line(3));
    expect(3);
    child.kill().expect("it runs");
    child.wait().expect("it was killed");
}

#[test]
fn the_command_filters_and_says_what_it_cannot_read() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let log = folder.path().join("avwatch.log");
    let hostile =
        "{\"time\":\"2026-11-28T00:00:01.000Z\",\"level\":\"warn\",\"message\":\"\\u001b[2J\",\"stream\":\"a\"}\n";
    append(&log, &format!("{}no log line\n{hostile}", line(0)));
    let output = avwatch().arg("logs").arg(&log).args(["--level", "warn"]).output().expect("it starts");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "2026-11-28T00:00:01.000Z WARN  a  \\u{1b}[2J\n");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "1 lines are no log lines of avwatch and were passed over\n");
    let text = fs::read(&log).expect("it is there");
    let piped = avwatch().args(["logs", "-", "--grep", "m0", "--format", "json"]).write_stdin(text).output();
    assert_eq!(String::from_utf8_lossy(&piped.expect("it starts").stdout), line(0));
    let refused = |arguments: &[&str], word: &str| {
        let output = avwatch().arg("logs").args(arguments).output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains(word), "{arguments:?}: {said}");
    };
    refused(&["/nowhere/avwatch.log"], "cannot read /nowhere/avwatch.log: No such file");
    refused(&["-", "--since", "yesterday"], "--since must be a time");
    refused(&["-", "--grep", "("], "--grep is no regular expression");
    refused(&[], "log.directory is not set");
}
