//! The page about it: `docs/monolith.md` and its plots, from the figures of one run.
//!
//! Pure but for [`write`]: the same figures always make the same page, which a test of the project holds.

pub(crate) mod figures;
mod fill;
mod plot;
pub(crate) mod prices;
mod tables;

use std::io;
use std::path::Path;

use figures::{Figures, LATE_MAX_S, Run, wall};
use plot::{Bar, Line, bars, lines};

/// By how many per cent the monolith is to be cheaper at least, and how many times further out its wall is to be.
const TARGETS: (f64, f64) = (90.0, 10.0);

/// Writes the page and, beside it, its plots.
pub(crate) fn write(path: &Path, figures: &Figures) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    for (name, text) in plots(figures) {
        std::fs::write(folder.join(name), text)?;
    }
    std::fs::write(path, text(figures))
}

/// The page.
pub(crate) fn text(figures: &Figures) -> String {
    let parts = [
        head(figures),
        verdict(figures),
        tables::hour(figures),
        tables::variants(figures),
        tables::faults(figures),
        tables::walls(figures),
        tables::prices(),
        favours(figures),
    ];
    fill::filled(&parts.concat())
}

fn head(figures: &Figures) -> String {
    format!(
        "# One process in place of many\n\n\
         <!-- Written by scripts/monolith from monolith.json; change benches/architectures, not this. -->\n\n\
         The design that one process replaced, built from real parts and measured beside it: the same clip ({size} at \
         {rate} pictures a second with stereo sound, {seconds} s, in real time), the same {count} detectors, the same \
         machine, one run.\n\n\
         In the **distributed** design a converter stores every picture in an object store of S3's protocol (s3s-fs), \
         and sound by the second; a workflow has every detector, a process of its own, fetch what it looks at, and an \
         aggregator join what they find; four state transitions for every second of stream are on disk before the next \
         step begins. **One process** is `avwatch run`. Both are built from the same library in one program.\n\n\
         The detectors are all that judge pictures or sound by themselves: {detectors}. The published report tells of \
         more detectors than one machine held, another of the same team of 18 kinds of defects.\n\n\
         `scripts/monolith` runs it and writes this page, in seven to ten minutes; `scripts/monolith --quick` in less than \
         three. {date}; {cores} cores of {processor}; load {load:.1} before the run.{quick}\n\n",
        size = figures.clip.size,
        rate = figures.clip.frame_rate,
        seconds = figures.clip.seconds,
        count = figures.detectors.len(),
        detectors = tables::listed(&figures.detectors),
        date = figures.date,
        cores = figures.machine.cores,
        processor = figures.machine.processor,
        load = figures.machine.load_before,
        quick = if figures.quick { " **A quick run: one pair, wide steps.**" } else { "" },
    )
}

fn verdict(figures: &Figures) -> String {
    let (cheaper, further) = (figures.cheaper_percent(), figures.wall_ratio());
    let word = |met: bool| if met { "met" } else { "missed" };
    let elsewhere = figures.distributed(Run::own_cpu) / figures.monolith(Run::own_cpu);
    let cores = |run: &Run| run.cost().cores;
    let saved = 100.0 * (1.0 - figures.monolith(cores) / figures.distributed(cores));
    format!(
        "**One process is {cheaper:.1} % cheaper (target {:.0} %: {}), and its wall on this machine is {further:.1} times \
         further out (target {:.0} times: {}).**\n\
         Were every call of storage and workflow free, its cores would still cost {saved:.0} % less; did the store \
         and the workflow run elsewhere for nothing, its wall would be {elsewhere:.1} times further out, by CPU time. Prime \
         Video reported in 2023 that their wall was at about 5 % of the expected load, and that costs fell by more than \
         90 % afterwards.\n\n\
         ![dollars of an hour of one stream](monolith-cost.svg)\n\n\
         ![CPU seconds of a second of stream](monolith-cpu.svg)\n\n\
         ![how late alarms come as streams are added](monolith-wall.svg)\n\n",
        TARGETS.0,
        word(cheaper >= TARGETS.0),
        TARGETS.1,
        word(further >= TARGETS.1),
    )
}

fn favours(figures: &Figures) -> String {
    let connections = figures.distributed(|run| run.connections as f64);
    let calls = figures.distributed(|run| (run.calls.puts + run.calls.gets) as f64);
    format!(
        "## What favours whom\n\n\
         Where it could be chosen, the choice favours the distributed design:\n\n\
         - Requests to the store are neither signed nor encrypted, and connections are kept alive ({connections:.0} for \
         {calls:.0} calls). The store keeps its objects in memory.\n\
         - Steps are called over pipes, not over a network, and their processes are kept running: nothing is started, and \
         no state of a detector is fetched or stored between seconds.\n\
         - The steps of a stream overlap, all detectors look at a second at the same time, and the seconds of several \
         streams end one after the other.\n\
         - Sound is one object a second. Of a second four transitions count; a workflow engine counts one for each \
         detector, too.\n\
         - Frames are stored as they are: compressing them without loss takes CPU time of converter and detectors, and \
         bytes cost nothing here.\n\
         - Pictures are small: the bytes that it moves grow with their area, decoding grows less.\n\
         - Starting processes and opening the stream are left out of the CPU time of both.\n\
         - Cores are billed as if none were ever idle, which more and smaller parts reach less.\n\n\
         What favours one process: the store shares the cores with the other design and is slower than a service built \
         for it, so walls without it stand beside the measured ones. One process runs as the service does, with its \
         database, journal, live pictures and metrics; only evidence is not recorded, and load sheds nothing.\n\n\
         Not priced are traffic, keeping objects, and people.\n"
    )
}

/// The plots, by the names of their files.
pub(crate) fn plots(figures: &Figures) -> [(&'static str, String); 3] {
    let runs = tables::designs(figures);
    let cost = |(name, run): &(String, &Run)| {
        let cost = run.cost();
        let parts = vec![cost.cores, cost.memory, cost.storage_calls, cost.transitions];
        Bar { name: name.clone(), parts, shown: tables::dollars(cost.total()) }
    };
    let legend = ["cores", "memory", "storage calls", "transitions"];
    let costs = bars("Dollars of an hour of one stream", &legend, &runs.iter().map(cost).collect::<Vec<Bar>>());
    let roles = ["one process", "converter", "detectors", "aggregator", "store", "workflow"];
    let spent = |(name, run): &(String, &Run)| Bar {
        name: name.clone(),
        parts: roles.iter().map(|role| run.cpu_of(role)).collect(),
        shown: format!("{:.3}", run.all_cpu()),
    };
    let cpu = bars("CPU seconds of a second of stream", &roles, &runs.iter().map(spent).collect::<Vec<Bar>>());
    let line = |name: &str, steps: &[Run]| {
        let late = |step: &Run| Some((step.streams as f64, step.late?.p95_s));
        let mut points: Vec<(f64, f64)> = steps.iter().filter_map(late).collect();
        points.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.total_cmp(&other.1)));
        Line { name: format!("{name}: wall at {}", wall(steps)), points }
    };
    let walls = [line("distributed", &figures.distributed_steps), line("one process", &figures.monolith_steps)];
    let title = "How much later alarms come than with one stream, in seconds: 95 % below";
    let late = lines(title, "streams at the same time", &walls, 4.0 * LATE_MAX_S, LATE_MAX_S);
    [("monolith-cost.svg", costs), ("monolith-cpu.svg", cpu), ("monolith-wall.svg", late)]
}
