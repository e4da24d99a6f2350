//! The tables of the page.

use std::fmt::Write;

use super::figures::{BILLED_BY_CALL, Fault, Figures, LATE_MAX_S, Planted, Run, median, wall};
use super::prices;

/// What an hour of one stream takes and costs.
pub(super) fn hour(figures: &Figures) -> String {
    let mut text = format!(
        "## An hour of one stream\n\n\
         Medians of {} pairs of runs with one stream, the designs by turns; in brackets the lowest and the highest.\n\n\
         | | distributed | one process |\n|---|---:|---:|\n",
        figures.pairs.len()
    );
    let mut row = |what: &str, shown: &dyn Fn(f64) -> String, of: &dyn Fn(&Run) -> f64| {
        let spread = |runs: Vec<f64>| {
            let middle = median(runs.iter().copied());
            let (least, most) =
                (runs.iter().copied().fold(f64::MAX, f64::min), runs.iter().copied().fold(0.0, f64::max));
            let (low, high) = (shown(least), shown(most));
            if low == high { shown(middle) } else { format!("{} ({low}–{high})", shown(middle)) }
        };
        let distributed = spread(figures.pairs.iter().map(|pair| of(&pair.distributed)).collect());
        let monolith = spread(figures.pairs.iter().map(|pair| of(&pair.monolith)).collect());
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {what} | {distributed} | {monolith} |");
    };
    let whole = |value: f64| thousands(value.round() as u64);
    row("CPU seconds that are paid as cores", &whole, &|run| run.own_cpu() * 3_600.0);
    for role in ["converter", "detectors", "aggregator"] {
        row(&format!("– {role}"), &whole, &|run| run.cpu_of(role) * 3_600.0);
    }
    row("CPU seconds of store and workflow, paid by the call", &whole, &|run| {
        BILLED_BY_CALL.iter().map(|role| run.cpu_of(role)).sum::<f64>() * 3_600.0
    });
    row("memory at its peak, MB", &whole, &|run| run.own_bytes() as f64 / 1e6);
    row("bytes through the store, GB", &|value| format!("{value:.1}"), &|run| {
        run.per_hour((run.calls.bytes_put + run.calls.bytes_got) as f64) / 1e9
    });
    row("objects stored", &whole, &|run| run.per_hour(run.calls.puts as f64));
    row("objects fetched", &whole, &|run| run.per_hour(run.calls.gets as f64));
    row("state transitions", &whole, &|run| run.per_hour(run.transitions as f64));
    row("cores", &dollars, &|run| run.cost().cores);
    row("memory", &dollars, &|run| run.cost().memory);
    row("storage calls", &dollars, &|run| run.cost().storage_calls);
    row("transitions", &dollars, &|run| run.cost().transitions);
    row("**together**", &dollars, &|run| run.cost().total());
    text.push_str(
        "\nMemory is of all processes that are paid as machines, each at its peak. The workflow's process drives the trial, \
         too, which is little.\n\n",
    );
    text
}

/// What other choices come to.
pub(super) fn variants(figures: &Figures) -> String {
    let Some(variants) = &figures.variants else { return String::new() };
    let mut text = format!(
        "## Other choices\n\n\
         Choices kinder to the distributed design than its history was: all pictures of a second *packed* into one object, \
         and *few* detectors ({}). Measured once each, distributed : one process.\n\n\
         | | dollars an hour | cheaper | CPU s a second of stream | wall further out, by CPU time | store and workflow elsewhere |\n\
         |---|---|---:|---|---:|---:|\n",
        listed(&variants.few_detectors)
    );
    let monolith: Vec<&Run> = figures.pairs.iter().map(|pair| &pair.monolith).collect();
    let distributed: Vec<&Run> = figures.pairs.iter().map(|pair| &pair.distributed).collect();
    let (Some(monolith), Some(distributed)) = (typical(&monolith), typical(&distributed)) else { return text };
    let rows = [
        ("as it was", distributed, monolith),
        ("packed", &variants.packed, monolith),
        ("few detectors", &variants.few.distributed, &variants.few.monolith),
    ];
    for (what, left, right) in rows {
        let (one, other) = (left.cost().total(), right.cost().total());
        let _ = writeln!(
            text,
            "| {what} | {} : {} | {:.1} % | {:.3} : {:.3} | {:.1} times | {:.1} times |",
            dollars(one),
            dollars(other),
            100.0 * (1.0 - other / one),
            left.all_cpu(),
            right.all_cpu(),
            left.all_cpu() / right.all_cpu(),
            left.own_cpu() / right.own_cpu()
        );
    }
    text.push('\n');
    text
}

