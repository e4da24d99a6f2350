//! Proves that notifications arrive where they are meant to: at a real Alertmanager, at a mail server with
//! and without TLS, at Net-SNMP's trap receiver.
//!
//! Each test starts its own receiver on the loopback and stops it. `scripts/setup` installs them.

mod alertmanager;
mod mail;
#[path = "../common/mail_server.rs"]
mod mail_server;
mod process;
#[allow(dead_code, reason = "each file needs some of them")]
#[path = "../../src/notify/samples.rs"]
mod samples;
mod traps;

use std::time::{Duration, Instant};

// What the samples are made of.
use avwatch::notify::{Content, Links, Message};

/// A secret of the configuration.
fn secret(text: &str) -> avwatch::config::Secret {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).expect("a secret is a text")
}

/// Asks again and again until there is an answer, at most that long.
fn within<T>(limit: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + limit;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < until, "{what} within {limit:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
