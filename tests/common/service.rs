//! The service as its own process, with a configuration and a data folder of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::sender::wait;

/// How long starting may take on a busy machine.
const START_WITHIN: Duration = Duration::from_secs(20);

/// The folder of a service: configuration and data, gone with the test.
pub struct Home(tempfile::TempDir);

impl Home {
    /// A folder with this configuration, to which data folder and a free port are added.
    pub fn new(config: &str) -> Self {
        let home = Self(tempfile::tempdir().expect("a temporary folder can be made"));
        home.configure(config);
        home
    }

    /// Writes another configuration.
    pub fn configure(&self, config: &str) {
        let own = format!("data_dir = \"{}\"\nserver.listen = \"127.0.0.1:0\"\n", self.data().display());
        self.write(&format!("{own}{config}"));
    }

    /// Writes a file of configuration with nothing added.
    pub fn write(&self, config: &str) {
        std::fs::write(self.config(), config).expect("the temporary folder can be written");
    }

    /// The file of configuration.
    pub fn config(&self) -> PathBuf {
        self.0.path().join("avwatch.toml")
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    /// Every file below the data folder.
    pub fn files(&self) -> Vec<PathBuf> {
        let (mut folders, mut files) = (vec![self.data()], Vec::new());
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("it can be listed") {
                let path = entry.expect("it can be listed").path();
                if path.is_dir() { folders.push(path) } else { files.push(path) }
            }
        }
        files
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The JSON of every change in the store, in order. The service must have ended.
    pub fn stored_changes(&self) -> Vec<Value> {
        self.query("SELECT json FROM changes ORDER BY sequence")
            .iter()
            .map(|json| serde_json::from_str(json).expect("the store holds JSON"))
            .collect()
    }

    /// The first column of what a query of the store gives.
    pub fn query(&self, sql: &str) -> Vec<String> {
        let store = rusqlite::Connection::open(self.data().join("events.db")).expect("the store is there");
        let mut statement = store.prepare(sql).expect("the query is right");
        let rows = statement.query_map([], |row| row.get(0)).expect("the store can be read");
        rows.map(|row| row.expect("the store can be read")).collect()
    }

    /// The binary with this configuration, ready to start.
    pub fn command(&self) -> Command {
        let mut command = run();
        command.arg("--config").arg(self.config());
        command
    }

    /// Starts the service in this folder as a newcomer does, who has configured nothing.
    pub fn start_demo(&self) -> Service {
        std::fs::remove_file(self.config()).expect("it was written");
        let mut command = run();
        command.current_dir(self.path()).env("HOME", self.path()).env_remove("XDG_CONFIG_HOME");
        command.args(["--set", "server.listen=\"127.0.0.1:0\""]);
        started(command)
    }

    /// Runs the service to its end, which is expected to come at once; gives exit status and standard error.
    pub fn refused(&self) -> (i32, String) {
        let service = self.command().stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
        let mut service = Guard(service);
        let status = wait("the service to refuse", START_WITHIN, || service.0.try_wait().expect("it can be asked"));
        let mut said = String::new();
        service.0.stderr.take().expect("is piped").read_to_string(&mut said).expect("is text");
        (status.code().expect("it was not killed"), said)
    }

    /// Starts the service; for tests that never look at the folder again.
    pub fn start_with_home(self) -> (Self, Service) {
        let service = self.start();
        (self, service)
    }

    /// Starts the service and waits until it watches.
    pub fn start(&self) -> Service {
        self.start_with(&[])
    }

    /// The same with more arguments.
    pub fn start_with(&self, arguments: &[&str]) -> Service {
        let mut command = self.command();
        command.args(arguments);
        started(command)
    }
}

/// The binary, untouched by the configuration of the person who runs the tests.
fn run() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_avwatch"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AVWATCH")) {
        command.env_remove(name);
    }
    command.arg("run").stdin(Stdio::null());
    command
}

/// The service of a command, as soon as it watches.
fn started(mut command: Command) -> Service {
    let mut child = Guard(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts"));
    let lines = Arc::<Mutex<Vec<String>>>::default();
    follow(child.0.stdout.take().expect("is piped"), lines.clone());
    follow(child.0.stderr.take().expect("is piped"), lines.clone());
    let mut service = Service { child, lines, address: String::new() };
    service.address = service.wait_for_line("it to listen", START_WITHIN, |line| {
        let (_, address) = line["message"].as_str()?.strip_prefix("listening on ")?.split_once("://")?;
        Some(address.to_owned())
    });
    service.wait_for_line("it to watch", START_WITHIN, |line| (line["message"] == "watching").then_some(()));
    service
}

struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn follow(pipe: impl Read + Send + 'static, lines: Arc<Mutex<Vec<String>>>) {
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            lines.lock().expect("nobody panics with it").push(line);
        }
    });
}