/// The runs that are drawn, with their names.
pub(super) fn designs(figures: &Figures) -> Vec<(String, &Run)> {
    let distributed: Vec<&Run> = figures.pairs.iter().map(|pair| &pair.distributed).collect();
    let monolith: Vec<&Run> = figures.pairs.iter().map(|pair| &pair.monolith).collect();
    let variants = figures.variants.as_ref();
    let runs = [
        ("distributed", typical(&distributed)),
        ("distributed, packed", variants.map(|variants| &variants.packed)),
        ("distributed, few detectors", variants.map(|variants| &variants.few.distributed)),
        ("one process", typical(&monolith)),
        ("one process, few detectors", variants.map(|variants| &variants.few.monolith)),
    ];
    runs.into_iter().filter_map(|(name, run)| Some((name.to_owned(), run?))).collect()
}

/// What was planted, and what was told of it.
pub(super) fn faults(figures: &Figures) -> String {
    let mut text = String::from(
        "## What they told\n\n\
         Every pair is checked: both have to tell every planted defect, and the same conditions with begins and ends no \
         more than 80 ms apart; else there are no figures. *Alarm after* is the time from the begin of the condition until \
         its alarm was there, median over the pairs. It includes what the detector waits for to be sure, which is the same \
         in both. A stream of one process begins when its log says that it is open, some hundredths of a second after its \
         first picture.\n\n\
         | detector | planted, s | distributed, s | alarm after | one process, s | alarm after |\n\
         |---|---|---|---:|---|---:|\n",
    );
    let distributed: Vec<&Run> = figures.pairs.iter().map(|pair| &pair.distributed).collect();
    let monolith: Vec<&Run> = figures.pairs.iter().map(|pair| &pair.monolith).collect();
    for defect in &figures.planted {
        let told = |runs: &[&Run]| {
            let all = || runs.iter().filter_map(|run| nearest(defect, &run.faults));
            let span =
                all().next().map_or("–".to_owned(), |fault| format!("{:.2}–{:.2}", fault.start_s, fault.end_s));
            format!("{span} | {:.2} s", median(all().map(Fault::delay_s)))
        };
        let (left, right) = (told(&distributed), told(&monolith));
        let _ = writeln!(text, "| `{}` | {}–{} | {left} | {right} |", defect.detector, defect.start_s, defect.end_s);
    }
    let (first, other) = match figures.pairs.first() {
        Some(pair) => (&pair.distributed.faults[..], &pair.monolith.faults[..]),
        None => (&[][..], &[][..]),
    };
    let is_there = |fault: &Fault, faults: &[Fault]| {
        faults.iter().any(|other| other.detector == fault.detector && (other.start_s - fault.start_s).abs() < 0.1)
    };
    let extra: Vec<String> = first
        .iter()
        .filter(|fault| !is_there(fault, other))
        .map(|fault| format!("`{}` from {:.2} to {:.2} s", fault.detector, fault.start_s, fault.end_s))
        .collect();
    let differ = if extra.is_empty() {
        "Neither told anything that the other did not.".to_owned()
    } else {
        format!(
            "They differ in this: the distributed design also told {}, because a black picture stands still, and no detector \
             there knows of another. One process looks at both together and tells the cause alone. Anything else that only \
             one of them tells fails the run.",
            listed(&extra)
        )
    };
    let _ = write!(text, "\n{differ}\n\n");
    text
}

fn nearest<'a>(defect: &Planted, faults: &'a [Fault]) -> Option<&'a Fault> {
    let of = faults.iter().filter(|fault| fault.detector == defect.detector);
    let distance = |fault: &Fault| (fault.start_s - defect.start_s).abs();
    of.min_by(|one, other| distance(one).total_cmp(&distance(other)))
}

