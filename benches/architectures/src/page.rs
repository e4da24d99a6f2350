//! The page about it: `docs/monolith.md` and its plots, from the figures of one run.

use std::fmt::Write;
use std::path::Path;

use anyhow::Result;

use crate::plot::{Bar, bars};
use crate::prices::{self, Cost};
use crate::trial::Results;

/// Writes the page and, beside it, its plots.
pub fn write(path: &Path, results: &Results) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let (before, after) = (results.distributed_cost(), results.monolith_cost());
    let cost = [("distributed", before.total()), ("one process", after.total())];
    let cost = cost.map(|(name, value)| Bar { name: name.to_owned(), value, shown: format!("${value:.4}") });
    std::fs::write(folder.join("monolith-cost.svg"), bars("Dollars of an hour of one stream", &cost))?;
    let walls = [("distributed", results.distributed_wall()), ("one process", results.monolith_wall())];
    let walls = walls.map(|(name, value)| Bar { name: name.to_owned(), value: value as f64, shown: value.to_string() });
    std::fs::write(folder.join("monolith-wall.svg"), bars("Streams at the same time on this machine", &walls))?;
    std::fs::write(path, text(results, before, after))?;
    Ok(())
}

fn text(results: &Results, before: Cost, after: Cost) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let distributed = &results.distributed;
    let monolith = &results.monolith;
    let hours = distributed.stream_seconds / 3_600.0;
    let mut text = format!(
        "# One process in place of many\n\n\
         <!-- Written by benches/architectures; change that, not this. -->\n\n\
         The design that one process replaced, built from real parts and measured beside it: the same clip ({} at 25 pictures a\n\
         second with stereo sound), the same detectors ({}), the same machine ({cores} cores), one run.\n\n\
         In the distributed design a converter stores every picture and block of sound in an object store of S3's protocol\n\
         (s3s-fs), a workflow persists four state transitions for every second of stream, every detector is a process that fetches\n\
         what it looks at, and an aggregator joins what they find. Where it could be chosen, the choice favours it: requests are not\n\
         signed, steps are called over pipes, processes are kept running, frames are not compressed.\n\n\
         `cd benches/architectures && cargo run --release -- --page ../../docs/monolith.md` prints the figures and writes this page.\n\n",
        results.size,
        results.detectors.join(", "),
    );
    let cheaper = 100.0 * (1.0 - after.total() / before.total());
    let further = results.monolith_wall() as f64 / results.distributed_wall().max(1) as f64;
    let _ = write!(
        text,
        "**One process is {cheaper:.1} % cheaper, and its wall is {further:.0} times further out.**\n\n\
         ![dollars of an hour of one stream](monolith-cost.svg)\n\n![streams at the same time](monolith-wall.svg)\n\n\
         ## An hour of one stream\n\n| | distributed | one process |\n|---|---:|---:|\n"
    );
    let mut row = |what: &str, left: String, right: String| {
        let _ = writeln!(text, "| {what} | {left} | {right} |");
    };
    let per_hour = |value: f64| value / hours;
    row(
        "CPU seconds",
        format!("{:.0}", per_hour(distributed.cpu_s())),
        format!("{:.0}", monolith.usage.cpu_s / (monolith.stream_seconds / 3_600.0)),
    );
    row("memory, peak in MB", mega(distributed.peak_bytes()), mega(monolith.usage.peak_bytes));
    let moved = (distributed.calls.bytes_put + distributed.calls.bytes_got) as f64;
    row("bytes moved through the store, in GB", format!("{:.1}", per_hour(moved) / 1e9), "0".to_owned());
    row("objects stored", format!("{:.0}", per_hour(distributed.calls.puts as f64)), "0".to_owned());
    row("objects fetched", format!("{:.0}", per_hour(distributed.calls.gets as f64)), "0".to_owned());
    row("state transitions", format!("{:.0}", per_hour(distributed.transitions as f64)), "0".to_owned());
    row("compute", dollars(before.compute), dollars(after.compute));
    row("storage calls", dollars(before.storage_calls), dollars(after.storage_calls));
    row("transitions", dollars(before.transitions), dollars(after.transitions));
    row("together", dollars(before.total()), dollars(after.total()));
    text.push_str("\nCPU time of the distributed design by role: ");
    let roles: Vec<String> =
        distributed.usage.iter().map(|(role, usage)| format!("{role} {:.0} s", per_hour(usage.cpu_s))).collect();
    let _ = write!(text, "{}.\n\n", roles.join(", "));
    walls(&mut text, results);
    text.push_str("## Prices\n\n| what | dollars | per |\n|---|---:|---|\n");
    for price in prices::ALL {
        let _ = writeln!(text, "| {} | {} | {} |", price.what, price.dollars, price.per);
    }
    let _ = write!(
        text,
        "\nThese are {}. Only what the designs differ in is priced: neither traffic nor storage.\n",
        prices::AS_OF
    );
    text
}

fn walls(text: &mut String, results: &Results) {
    text.push_str(
        "## Streams at the same time\n\nThe distributed design keeps up while 95 % of its verdicts come within 2 s of the end of their second of \
         stream; one process\nwhile it judges 98 % of the frames that are due and drops none.\n\n\
         | streams | distributed: verdicts after, 50 % / 95 % |\n|---:|---:|\n",
    );
    for step in &results.distributed_steps {
        let _ = writeln!(text, "| {} | {:.2} s / {:.2} s |", step.streams, step.latency(0.5), step.latency(0.95));
    }
    text.push_str("\n| streams | one process: frames judged | dropped | verdict after arrival, 99 % below |\n|---:|---:|---:|---:|\n");
    for step in &results.monolith_steps {
        let _ = writeln!(
            text,
            "| {} | {:.1} % | {} | {:.1} ms |",
            step.streams,
            100.0 * step.share,
            step.dropped,
            1_000.0 * step.latency_p99_s
        );
    }
    text.push('\n');
}

fn mega(bytes: u64) -> String {
    format!("{:.0}", bytes as f64 / 1e6)
}

fn dollars(value: f64) -> String {
    format!("${value:.4}")
}
