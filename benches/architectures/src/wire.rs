//! How the workflow reaches its steps: a line of JSON to a process, a line of JSON back.
//!
//! Cheaper than the network calls that a workflow engine makes: what is measured here flatters the
//! distributed design.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::usage::{self, Usage};

/// A step in a process of its own. One call at a time; others wait.
pub struct Step {
    /// What it is, such as `converter`.
    pub role: String,
    talk: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    child: Mutex<Child>,
}

impl Step {
    /// Starts this program anew in a role.
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
        let role = [role].into_iter().chain(arguments.first().map(String::as_str)).collect::<Vec<_>>().join(" ");
        Ok(Self { role, talk: Mutex::new((input, output)), child: Mutex::new(child) })
    }

    /// Asks, and waits for the answer.
    pub fn call<Q: Serialize, A: DeserializeOwned>(&self, question: &Q) -> Result<A> {
        let mut talk = self.talk.lock().unwrap_or_else(PoisonError::into_inner);
        let (input, output) = &mut *talk;
        let mut line = serde_json::to_string(question)?;
        line.push('\n');
        input.write_all(line.as_bytes()).with_context(|| format!("the {} has ended", self.role))?;
        let mut answer = String::new();
        output.read_line(&mut answer)?;
        serde_json::from_str(&answer).with_context(|| format!("the {} answered {answer:?}", self.role))
    }

    /// The first line it says by itself.
    pub fn greeting(&self) -> Result<String> {
        let mut talk = self.talk.lock().unwrap_or_else(PoisonError::into_inner);
        let mut line = String::new();
        talk.1.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    /// What it has used so far.
    pub fn usage(&self) -> Usage {
        let child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        usage::of_process(child.id())
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

/// Answers line by line until nobody asks any more.
pub fn serve<Q: DeserializeOwned, A: Serialize>(mut answer: impl FnMut(Q) -> Result<A>) -> Result<()> {
    let mut output = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let answer = answer(serde_json::from_str(&line?)?)?;
        let mut line = serde_json::to_string(&answer)?;
        line.push('\n');
        output.write_all(line.as_bytes())?;
        output.flush()?;
    }
    Ok(())
}