/// Where each comes to its wall.
pub(super) fn walls(figures: &Figures) -> String {
    let cores = figures.machine.cores as f64;
    let how = if figures.quick {
        "two thirds of it, and a third; a number that fails is tried once."
    } else {
        "half of it, and an eighth, but a stream at least; a number that fails is tried twice."
    };
    let mut text = format!(
        "## Streams at the same time\n\n\
         Streams are added, each playing the clip in real time, until a design does not keep up: it has to tell every \
         planted defect of every stream, 95 % of the alarms no later than {LATE_MAX_S} s after what they take with one \
         stream, and drop no frame. Where the steps begin and how wide they are follows from what CPU time alone predicts \
         (the cores over the CPU time of a second of one stream): {how} The store and the workflow of the distributed \
         design run on the same cores. Company on the machine moves the wall of one process more, for its decoding threads \
         step back by 10 nice values. A wall of none counts as one stream where walls are compared.\n\n\
         | | distributed | one process |\n|---|---:|---:|\n\
         | **measured wall, streams** | {} | {} |\n",
        wall(&figures.distributed_steps),
        wall(&figures.monolith_steps),
    );
    let predicted = |cpu: f64| format!("{:.1}", cores / cpu);
    let _ = writeln!(
        text,
        "| predicted by all CPU time | {} | {} |",
        predicted(figures.distributed(Run::all_cpu)),
        predicted(figures.monolith(Run::all_cpu))
    );
    let _ = writeln!(
        text,
        "| predicted if store and workflow ran elsewhere for nothing | {} | {} |",
        predicted(figures.distributed(Run::own_cpu)),
        predicted(figures.monolith(Run::own_cpu))
    );
    text.push_str(
        "\n| design | streams | planted defects told | late, 50 % / 95 % / most | dropped | CPU s a second of stream | keeps up |\n\
         |---|---:|---:|---:|---:|---:|---|\n",
    );
    for (design, steps) in [("distributed", &figures.distributed_steps), ("one process", &figures.monolith_steps)] {
        for step in steps {
            let late = step.late.unwrap_or_default();
            let _ = writeln!(
                text,
                "| {design} | {} | {} of {} | {:.2} / {:.2} / {:.2} s | {} | {:.3} | {} |",
                step.streams,
                step.told,
                step.planted,
                late.p50_s,
                late.p95_s,
                late.max_s,
                step.dropped,
                step.all_cpu(),
                if step.holds() { "yes" } else { "no" }
            );
        }
    }
    let transitions = figures.distributed(|run| run.transitions as f64 / run.stream_seconds);
    let _ = write!(
        text,
        "\nMore machines move these walls, in proportion. Another one of the distributed design they do not move: an account \
         may make {} state transitions a second unless more are granted ({}), which is {} streams at {transitions:.1} a \
         second; one process makes none.\n\n",
        thousands(u64::from(prices::TRANSITIONS_PER_SECOND)),
        prices::TRANSITIONS_PAGE,
        thousands((f64::from(prices::TRANSITIONS_PER_SECOND) / transitions) as u64)
    );
    text
}

/// What things cost.
pub(super) fn prices() -> String {
    let mut text = String::from("## Prices\n\n| what | dollars | per | page of the provider |\n|---|---:|---|---|\n");
    for price in prices::ALL {
        let _ = writeln!(text, "| {} | {} | {} | {} |", price.what, price.dollars, price.per, price.page);
    }
    let _ = write!(
        text,
        "\nThese are {}; discounts are not considered, and what the provider's pages say today holds. Cores are billed by \
         the CPU time that was used, in both designs.\n\n",
        prices::AS_OF
    );
    text
}

/// The run in the middle, by what it costs.
pub(super) fn typical<'a>(runs: &[&'a Run]) -> Option<&'a Run> {
    let mut runs = runs.to_vec();
    runs.sort_by(|one, other| one.cost().total().total_cmp(&other.cost().total()));
    runs.get(runs.len().saturating_sub(1) / 2).copied()
}

/// Four decimals: one process costs less than a cent.
pub(super) fn dollars(value: f64) -> String {
    format!("${value:.4}")
}

/// Words with commas between them.
pub(super) fn listed(words: &[String]) -> String {
    words.join(", ")
}

/// 1,234,567.
fn thousands(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
