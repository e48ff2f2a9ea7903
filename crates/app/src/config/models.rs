//! `[[models]]`: the catalogue.

use domain::{Category, Feature, Features, Model, ModelId, Target, Tokenizer};

use super::cross::Places;
use super::table::Table;
use super::written::Word;

const MOST_TOKENS: u64 = 1_000_000_000;
/// An hour: no attempt takes longer.
const MOST_HEDGE_MS: u64 = 3_600_000;

pub(super) fn read(tables: Vec<Table<'_>>, places: &mut Places) -> Vec<Model> {
    tables.into_iter().filter_map(|table| model(table, places)).collect()
}

fn model(table: Table<'_>, places: &mut Places) -> Option<Model> {
    let id = table.located::<String>("id");
    table.missing("id", "\"llama-3.3-70b\"");
    let aliases = table.located::<Vec<String>>("aliases");
    let parameters_b = table.checked("parameters_b", |b: f64| {
        if b > 0.0 && b < 1e6 { Ok(b) } else { Err("expected billions of parameters, such as 70 or 0.5".into()) }
    });
    let category = table.get::<Word<Category>>("category").map(|Word(category)| category);
    let context_window = table.whole("context_window", 1, MOST_TOKENS);
    let max_output_tokens = table.whole("max_output_tokens", 1, MOST_TOKENS);
    let default_output_tokens = table.whole("default_output_tokens", 1, MOST_TOKENS);
    let (input_price, output_price) = (table.get("input_price").unwrap_or_default(), table.get("output_price").unwrap_or_default());
    let tokenizer = table.get::<Word<Tokenizer>>("tokenizer").map(|Word(t)| t).unwrap_or_default();
    let features = features(&table);
    let hedge_after_ms = table.whole("hedge_after_ms", 1, MOST_HEDGE_MS);
    let targets = targets(table.tables("targets"), id.as_ref().map(|(id, _)| id.as_str()), places);
    let read = id.map(|(id, place)| {
        let (aliases, aliases_place) = aliases.unwrap_or_else(|| (Vec::new(), place.clone()));
        for alias in &aliases {
            places.add("alias", alias, aliases_place.clone());
        }
        places.add("model", &id, place);
        if table.has("category") || table.has("parameters_b") {
            places.add("sized", &id, table.place());
        }
        Model {
            id: id.into(),
            aliases: aliases.into_iter().map(ModelId::from).collect(),
            parameters_b,
            category,
            context_window,
            max_output_tokens,
            default_output_tokens,
            input_price,
            output_price,
            tokenizer,
            features,
            hedge_after_ms,
            targets,
        }
    });
    table.close();
    read
}

fn targets(tables: Vec<Table<'_>>, model: Option<&str>, places: &mut Places) -> Vec<Target> {
    let mut targets = Vec::new();
    for table in tables {
        let provider = table.located::<String>("provider");
        table.missing("provider", "\"openai\"");
        let name = table.checked("model", |name: String| if name.is_empty() { Err("must not be empty".into()) } else { Ok(name) });
        let priority = table.get("priority").unwrap_or(0);
        let weight = table.checked("weight", |w: u32| if w > 0 { Ok(w) } else { Err("must be 1 or more".into()) }).unwrap_or(1);
        let context_window = table.whole("context_window", 1, MOST_TOKENS);
        let features = features(&table);
        let [rpm, tpm, concurrent] = ["rpm", "tpm", "concurrent"].map(|name| table.whole(name, 1, MOST_TOKENS));
        if let Some((provider, place)) = provider {
            places.add_in("target", model.unwrap_or_default(), &provider, place);
            let provider = provider.into();
            targets.push(Target { provider, model: name, priority, weight, context_window, features, rpm, tpm, concurrent });
        }
        table.close();
    }
    targets
}

fn features(table: &Table<'_>) -> Option<Features> {
    let features = table.get::<Vec<Word<Feature>>>("features")?;
    Some(features.into_iter().map(|Word(feature)| feature).collect())
}
