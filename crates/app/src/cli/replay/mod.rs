//! `tidegate replay`: a recorded workload on any plans, without a server. What is simulated is the `replay` crate's.

mod args;
mod by_minute;
mod csv;
mod figures;
mod json;
mod plans;
mod plot;
mod progress;
mod report;
mod side_by_side;
mod table;

use std::fs::{self, File};
use std::io::{IsTerminal as _, Write};

use anyhow::{Context as _, bail};
use domain::{HoldPolicy, OnExhausted};
use replay::{Label, Reader, Row, Settings, Simulation};

pub(crate) use args::ReplayArgs;

use super::args::Common;
use super::output::Output;
use super::{Exit, Surroundings};
use args::Format;
use plans::Plans;
use progress::Progress;
use report::Report;

pub(crate) fn run(args: &ReplayArgs, common: &Common, surroundings: &Surroundings, out: &mut (dyn Write + Send)) -> anyhow::Result<Exit> {
    let plans = Plans::find(args, common, surroundings)?;
    let mut stderr = std::io::stderr();
    let watched = stderr.is_terminal();
    let report = replay(args, &plans, watched.then_some(&mut stderr as &mut (dyn Write + Send)))?;
    if let Some(path) = &args.plot {
        fs::write(path, plot::draw(&report)).with_context(|| format!("can't write the plot {}", path.display()))?;
    }
    let is_json = common.json || args.format == Some(Format::Json);
    let text = match args.format {
        Some(Format::Csv) if args.by_minute => by_minute::csv,
        Some(Format::Csv) => csv::write,
        Some(Format::Table | Format::Json) | None if args.by_minute => by_minute::table,
        Some(Format::Table | Format::Json) | None => table::write,
    };
    Output::new(out, is_json).say(&json::of(&report), || text(&report))?;
    Ok(Exit::Done)
}

fn settings(args: &ReplayArgs, plans: &Plans) -> Settings {
    Settings {
        hold: args.hold.map(HoldPolicy::from),
        on_exhausted: args.on_exhausted.map(OnExhausted::from),
        model: args.model.clone(),
        category: args.category,
        max_tokens: args.max_tokens,
        tokens_per_second: args.tokens_per_second,
        speed_up: args.speed_up,
        wait_us: args.wait,
        micro_wait_us: args.micro_wait.unwrap_or(plans.micro_wait_us),
        max_pause_us: plans.max_pause_us,
        ..Settings::default()
    }
}

/// Reads the trace once and runs each of its requests on all plans.
fn replay(args: &ReplayArgs, plans: &Plans, watched: Option<&mut (dyn Write + Send)>) -> anyhow::Result<Report> {
    let name = args.trace.display().to_string();
    let file = File::open(&args.trace).with_context(|| format!("can't open the trace {name}"))?;
    let mut progress = Progress::new(watched, file.metadata().map_or(0, |about| about.len()));
    let mut reader = Reader::new(file).with_context(|| name.clone())?;
    if args.skip_bad_lines {
        reader = reader.skipping_bad_lines();
    }
    let settings = settings(args, plans);
    let all = plans.ids.iter().chain([&plans.demand]);
    let simulations = all.filter_map(|id| Simulation::new(&plans.catalogue, id, &settings, ())).collect();
    let check = |row: &Row| check_model(row, args, plans);
    let outcomes = side_by_side::run(&mut reader, simulations, check, &mut progress);
    progress.end();
    let mut outcomes = outcomes.with_context(|| name.clone())?;
    let Some(demand) = outcomes.pop() else { bail!("no plan to run it on") };
    Ok(Report { trace: name, format: reader.format(), bad_lines: reader.bad_lines(), demand, outcomes })
}

/// A workload without models says nothing on plans that have rows only for some.
fn check_model(first: &Row, args: &ReplayArgs, plans: &Plans) -> anyhow::Result<()> {
    let is_named = first.model != Label::NONE || first.category.is_some() || args.model.is_some() || args.category.is_some();
    if let Some(model) = args.model.as_ref().filter(|model| plans.catalogue.find(model).is_none() && args.category.is_none()) {
        bail!("there is no model \"{model}\"; say --category small, medium or large for one that isn't in the catalogue");
    }
    if is_named || plans.take_any_model() {
        return Ok(());
    }
    bail!("it names no model: say --model ID, or --category small, medium or large")
}
