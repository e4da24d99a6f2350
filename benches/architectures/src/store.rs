//! The object store: s3s-fs on loopback, and how the steps reach it.
//!
//! A real server of S3's protocol that keeps objects as files. Requests are not signed and go without
//! TLS, connections are kept alive: all of it favours the distributed design. Calls and bytes are counted
//! where they are made.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::page::figures::Calls;
use crate::wire;

/// The one bucket.
pub const BUCKET: &str = "frames";

/// Largest object that is fetched: 25 pictures of 4096 × 2304 at 12 bits a pixel, and more.
const OBJECT_BYTES_MAX: u64 = 512 << 20;

/// Longest time that a call may take.
const CALL_MAX: Duration = Duration::from_secs(30);

/// Asks the store how it was reached.
#[derive(Serialize, Deserialize)]
pub struct Ask {}

/// Since it started.
#[derive(Serialize, Deserialize)]
pub struct Reached {
    pub connections: u64,
}

/// `store FOLDER`: greets with its address.
pub fn run(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder.join(BUCKET))?;
    let files = FileSystem::new(folder).map_err(|error| anyhow::anyhow!("{error:?}"))?;
    let service = S3ServiceBuilder::new(files).build();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?.to_string();
    let connections = Arc::new(AtomicU64::new(0));
    let count = connections.clone();
    runtime.spawn(async move {
        let http = Builder::new(TokioExecutor::new());
        while let Ok((socket, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            // Small answers leave at once, as those of any server of objects; without it they are sent no faster.
            let _ = socket.set_nodelay(true);
            let connection = http.serve_connection(TokioIo::new(socket), service.clone()).into_owned();
            tokio::spawn(async move {
                // A step that was killed leaves in the middle.
                let _ = connection.await;
            });
        }
    });
    wire::serve(&address, |_: Ask| Ok(Reached { connections: connections.load(Ordering::Relaxed) }))
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
        let agent = ureq::Agent::config_builder().timeout_global(Some(CALL_MAX)).build().new_agent();
        Self { agent, base: format!("http://{address}/{BUCKET}"), calls: Calls::default() }
    }

    /// Stores an object.
    pub fn put(&mut self, key: &str, bytes: &[u8]) -> Result<()> {
        let answer = self.agent.put(format!("{}/{key}", self.base)).send(bytes);
        let answer = answer.with_context(|| format!("cannot store {key}"))?;
        // Read to its end, so that the connection can be used again.
        answer.into_body().read_to_vec()?;
        self.calls.puts += 1;
        self.calls.bytes_put += bytes.len() as u64;
        Ok(())
    }

    /// Fetches an object.
    pub fn get(&mut self, key: &str) -> Result<Vec<u8>> {
        let answer = self.agent.get(format!("{}/{key}", self.base)).call();
        let body = answer.with_context(|| format!("cannot fetch {key}"))?.into_body();
        let length = body.content_length().context("the store tells no length")?.min(OBJECT_BYTES_MAX);
        let mut bytes = Vec::with_capacity(usize::try_from(length)?);
        body.into_reader().take(OBJECT_BYTES_MAX).read_to_end(&mut bytes)?;
        self.calls.gets += 1;
        self.calls.bytes_got += bytes.len() as u64;
        Ok(bytes)
    }

    /// Calls since this was last asked.
    pub fn take_calls(&mut self) -> Calls {
        std::mem::take(&mut self.calls)
    }
}
