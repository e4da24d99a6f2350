//! The trial: what a stream costs in both designs, and how many streams each keeps up with.

use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use avwatch_actors::event::Wall;
use serde_json::json;

use crate::converter::Packing;
use crate::distributed::{self, Outcome, Work};
use crate::page::figures::{Clip, Figures, Late, Machine, Pair, Planted, Run, Variants, median};
use crate::{clip, monolith, page, told};

/// Every detector of the service that judges pictures or sound by themselves: 11 and 10. The published report tells of
/// more detectors than one machine could hold, another of the same team of 18 kinds of defects.
const DETECTORS: [&str; 21] = [
    "black",
    "freeze",
    "block_corruption",
    "blur",
    "solid_color",
    "color_bars",
    "letterbox",
    "flash",
    "stutter",
    "gamut",
    "interlacing",
    "silence",
    "channel_silence",
    "loudness",
    "true_peak",
    "clipping",
    "phase",
    "mono",
    "dropout",
    "dc_offset",
    "hum",
];

/// Those for which defects are planted, to be run by themselves: the fewer detectors, the better for the
/// distributed design, where each fetches every picture.
const FEW: [&str; 6] = ["black", "freeze", "block_corruption", "blur", "silence", "dropout"];

/// Pairs of a run, and of a quick one.
const PAIRS: (usize, usize) = (3, 1);

/// Where the steps towards a wall begin and how wide they are, as parts of what CPU time predicts; and of a quick run.
const STEPS: ((f64, f64), (f64, f64)) = ((1.0 / 2.0, 1.0 / 8.0), (2.0 / 3.0, 1.0 / 3.0));

/// Most steps towards a wall.
const STEPS_MAX: usize = 12;

/// What was asked for.
pub struct Options {
    quick: bool,
    folder: PathBuf,
    page: Option<PathBuf>,
}

impl Options {
    /// From the words of the command line.
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let folder = PathBuf::from("target/architectures");
        let mut options = Self { quick: false, folder, page: None };
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("{word} needs a value"));
            match word.as_str() {
                "--folder" => options.folder = value()?.into(),
                "--page" => options.page = Some(value()?.into()),
                "--quick" => options.quick = true,
                _ => bail!("unknown option {word}; see the head of main.rs"),
            }
        }
        Ok(options)
    }
}

/// What both designs are given.
struct Trial {
    clip: PathBuf,
    folder: PathBuf,
    detectors: Vec<String>,
    planted: Vec<Planted>,
    quick: bool,
    cores: usize,
}

/// Runs it, says every figure as a line of JSON, and writes the page if there is to be one.
pub fn run(options: &Options) -> Result<()> {
    let machine = machine()?;
    let clip = std::fs::canonicalize(clip::make(&options.folder)?)?;
    let folder = std::fs::canonicalize(&options.folder)?;
    let detectors = names(&DETECTORS);
    let (planted, quick, cores) = (clip::planted(), options.quick, machine.cores);
    let trial = Trial { clip, folder, detectors, planted, quick, cores };

    let count = if quick { PAIRS.1 } else { PAIRS.0 };
    let pairs = (0..count).map(|number| trial.pair(number, &trial.detectors)).collect::<Result<Vec<Pair>>>()?;
    let variants = if quick { None } else { Some(trial.variants(&pairs[0])?) };

    let of = |run: fn(&Pair) -> &Run| pairs.iter().map(run).collect::<Vec<&Run>>();
    let alone = of(|pair| &pair.distributed);
    let distributed_steps =
        trial.wall("distributed", &alone, |streams| trial.distributed(streams, Packing::Picture, &trial.detectors))?;
    let alone = of(|pair| &pair.monolith);
    let monolith_steps = trial.wall("monolith", &alone, |streams| trial.monolith(streams, &trial.detectors))?;

    let date = Wall(SystemTime::now()).to_string()[..10].to_owned();
    let clip = Clip { size: clip::SIZE.to_owned(), frame_rate: clip::FRAME_RATE, seconds: clip::SECONDS };
    let Trial { detectors, planted, .. } = trial;
    let figures =
        Figures { date, quick, machine, clip, detectors, planted, pairs, variants, distributed_steps, monolith_steps };
    let (cheaper, further) = (figures.cheaper_percent(), figures.wall_ratio());
    say("verdict", &json!({ "cheaper_percent": cheaper, "wall_ratio": further }));
    if let Some(path) = &options.page {
        let mut text = serde_json::to_string_pretty(&figures)?;
        text.push('\n');
        std::fs::write(path.with_extension("json"), text)?;
        // From what was written, as whoever makes it anew does.
        page::write(path, &serde_json::from_slice(&std::fs::read(path.with_extension("json"))?)?)?;
    }
    Ok(())
}

