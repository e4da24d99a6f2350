//! A program of this machine, started for every message.
//!
//! Owned by its receiver's thread, which waits for the program: [`SEND_WITHIN`] at most, then its whole
//! process group is killed. No shell is between: arguments are handed over as they are written. The
//! message is on its standard input, as in [`super::json`]; a few facts are in its environment, which
//! holds nothing else of ours but `PATH`, `HOME` and `LANG`. Only the file configuration can name a
//! program; nothing that comes over the network reaches its arguments.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use avwatch_actors::lifeline::Lifeline;
use avwatch_actors::record::Record;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process_group};

use super::words::{self, LINE_BYTES_MAX};
use super::{Channel, Content, ExecPlan, Message, SEND_WITHIN, SendFailure, json};

/// Most bytes of a program's output that are kept; what is more is read and dropped.
const OUTPUT_BYTES_MAX: usize = 64 * 1024;

/// Most bytes of a program's output in one line of the log.
const LOGGED_BYTES_MAX: usize = 2_000;

/// What a program exits with when it may work later (`EX_TEMPFAIL` of sysexits.h).
const TRY_LATER: i32 = 75;

/// How often a program is looked at that says nothing.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How long a killed program may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(1);

/// Variables that the program gets from our own environment.
const PASSED_ON: [&str; 3] = ["PATH", "HOME", "LANG"];

/// The channel.
pub struct ExecChannel {
    plan: ExecPlan,
    line: Arc<Lifeline>,
    within: Duration,
}

impl ExecChannel {
    /// Starts the plan's program for every message. `line` is the lifeline of the thread that sends.
    pub fn new(plan: &ExecPlan, line: &Arc<Lifeline>) -> Self {
        Self { plan: plan.clone(), line: line.clone(), within: SEND_WITHIN }
    }

    /// The same with another limit, for tests.
    #[cfg(test)]
    fn within(mut self, limit: Duration) -> Self {
        self.within = limit;
        self
    }

    fn start(&self, message: &Message) -> io::Result<Child> {
        let mut command = Command::new(&self.plan.program);
        command.args(&self.plan.arguments).current_dir("/").env_clear().process_group(0);
        command.envs(PASSED_ON.iter().filter_map(|name| std::env::var_os(name).map(|value| (name, value))));
        command.envs(facts(message));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
    }

    fn later(&self, why: &str) -> SendFailure {
        SendFailure::Later { why: format!("{} {why}", self.plan.program.display()), after: None }
    }

    /// Feeds and drains the program until it ends.
    fn attend(&self, child: &mut Child, input: &[u8]) -> io::Result<Ended> {
        let until = Instant::now() + self.within;
        let mut pipes = Pipes::of(child, input)?;
        loop {
            pipes.move_on()?;
            if let Some(status) = child.try_wait()? {
                pipes.move_on()?;
                return Ok(Ended { status: Some(status), output: pipes.output });
            }
            if Instant::now() >= until || self.line.cut_reason().is_some() {
                end(child);
                return Ok(Ended { status: None, output: pipes.output });
            }
            pipes.wait();
        }
    }
}

impl Channel for ExecChannel {
    fn send(&mut self, message: &Message) -> Result<(), SendFailure> {
        let program = self.plan.program.display();
        let input = json::message(message)
            .map_err(|error| SendFailure::Refused { why: format!("cannot write the message as JSON: {error}") })?;
        let mut child = match self.start(message) {
            Ok(child) => child,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) => {
                return Err(SendFailure::Refused { why: format!("cannot start {program}: {}", error.kind()) });
            }
            Err(error) => return Err(self.later(&format!("cannot be started: {error}"))),
        };
        let ended = match self.attend(&mut child, input.to_string().as_bytes()) {
            Ok(ended) => ended,
            Err(error) => {
                end(&mut child);
                return Err(self.later(&format!("cannot be attended: {error}")));
            }
        };
        let output = String::from_utf8_lossy(&ended.output);
        let output = words::clean(&output, LOGGED_BYTES_MAX);
        tracing::debug!(receiver = &*message.receiver, program = %program, output, "a program was told");
        match ended.status {
            None => Err(self.later(&format!("did not end within {}", words::span(self.within)))),
            Some(status) => self.judge(status),
        }
    }
}

