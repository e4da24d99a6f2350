//! What the trials share: the binary as a process, readings of it, and what becomes of results.
//!
//! Senders, web servers and the reader of live feeds are those of the tests.

#[path = "../../../../tests/common/hook.rs"]
#[allow(dead_code)]
pub mod hook;
#[path = "../../../../tests/common/http.rs"]
#[allow(dead_code)]
pub mod http;
#[path = "../../../../tests/common/sender.rs"]
#[allow(dead_code)]
pub mod sender;
#[path = "../../../../tests/common/stopping.rs"]
#[allow(dead_code)]
pub mod stopping;

pub mod calls;
pub mod feed;
pub mod metrics;
pub mod options;
pub mod outcome;
pub mod process;
pub mod results;
pub mod service;
pub mod shim;
pub mod slope;
