//! What things cost in a public cloud: a table of list prices with its date, and what follows from it.

use serde::Serialize;

use crate::store::Calls;

/// One price.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Price {
    pub what: &'static str,
    pub dollars: f64,
    pub per: &'static str,
}

/// When the table was written down, and where the prices are published.
pub const AS_OF: &str = "public list prices of AWS in us-east-1 as known in 2025; the published price pages hold, look there before deciding";

/// A processor core of a general server, on demand (m6i.large has two for $0.096 an hour).
pub const CORE_HOUR: Price = Price { what: "a processor core with 4 GiB", dollars: 0.048, per: "hour" };
/// Storing an object.
pub const PUT: Price = Price { what: "PUT request to object storage", dollars: 0.005, per: "1,000" };
/// Fetching an object.
pub const GET: Price = Price { what: "GET request to object storage", dollars: 0.000_4, per: "1,000" };
/// A state transition of a standard workflow.
pub const TRANSITION: Price = Price { what: "state transition of a workflow", dollars: 0.025, per: "1,000" };

/// All of them.
pub const ALL: [Price; 4] = [CORE_HOUR, PUT, GET, TRANSITION];

/// Dollars of an hour of one stream.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Cost {
    pub compute: f64,
    pub storage_calls: f64,
    pub transitions: f64,
}

impl Cost {
    /// From what a number of stream-seconds took.
    pub fn of(stream_seconds: f64, cpu_s: f64, calls: Calls, transitions: u64) -> Self {
        let hours = stream_seconds / 3_600.0;
        Self {
            compute: cpu_s / 3_600.0 * CORE_HOUR.dollars / hours,
            storage_calls: (calls.puts as f64 * PUT.dollars + calls.gets as f64 * GET.dollars) / 1_000.0 / hours,
            transitions: transitions as f64 * TRANSITION.dollars / 1_000.0 / hours,
        }
    }

    /// Everything.
    pub fn total(&self) -> f64 {
        self.compute + self.storage_calls + self.transitions
    }
}
