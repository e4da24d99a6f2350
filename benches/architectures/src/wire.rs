//! How the workflow reaches its steps: a line of JSON to a process, a line of JSON back.
//!
//! Cheaper than the network calls that a workflow engine makes: what is measured here flatters the
//! distributed design.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::page::figures::Usage;
use crate::usage;

/// Longest wait for an answer: far beyond any load at which a design still keeps up.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// A step in a process of its own. One call at a time; others wait.
pub struct Step {
    /// What it is, such as `converter s0`.
    role: String,
    talk: Mutex<(ChildStdin, Receiver<String>)>,
    child: Mutex<Child>,
    /// What it said when it was ready.
    pub greeting: String,
    /// What it had used by then: starting is no part of the work.
    started: Usage,
}

impl Step {
    /// Starts this program anew in a role, and waits until it is ready.
    pub fn start(role: &str, arguments: &[String]) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(role)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start the {role}"))?;
        let input = child.stdin.take().context("its input is piped")?;
        let output = BufReader::new(child.stdout.take().context("its output is piped")?);
        let (send, lines) = channel();
        // Ends with the process; nobody listens any more when the step was dropped.
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        let role = [role].into_iter().chain(arguments.first().map(String::as_str)).collect::<Vec<_>>().join(" ");
        let mut step = Self {
            role,
            talk: Mutex::new((input, lines)),
            child: Mutex::new(child),
            greeting: String::new(),
            started: Usage::default(),
        };
        step.greeting = step.line()?;
        step.started = usage::of_process(step.id())?;
        Ok(step)
    }

    /// Asks, and waits for the answer.
    pub fn call<Q: Serialize, A: DeserializeOwned>(&self, question: &Q) -> Result<A> {
        let mut talk = self.talk.lock().unwrap_or_else(PoisonError::into_inner);
        let (input, lines) = &mut *talk;
        let mut line = serde_json::to_string(question)?;
        line.push('\n');
        input.write_all(line.as_bytes()).with_context(|| format!("the {} has ended", self.role))?;
        let answer = lines.recv_timeout(ANSWER_MAX).with_context(|| format!("the {} does not answer", self.role))?;
        serde_json::from_str(&answer).with_context(|| format!("the {} answered {answer:?}", self.role))
    }

    fn line(&self) -> Result<String> {
        let talk = self.talk.lock().unwrap_or_else(PoisonError::into_inner);
        talk.1.recv_timeout(ANSWER_MAX).with_context(|| format!("the {} does not start", self.role))
    }

    fn id(&self) -> u32 {
        self.child.lock().unwrap_or_else(PoisonError::into_inner).id()
    }

    /// What its work has used so far.
    pub fn used(&self) -> Result<Usage> {
        let usage = usage::of_process(self.id())?;
        Ok(Usage { cpu_s: usage.cpu_s - self.started.cpu_s, ..usage })
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        // It may have ended by itself.
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Says that it is ready, then answers line by line until nobody asks any more.
pub fn serve<Q: DeserializeOwned, A: Serialize>(greeting: &str, mut answer: impl FnMut(Q) -> Result<A>) -> Result<()> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{greeting}")?;
    for line in std::io::stdin().lock().lines() {
        let answer = answer(serde_json::from_str(&line?)?)?;
        let mut line = serde_json::to_string(&answer)?;
        line.push('\n');
        output.write_all(line.as_bytes())?;
        output.flush()?;
    }
    Ok(())
}

/// What a step says when it is ready and has nothing else to say.
pub const READY: &str = "ready";
