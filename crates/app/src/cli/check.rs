//! `tidegate check`: every fault of a configuration at once.

use serde_json::{Value, json};

use super::args::{Common, ServeArgs};
use super::output::Output;
use super::{Exit, Surroundings, file};
use crate::config::{Config, Fault, Faults, Place};

pub(crate) fn run(common: &Common, surroundings: &Surroundings, output: &mut Output<'_>) -> anyhow::Result<Exit> {
    let sources = file::sources(common, &ServeArgs::default(), surroundings)?;
    let name = sources.file.as_ref().map_or_else(|| "no configuration file: the defaults".to_owned(), |(name, _)| name.clone());
    let (warnings, faults, told) = match Config::read(&sources) {
        Ok(config) => {
            let counts = format!("{} providers, {} models, {} plans", config.providers.len(), config.models.len(), config.plans.len());
            (config.warnings, Vec::new(), format!("{name}: fine ({counts})"))
        }
        Err(Faults(faults)) => {
            let told = format!("{name}: {} to mend", if faults.len() == 1 { "1 fault".into() } else { format!("{} faults", faults.len()) });
            (Vec::new(), faults, told)
        }
    };
    let value = json!({
        "ok": faults.is_empty(),
        "faults": faults.iter().map(shown).collect::<Vec<_>>(),
        "warnings": warnings.iter().map(shown).collect::<Vec<_>>(),
    });
    output.say(&value, || {
        let faults = faults.iter().map(ToString::to_string);
        let warnings = warnings.iter().map(|w| format!("{}: warning: {}", w.place, w.message));
        faults.chain(warnings).chain([told]).collect::<Vec<_>>().join("\n")
    })?;
    Ok(if faults.is_empty() { Exit::Done } else { Exit::Failed })
}

fn shown(fault: &Fault) -> Value {
    let (file, line, column, variable) = match &fault.place {
        Place::WholeFile { file } => (Some(file.as_ref()), None, None, None),
        Place::File { file, line, column } => (Some(file.as_ref()), Some(*line), Some(*column), None),
        Place::Environment { variable } => (None, None, None, Some(variable.as_str())),
    };
    json!({ "file": file, "line": line, "column": column, "variable": variable, "message": fault.message })
}