/// A running service; killed on drop.
pub struct Service {
    child: Guard,
    lines: Arc<Mutex<Vec<String>>>,
    address: String,
}

impl Service {
    /// Everything that it wrote, line by line.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("nobody panics with it").clone()
    }

    /// The log as JSON.
    pub fn log(&self) -> Vec<Value> {
        self.lines().iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The events of the log, every change of them, in order.
    pub fn events(&self) -> Vec<Value> {
        self.log().into_iter().filter(|line| line["event"].is_object()).map(|mut line| line["event"].take()).collect()
    }

    /// Events of one stream and detector in a state.
    pub fn events_of(&self, stream: &str, detector: &str, state: &str) -> Vec<Value> {
        let is_it =
            |event: &Value| event["stream"] == stream && event["detector"] == detector && event["state"] == state;
        self.events().into_iter().filter(is_it).collect()
    }

    /// Waits for a line of the log.
    #[track_caller]
    pub fn wait_for_line<T>(&self, what: &str, limit: Duration, look: impl Fn(&Value) -> Option<T>) -> T {
        let begin = Instant::now();
        wait(what, limit + Duration::from_secs(1), || {
            let found = self.log().iter().find_map(&look);
            let said = if found.is_none() && begin.elapsed() > limit { self.lines().join("\n") } else { String::new() };
            assert!(said.is_empty(), "waited {limit:?} for {what}; it said\n{said}");
            found
        })
    }

    /// Waits for the first event of one stream and detector in a state.
    #[track_caller]
    pub fn wait_for_event(&self, stream: &str, detector: &str, state: &str, limit: Duration) -> Value {
        self.wait_for_line(&format!("{detector} of {stream} to be {state}"), limit, |line| {
            let event = &line["event"];
            let is_it = event["stream"] == stream && event["detector"] == detector && event["state"] == state;
            is_it.then(|| event.clone())
        })
    }

    /// Waits until a stream has opened a session, of at least that number.
    #[track_caller]
    pub fn wait_for_session(&self, stream: &str, number: u64, limit: Duration) {
        self.wait_for_line(&format!("session {number} of {stream}"), limit, |line| {
            let opened = line["message"] == "session open" && line["stream"] == stream;
            (opened && line["session"].as_u64() >= Some(number)).then_some(())
        });
    }

    /// Waits until a metric has a value; the line's name with its labels as written.
    #[track_caller]
    pub fn wait_for_metric(&self, series: &str, limit: Duration, holds: impl Fn(f64) -> bool) {
        wait(series, limit, || self.metric(series).filter(|value| holds(*value)));
    }

    /// The value of a metric now; the name with its labels as written.
    pub fn metric(&self, series: &str) -> Option<f64> {
        let (_, page) = self.get("/metrics");
        page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.split(' ').next()?.parse().ok())
    }

    /// Asks it by HTTP; gives status and body.
    pub fn get(&self, path: &str) -> (u16, String) {
        let answer = self.ask("GET", path, "");
        let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("is HTTP");
        (status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
    }

    /// The status line and headers of an answer, names in lower case; `more` are lines of the request.
    pub fn head(&self, path: &str, more: &str) -> String {
        self.ask("HEAD", path, more)
    }

    fn ask(&self, method: &str, path: &str, more: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("the service listens");
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("is above zero");
        let request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{more}\r\n", self.address);
        stream.write_all(request.as_bytes()).expect("the service reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the service answers in time");
        answer
    }

    /// Address and port that it listens on.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: i32) {
        // The shell's own `kill`: the standard library knows only the one signal.
        let sent = Command::new("sh").args(["-c", &format!("kill -{signal} {}", self.child.0.id())]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the service runs");
    }

    /// Waits for its end; gives the exit status and how long it took.
    #[track_caller]
    pub fn wait_for_end(&mut self, limit: Duration) -> (Option<i32>, Duration) {
        let begin = Instant::now();
        let status = wait("the service to end", limit, || self.child.0.try_wait().expect("it can be asked"));
        (status.code(), begin.elapsed())
    }

    /// Ends it in order; gives the exit status and how long it took.
    #[track_caller]
    pub fn stop(&mut self) -> (Option<i32>, Duration) {
        self.signal(libc::SIGTERM);
        self.wait_for_end(Duration::from_secs(12))
    }

    /// Ends it at once, as a crash would, and waits until it is gone.
    pub fn kill(&mut self) {
        self.signal(libc::SIGKILL);
        self.wait_for_end(Duration::from_secs(12));
    }

    /// Memory that it holds, in bytes.
    pub fn memory(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.0.id())).expect("it runs");
        let kilobytes =
            text.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().split(' ').next()?.parse().ok());
        kilobytes.map_or(0, |kilobytes: u64| kilobytes << 10)
    }
}