impl Trial {
    fn distributed(&self, streams: usize, packing: Packing, detectors: &[String]) -> Result<Outcome> {
        distributed::run(&Work { clip: &self.clip, streams, detectors, packing, folder: &self.folder })
    }

    fn monolith(&self, streams: usize, detectors: &[String]) -> Result<Outcome> {
        monolith::run(&self.clip, detectors, streams, &self.folder)
    }

    /// One stream in both, now the one first and now the other, so that what else the machine does meets both.
    fn pair(&self, number: usize, detectors: &[String]) -> Result<Pair> {
        let distributed = || self.distributed(1, Packing::Picture, detectors);
        let (distributed, monolith) = if number.is_multiple_of(2) {
            let distributed = distributed()?;
            (distributed, self.monolith(1, detectors)?)
        } else {
            let monolith = self.monolith(1, detectors)?;
            (distributed()?, monolith)
        };
        told::compare(&self.planted, &distributed.told[0], &monolith.told[0])?;
        let pair = Pair { distributed: self.counted(distributed), monolith: self.counted(monolith) };
        say("pair", &pair);
        Ok(pair)
    }

    /// What other choices come to.
    fn variants(&self, pair: &Pair) -> Result<Variants> {
        let packed = self.distributed(1, Packing::Second, &self.detectors)?;
        told::compare(&self.planted, &packed.told[0], &pair.monolith.faults)?;
        let packed = self.counted(packed);
        say("packed", &packed);
        let few_detectors = names(&FEW);
        let few = self.pair(0, &few_detectors)?;
        Ok(Variants { packed, few_detectors, few })
    }

    /// The run with what was told of all streams counted.
    fn counted(&self, outcome: Outcome) -> Run {
        let mut run = outcome.run;
        run.planted = self.planted.len() * run.streams;
        let all = outcome.told.iter().flat_map(|faults| self.planted.iter().map(|defect| told::of(defect, faults)));
        run.told = all.flatten().count();
        run.faults = outcome.told.into_iter().next().unwrap_or_default();
        run
    }

    /// Adds streams until the design does not keep up any more. Where to begin follows from its CPU time alone.
    fn wall(
        &self,
        design: &str,
        alone: &[&Run],
        mut attempt: impl FnMut(usize) -> Result<Outcome>,
    ) -> Result<Vec<Run>> {
        let predicted = self.cores as f64 / median(alone.iter().map(|run| run.all_cpu()));
        let (first, stride) = if self.quick { STEPS.1 } else { STEPS.0 };
        let [mut streams, stride] = [first, stride].map(|part| (predicted * part).round().max(1.0) as usize);
        let mut steps: Vec<Run> = Vec::new();
        let mut holds = |streams| -> Result<bool> {
            // Who fails may try once more: there may have been company on the machine.
            for _ in 0..if self.quick { 1 } else { 2 } {
                let step = self.late(attempt(streams)?, alone);
                say(design, &step);
                let holds = step.holds();
                steps.push(step);
                if holds {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        if holds(streams)? {
            for _ in 0..STEPS_MAX {
                streams += stride;
                if !holds(streams)? {
                    break;
                }
            }
        } else {
            // Too many already: downwards, until it keeps up.
            while streams > 1 {
                streams = streams.saturating_sub(stride).max(1);
                if holds(streams)? {
                    break;
                }
            }
        }
        Ok(steps)
    }

    /// The run with how late its alarms came, against those of one stream alone.
    fn late(&self, outcome: Outcome, alone: &[&Run]) -> Run {
        let mut late = Vec::new();
        for defect in &self.planted {
            let delays = alone.iter().filter_map(|run| told::of(defect, &run.faults));
            let usual = median(delays.map(|fault| fault.delay_s()));
            let told = outcome.told.iter().filter_map(|faults| told::of(defect, faults));
            late.extend(told.map(|fault| fault.delay_s() - usual));
        }
        Run { late: Late::of(late), ..self.counted(outcome) }
    }
}

fn machine() -> Result<Machine> {
    let processors = std::fs::read_to_string("/proc/cpuinfo")?;
    let processor = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let load = std::fs::read_to_string("/proc/loadavg")?;
    Ok(Machine {
        cores: std::thread::available_parallelism()?.get(),
        processor: processor.map_or_else(String::new, |(_, name)| name.to_owned()),
        load_before: load.split(' ').next().context("the kernel tells its load")?.parse()?,
    })
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn say(figure: &str, value: &impl serde::Serialize) {
    println!("{}", json!({ "figure": figure, "value": value }));
}