impl ExecChannel {
    fn judge(&self, status: ExitStatus) -> Result<(), SendFailure> {
        match (status.code(), status.signal()) {
            (Some(0), _) => Ok(()),
            (Some(TRY_LATER), _) => Err(self.later("asks to be tried later (exit status 75)")),
            (Some(code), _) => Err(SendFailure::Refused {
                why: format!("{} failed (exit status {code})", self.plan.program.display()),
            }),
            (None, signal) => Err(self.later(&format!("was killed (signal {})", signal.unwrap_or_default()))),
        }
    }
}

/// How a program ended.
struct Ended {
    /// Nothing when it took too long and was killed.
    status: Option<ExitStatus>,
    output: Vec<u8>,
}

/// The pipes of a program, none of which ever blocks.
struct Pipes<'a> {
    stdin: Option<std::process::ChildStdin>,
    outputs: Vec<Box<dyn Output>>,
    input: &'a [u8],
    output: Vec<u8>,
}

/// Standard output or error of a program.
trait Output: Read + AsFd {}
impl<T: Read + AsFd> Output for T {}

impl<'a> Pipes<'a> {
    fn of(child: &mut Child, input: &'a [u8]) -> io::Result<Self> {
        let stdin = child.stdin.take();
        let mut outputs: Vec<Box<dyn Output>> = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            outputs.push(Box::new(stdout));
        }
        if let Some(stderr) = child.stderr.take() {
            outputs.push(Box::new(stderr));
        }
        for pipe in stdin.iter().map(AsFd::as_fd).chain(outputs.iter().map(|output| output.as_fd())) {
            never_block(pipe)?;
        }
        Ok(Self { stdin, outputs, input, output: Vec::new() })
    }

    /// Writes and reads what goes without waiting.
    fn move_on(&mut self) -> io::Result<()> {
        self.feed()?;
        let mut buffer = [0; 8 * 1024];
        let mut index = 0;
        while index < self.outputs.len() {
            match self.outputs[index].read(&mut buffer) {
                Ok(0) => drop(self.outputs.swap_remove(index)),
                Ok(count) => {
                    let room = OUTPUT_BYTES_MAX - self.output.len();
                    self.output.extend_from_slice(&buffer[..count.min(room)]);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => index += 1,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn feed(&mut self) -> io::Result<()> {
        while let Some(stdin) = &mut self.stdin {
            if self.input.is_empty() {
                self.stdin = None;
                return Ok(());
            }
            match stdin.write(self.input) {
                Ok(count) => self.input = &self.input[count..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // A program need not read it.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => self.stdin = None,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits until something may go on, at most [`LOOK_EVERY`].
    fn wait(&self) {
        let mut watched: Vec<PollFd<'_>> =
            self.outputs.iter().map(|output| PollFd::from_borrowed_fd(output.as_fd(), PollFlags::IN)).collect();
        if let Some(stdin) = &self.stdin {
            watched.push(PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::OUT));
        }
        let limit = Timespec { tv_sec: 0, tv_nsec: i64::from(LOOK_EVERY.subsec_nanos()) };
        // However it ends, the pipes are looked at next.
        if poll(&mut watched, Some(&limit)).is_err() {
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

fn never_block(pipe: BorrowedFd<'_>) -> io::Result<()> {
    fcntl_setfl(pipe, fcntl_getfl(pipe)? | OFlags::NONBLOCK)?;
    Ok(())
}

/// Kills a program with all that it started, and takes leave of it.
fn end(child: &mut Child) {
    if let Err(error) = kill_process_group(Pid::from_child(child), Signal::KILL) {
        tracing::debug!(%error, "a program was gone before it was killed");
    }
    let until = Instant::now() + GONE_WITHIN;
    while matches!(child.try_wait(), Ok(None)) {
        if Instant::now() >= until {
            tracing::warn!(pid = child.id(), "a program that was killed is not gone");
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// What the program finds in its environment: nothing secret. Facts of a single event or incident stand
/// there only when the message is about that alone.
fn facts(message: &Message) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("AVWATCH_MESSAGE_ID", message.id.clone()),
        ("AVWATCH_RECEIVER", message.receiver.to_string()),
        ("AVWATCH_SUMMARY", words::head(message)),
    ];
    let records = match &message.content {
        Content::Test { .. } => {
            facts.push(("AVWATCH_EVENT", "test".to_owned()));
            return cleaned(facts);
        }
        Content::Changes(records) => records,
    };
    facts.push(("AVWATCH_CHANGES", records.len().to_string()));
    let told = words::newest(records);
    match told.first().filter(|_| told.len() == 1).map(|told| told.record) {
        None => facts.push(("AVWATCH_EVENT", "digest".to_owned())),
        Some(Record::Incident(incident)) => facts.extend([
            ("AVWATCH_EVENT", if incident.is_open() { "incident" } else { "incident_ended" }.to_owned()),
            ("AVWATCH_INCIDENT_ID", incident.id.clone()),
            ("AVWATCH_SEVERITY", incident.severity.name().to_owned()),
        ]),
        Some(Record::Event(event)) => {
            let is_unwatched = words::is_unwatched(event);
            let what = if is_unwatched { "unwatched" } else { crate::sinks::state_name(event.state) };
            facts.extend([
                ("AVWATCH_EVENT", what.to_owned()),
                ("AVWATCH_EVENT_ID", event.id.clone()),
                ("AVWATCH_STREAM", event.stream.to_string()),
                ("AVWATCH_TRACK", event.track.to_string()),
                ("AVWATCH_DETECTOR", event.detector.to_string()),
                ("AVWATCH_SEVERITY", event.severity.name().to_owned()),
            ]);
            facts.extend(message.links.event(&event.id).map(|url| ("AVWATCH_URL", url)));
        }
    }
    cleaned(facts)
}

/// Without what an environment cannot hold, and bounded.
fn cleaned(facts: Vec<(&'static str, String)>) -> Vec<(&'static str, String)> {
    facts.into_iter().map(|(name, value)| (name, words::clean(&value, LINE_BYTES_MAX))).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use avwatch_actors::lifeline::CutReason;

    use super::*;
    use crate::notify::samples::{ended, message, raised, test};

    struct Script {
        folder: tempfile::TempDir,
    }

    impl Script {
        /// A program that does this in a shell; `$D` is its folder.
        fn new(does: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("hook");
            fs::write(&path, format!("#!/bin/sh\nD={}\n{does}\n", folder.path().display())).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            Self { folder }
        }

        fn channel(&self) -> ExecChannel {
            let arguments = vec!["--noc".to_owned(), "$(touch /tmp/never)".to_owned()];
            ExecChannel::new(&ExecPlan { program: self.path("hook"), arguments }, &Arc::default())
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn written(&self, name: &str) -> String {
            fs::read_to_string(self.path(name)).unwrap()
        }

        fn send(&self, message: &Message) -> Result<(), SendFailure> {
            self.channel().within(Duration::from_secs(5)).send(message)
        }
    }

    #[test]
    fn a_program_gets_the_message_its_arguments_and_nothing_of_our_environment() {
        let script = Script::new("cat > $D/in; env > $D/env; for a in \"$@\"; do echo \"$a\" >> $D/args; done");
        script.send(&message(vec![raised("lobby", "black")])).unwrap();
        let input: serde_json::Value = serde_json::from_str(&script.written("in")).unwrap();
        assert_eq!(input["schema"], json::MESSAGE_SCHEMA);
        assert_eq!(input["changes"][0]["event"]["stream"], "lobby");
        assert_eq!(script.written("args"), "--noc\n$(touch /tmp/never)\n");
        let environment = script.written("env");
        let names: Vec<&str> = environment.lines().filter_map(|line| line.split('=').next()).collect();
        let unknown = names.iter().filter(|name| !name.starts_with("AVWATCH_") && !PASSED_ON.contains(*name));
        let own = ["PWD", "_", "SHLVL", "OLDPWD"];
        assert_eq!(unknown.filter(|name| !own.contains(*name)).count(), 0, "{environment}");
        for fact in ["AVWATCH_EVENT=raised", "AVWATCH_STREAM=lobby", "AVWATCH_SEVERITY=critical"] {
            assert!(environment.lines().any(|line| line == fact), "{fact}: {environment}");
        }
    }

    #[test]
    fn a_digest_and_a_test_say_what_they_are() {
        let script = Script::new("echo $AVWATCH_EVENT $AVWATCH_STREAM $AVWATCH_CHANGES >> $D/said");
        script.send(&message(vec![raised("a", "black"), ended("b", "black")])).unwrap();
        script.send(&test("anna")).unwrap();
        script.send(&message(vec![ended("a", "black")])).unwrap();
        assert_eq!(script.written("said"), "digest 2\ntest\nended a 1\n");
    }

    #[test]
    fn the_exit_status_decides_what_becomes_of_the_message() {
        for (does, wanted) in [("exit 75", "later"), ("kill -9 $$", "later"), ("exit 1", "refused"), ("exit 0", "ok")] {
            let got = match Script::new(does).send(&test("anna")) {
                Ok(()) => "ok",
                Err(SendFailure::Later { .. } | SendFailure::GoesOn { .. }) => "later",
                Err(SendFailure::Refused { .. }) => "refused",
            };
            assert_eq!(got, wanted, "{does}");
        }
    }

    #[test]
    fn a_program_that_is_not_there_is_refused_by_name() {
        let plan = ExecPlan { program: "/no/such/hook".into(), arguments: Vec::new() };
        let failure = ExecChannel::new(&plan, &Arc::default()).send(&test("anna")).unwrap_err();
        assert_eq!(failure, SendFailure::Refused { why: "cannot start /no/such/hook: entity not found".to_owned() });
    }

    #[test]
    fn a_program_that_hangs_is_killed_with_all_that_it_started() {
        let script = Script::new("sleep 600 & echo $! > $D/pid; wait");
        let start = Instant::now();
        let failure = script.channel().within(Duration::from_millis(500)).send(&test("anna")).unwrap_err();
        assert!(matches!(failure, SendFailure::Later { .. }), "{failure:?}");
        assert!(start.elapsed() < Duration::from_secs(3));
        let child = PathBuf::from("/proc").join(script.written("pid").trim()).join("stat");
        let until = Instant::now() + Duration::from_secs(5);
        // Gone, or dead and waiting for whoever adopted it.
        while fs::read_to_string(&child).is_ok_and(|stat| !stat.contains(") Z")) {
            assert!(Instant::now() < until, "what the program started still runs");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_cut_ends_a_program_at_once() {
        let script = Script::new("sleep 600");
        let line: Arc<Lifeline> = Arc::default();
        line.cut(CutReason::Stopped);
        let plan = ExecPlan { program: script.path("hook"), arguments: Vec::new() };
        let start = Instant::now();
        ExecChannel::new(&plan, &line).send(&test("anna")).unwrap_err();
        assert!(start.elapsed() < Duration::from_secs(3));
    }

    #[test]
    fn a_program_may_write_much_and_read_nothing_of_a_long_message() {
        let records = (0..3_000).map(|index| raised(&format!("s{index}"), "black")).collect();
        Script::new("head -c 1000000 /dev/zero; exit 0").send(&message(records)).unwrap();
    }

    #[test]
    fn what_a_program_leaves_running_holds_nothing_up() {
        let script = Script::new("sleep 3 & exit 0");
        let start = Instant::now();
        script.send(&test("anna")).unwrap();
        assert!(start.elapsed() < Duration::from_secs(2));
    }
}
