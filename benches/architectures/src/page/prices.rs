//! What things cost in a public cloud: a table of list prices with its date, and what follows from it.

use super::figures::Calls;

/// One price.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Price {
    pub(crate) what: &'static str,
    pub(crate) dollars: f64,
    pub(crate) per: &'static str,
    /// The provider's page that says so.
    pub(crate) page: &'static str,
}

/// Whose prices they are, where, and when they were written down.
pub(crate) const AS_OF: &str =
    "public list prices of Amazon Web Services in the region US East (N. Virginia), typed in by hand as known in 2025";

/// A processor core on demand.
pub(crate) const CORE_HOUR: Price =
    Price { what: "processor core (vCPU), Linux on x86", dollars: 0.040_48, per: "hour", page: "AWS Fargate Pricing" };
/// Memory beside it.
pub(crate) const GIGABYTE_HOUR: Price =
    Price { what: "memory beside it", dollars: 0.004_445, per: "GB and hour", page: "AWS Fargate Pricing" };
/// Storing an object.
pub(crate) const PUT: Price =
    Price { what: "PUT request, S3 Standard", dollars: 0.005, per: "1,000", page: "Amazon S3 pricing" };
/// Fetching an object.
pub(crate) const GET: Price =
    Price { what: "GET request, S3 Standard", dollars: 0.000_4, per: "1,000", page: "Amazon S3 pricing" };
/// A state transition of a standard workflow.
pub(crate) const TRANSITION: Price = Price {
    what: "state transition, Standard Workflow",
    dollars: 0.025,
    per: "1,000",
    page: "AWS Step Functions pricing",
};

/// All of them.
pub(crate) const ALL: [Price; 5] = [CORE_HOUR, GIGABYTE_HOUR, PUT, GET, TRANSITION];

/// State transitions that an account of that region may make in a second, unless it asks for more.
pub(crate) const TRANSITIONS_PER_SECOND: u32 = 5_000;
/// Where the provider says so.
pub(crate) const TRANSITIONS_PAGE: &str = "AWS Step Functions service quotas, state throttling";

/// Dollars of an hour of one stream.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    pub(crate) cores: f64,
    pub(crate) memory: f64,
    pub(crate) storage_calls: f64,
    pub(crate) transitions: f64,
}

impl Cost {
    /// From the cores and bytes of memory that a stream takes all the time, and from what a number of
    /// stream-seconds took.
    pub(crate) fn of(cores: f64, bytes: f64, calls: Calls, transitions: u64, stream_seconds: f64) -> Self {
        let hours = stream_seconds / 3_600.0;
        Self {
            cores: cores * CORE_HOUR.dollars,
            memory: bytes / 1e9 * GIGABYTE_HOUR.dollars,
            storage_calls: (calls.puts as f64 * PUT.dollars + calls.gets as f64 * GET.dollars) / 1_000.0 / hours,
            transitions: transitions as f64 * TRANSITION.dollars / 1_000.0 / hours,
        }
    }

    /// Everything.
    pub(crate) fn total(&self) -> f64 {
        self.cores + self.memory + self.storage_calls + self.transitions
    }
}
