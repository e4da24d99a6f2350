//! The configuration as its users see it: what is read, what wins, what is refused and how.

mod channels;
mod errors;
mod files;
mod layers;
mod logs;
mod reload;
mod secrets;
mod share;

use std::path::{Path, PathBuf};

use super::*;

/// A folder with configuration files, and the rest of the sources.
struct Bench {
    folder: tempfile::TempDir,
    sources: Sources,
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder"), sources: Sources::default() }
    }

    /// One file, named `a.toml`.
    fn of(text: &str) -> Self {
        Self::new().file("a.toml", text)
    }

    fn file(mut self, name: &str, text: &str) -> Self {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("writable");
        self.sources.files.push(path);
        self
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.sources.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    fn set(mut self, argument: &str) -> Self {
        self.sources.sets.push(argument.to_owned());
        self
    }

    fn load(&self) -> Result<Loaded, ConfigErrors> {
        load_with(&self.sources, &testing::rows())
    }

    fn loaded(&self) -> Loaded {
        self.load().unwrap_or_else(|errors| panic!("refused:\n{errors}"))
    }

    fn plan(&self) -> Plan {
        self.loaded().plan
    }

    /// What is wrong, without the temporary folder.
    fn errors(&self) -> Vec<String> {
        let errors = self.load().expect_err("refused");
        self.local(&errors.to_string()).lines().map(str::to_owned).collect()
    }

    fn local(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.folder.path().display()), "")
    }
}

fn stream<'a>(plan: &'a Plan, name: &str) -> &'a StreamPlan {
    plan.streams.iter().find(|stream| &*stream.name == name).expect("the stream exists")
}
