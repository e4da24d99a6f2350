//! The connect bucket: keeps a returning origin from being stormed by everyone at once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Hosts remembered at once; when there are more, the fullest buckets are forgotten, which is safe.
const HOSTS_MAX: usize = 10_000;

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Bucket {
    fn refill(&mut self, rate: f64, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + passed * rate).min(rate);
        self.at = now;
    }
}

#[derive(Debug)]
struct Inner {
    node: Bucket,
    hosts: HashMap<String, Bucket>,
}

/// Token buckets of one node: one for all, one per host. A second's worth may be taken at once.
#[derive(Debug)]
pub struct ConnectBucket {
    per_node: f64,
    per_host: f64,
    inner: Mutex<Inner>,
}

impl ConnectBucket {
    /// Allows that many opens a second over all, and to one host.
    pub fn new(per_node: f64, per_host: f64, now: Instant) -> Self {
        let node = Bucket { tokens: per_node, at: now };
        Self { per_node, per_host, inner: Mutex::new(Inner { node, hosts: HashMap::new() }) }
    }

    /// Takes a token, or says how long to wait before asking again. Local inputs have no host.
    pub fn take(&self, host: Option<&str>, now: Instant) -> Result<(), Duration> {
        let Some(host) = host else { return Ok(()) };
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let Inner { node, hosts } = &mut *inner;
        node.refill(self.per_node, now);
        if hosts.len() >= HOSTS_MAX {
            let full = self.per_host;
            hosts.retain(|_, bucket| {
                bucket.refill(full, now);
                bucket.tokens < full
            });
        }
        let bucket = hosts.entry(host.to_owned()).or_insert(Bucket { tokens: self.per_host, at: now });
        bucket.refill(self.per_host, now);
        if node.tokens < 1.0 {
            return Err(wait_for(node.tokens, self.per_node));
        }
        if bucket.tokens < 1.0 {
            return Err(wait_for(bucket.tokens, self.per_host));
        }
        node.tokens -= 1.0;
        bucket.tokens -= 1.0;
        Ok(())
    }
}

fn wait_for(tokens: f64, rate: f64) -> Duration {
    Duration::from_secs_f64(((1.0 - tokens) / rate.max(0.001)).clamp(0.01, 60.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_gets_four_opens_a_second_and_the_node_twenty() {
        let start = Instant::now();
        let bucket = ConnectBucket::new(20.0, 4.0, start);
        let mut opened = 0;
        for tick in 0..1_000 {
            opened += u32::from(bucket.take(Some("origin"), start + Duration::from_millis(tick * 10)).is_ok());
        }
        assert!((40..=44).contains(&opened), "{opened} in ten seconds");
        let now = start + Duration::from_secs(60);
        let others = (0..100).filter(|host| bucket.take(Some(&host.to_string()), now).is_ok()).count();
        assert_eq!(others, 20);
    }

    #[test]
    fn local_inputs_are_not_held_back() {
        let bucket = ConnectBucket::new(1.0, 1.0, Instant::now());
        assert!((0..100).all(|_| bucket.take(None, Instant::now()).is_ok()));
    }
}
