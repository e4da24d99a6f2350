//! The service as its own process, with a configuration and a data folder of its own.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::calls;
use super::metrics::Metrics;
use super::options::Options;
use super::process::Process;

/// How long starting may take; what it took is a figure of its own.
const START_WITHIN: Duration = Duration::from_secs(30);

/// Configuration, data and whatever else a trial keeps; gone at its end.
pub struct Home {
    folder: tempfile::TempDir,
    avwatch: PathBuf,
    variables: Vec<(String, String)>,
}

impl Home {
    /// A folder with this configuration, to which data folder and a free port are added.
    pub fn new(options: &Options, config: &str) -> Result<Self> {
        let home = Self { folder: tempfile::tempdir()?, avwatch: options.avwatch.clone(), variables: Vec::new() };
        home.configure(config)?;
        Ok(home)
    }

    /// Writes another configuration.
    pub fn configure(&self, config: &str) -> Result<()> {
        let data = self.data();
        // One address makes all requests here.
        let own = format!(
            "data_dir = \"{}\"\nserver.listen = \"127.0.0.1:0\"\nserver.requests_per_second = 100000\nlog.format = \"json\"\n",
            data.display()
        );
        Ok(std::fs::write(self.path().join("avwatch.toml"), own + config)?)
    }

    /// Sets a variable of the environment.
    pub fn set(&mut self, name: &str, value: String) {
        self.variables.push((name.to_owned(), value));
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// Starts the service; it may not listen yet.
    pub fn spawn(&self) -> Result<Service> {
        let mut command = Command::new(&self.avwatch);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AVWATCH")) {
            command.env_remove(name);
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.arg("run").arg("--config").arg(self.path().join("avwatch.toml"));
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let begun = Instant::now();
        let lines = Arc::<Mutex<Vec<String>>>::default();
        follow(child.stdout.take().context("is piped")?, lines.clone());
        follow(child.stderr.take().context("is piped")?, lines.clone());
        let process = Process(child.id());
        Ok(Service { child, lines, process, begun, address: String::new(), started_in: Duration::ZERO })
    }

    /// Starts the service and waits until it answers.
    pub fn start(&self) -> Result<Service> {
        let mut service = self.spawn()?;
        service.wait_until_ready()?;
        Ok(service)
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
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    /// Its process.
    pub process: Process,
    begun: Instant,
    /// Where it listens.
    pub address: String,
    /// How long it took from its start until it was ready.
    pub started_in: Duration,
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Service {
    fn wait_until_ready(&mut self) -> Result<()> {
        loop {
            if self.address.is_empty() {
                let told = |line: &Value| {
                    let (_, address) = line["message"].as_str()?.strip_prefix("listening on ")?.split_once("://")?;
                    Some(address.to_owned())
                };
                self.address = self.find(0, told).unwrap_or_default();
            }
            if !self.address.is_empty()
                && calls::call(&self.address, "GET", "/readyz", None).is_ok_and(|it| it.0 == 200)
            {
                self.started_in = self.begun.elapsed();
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the service ended with {status}: {}", self.lines_since(0).join("\n"));
            }
            if self.begun.elapsed() > START_WITHIN {
                bail!("the service was not ready in {START_WITHIN:?}: {}", self.lines_since(0).join("\n"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// How many lines it has written.
    pub fn line_count(&self) -> usize {
        self.lines.lock().expect("nobody panics with it").len()
    }

    /// The lines after the first so many.
    pub fn lines_since(&self, from: usize) -> Vec<String> {
        self.lines.lock().expect("nobody panics with it").get(from..).unwrap_or_default().to_vec()
    }

    /// The first line of the log, after the first so many, that is looked for.
    pub fn find<T>(&self, from: usize, look: impl Fn(&Value) -> Option<T>) -> Option<T> {
        self.lines_since(from).iter().filter_map(|line| serde_json::from_str(line).ok()).find_map(|line| look(&line))
    }

    /// Lines that tell of a panic.
    pub fn panics(&self) -> Vec<String> {
        self.lines_since(0).into_iter().filter(|line| line.contains("panicked") || line.contains("\"panic")).collect()
    }

    /// Events of the log, every change of them.
    pub fn events(&self) -> Vec<Value> {
        let log = self.lines_since(0);
        let parsed =
            log.iter().filter(|line| line.contains("\"event\"")).filter_map(|line| serde_json::from_str(line).ok());
        parsed.filter(|line: &Value| line["event"].is_object()).map(|mut line| line["event"].take()).collect()
    }

    /// The metrics as of now.
    pub fn metrics(&self) -> Result<Metrics> {
        Ok(Metrics::parse(&calls::call(&self.address, "GET", "/metrics", None)?.1))
    }

    /// Status and body of a path.
    pub fn get(&self, path: &str) -> Result<(u16, String)> {
        calls::call(&self.address, "GET", path, None)
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Ends it at once, as a crash would, and waits until it is gone.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Ends it in order; gives the exit status and how long it took.
    pub fn stop(&mut self) -> Result<(Option<i32>, Duration)> {
        let begin = Instant::now();
        self.process.signal(libc::SIGTERM)?;
        let status = until("the service to end", Duration::from_secs(15), || Ok(self.child.try_wait()?))?;
        Ok((status.code(), begin.elapsed()))
    }
}

/// Looks again and again until there is an answer.
///
/// # Errors
/// The limit passed, or looking failed.
pub fn until<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let begin = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if begin.elapsed() > limit {
            bail!("waited {limit:?} for {what}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
