//! The object store: s3s-fs on loopback, and how the steps reach it.
//!
//! A real server of S3's protocol that keeps objects as files. Requests are not signed, which flatters
//! the distributed design again. Calls and bytes are counted where they are made.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

/// The one bucket.
pub const BUCKET: &str = "frames";

/// Largest object that is fetched: a picture of 4096 × 2304 at two bytes a sample, and its header.
const OBJECT_BYTES_MAX: u64 = 64 << 20;

/// Serves a folder until the process is killed; says its address on standard output.
pub fn serve(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder.join(BUCKET))?;
    let files = FileSystem::new(folder).map_err(|error| anyhow::anyhow!("{error:?}"))?;
    let service = S3ServiceBuilder::new(files).build();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        let http = Builder::new(TokioExecutor::new());
        loop {
            let (socket, _) = listener.accept().await?;
            let connection = http.serve_connection(TokioIo::new(socket), service.clone()).into_owned();
            tokio::spawn(async move {
                // A step that was killed leaves in the middle.
                let _ = connection.await;
            });
        }
    })
}

/// Calls and bytes.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Calls {
    pub puts: u64,
    pub gets: u64,
    pub bytes_put: u64,
    pub bytes_got: u64,
}

impl std::ops::AddAssign for Calls {
    fn add_assign(&mut self, other: Self) {
        self.puts += other.puts;
        self.gets += other.gets;
        self.bytes_put += other.bytes_put;
        self.bytes_got += other.bytes_got;
    }
}

/// A step's way to the store.
pub struct Objects {
    agent: ureq::Agent,
    base: String,
    calls: Calls,
}

impl Objects {
    /// The store at an address.
    pub fn at(address: &str) -> Self {
        let agent = ureq::Agent::new_with_defaults();
        Self { agent, base: format!("http://{address}/{BUCKET}"), calls: Calls::default() }
    }

    /// Stores an object.
    pub fn put(&mut self, key: &str, bytes: &[u8]) -> Result<()> {
        let sent = self.agent.put(format!("{}/{key}", self.base)).send(bytes);
        sent.with_context(|| format!("cannot store {key}"))?;
        self.calls.puts += 1;
        self.calls.bytes_put += bytes.len() as u64;
        Ok(())
    }

    /// Fetches an object.
    pub fn get(&mut self, key: &str) -> Result<Vec<u8>> {
        let answer = self.agent.get(format!("{}/{key}", self.base)).call();
        let answer = answer.with_context(|| format!("cannot fetch {key}"))?;
        let mut bytes = Vec::new();
        answer.into_body().into_reader().take(OBJECT_BYTES_MAX).read_to_end(&mut bytes)?;
        self.calls.gets += 1;
        self.calls.bytes_got += bytes.len() as u64;
        Ok(bytes)
    }

    /// Calls since this was last asked.
    pub fn take_calls(&mut self) -> Calls {
        std::mem::take(&mut self.calls)
    }
}
