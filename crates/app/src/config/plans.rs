//! `[[plans]]` and their limit rows.

use domain::{Category, HoldPolicy, LimitRow, OnExhausted, Plan, Selector};

use super::cross::Places;
use super::table::Table;
use super::written::Word;

pub(super) fn read(tables: Vec<Table<'_>>, places: &mut Places) -> Vec<Plan> {
    tables.into_iter().filter_map(|table| plan(table, places)).collect()
}

fn plan(table: Table<'_>, places: &mut Places) -> Option<Plan> {
    let id = table.located::<String>("id");
    table.missing("id", "\"starter\"");
    let name = table.get("name").unwrap_or_default();
    let (price_month, spend_per_day) = (table.get("price_month"), table.get("spend_per_day"));
    let hold = table.get("hold").map(|Word(hold): Word<HoldPolicy>| hold).unwrap_or_default();
    let on_exhausted = table.get("on_exhausted").map(|Word(choice): Word<OnExhausted>| choice).unwrap_or_default();
    let limits = rows(table.tables("limits"), id.as_ref().map(|(id, _)| id.as_str()), places);
    let read = id.map(|(id, place)| {
        places.add("plan", &id, place);
        Plan { id: id.into(), name, price_month, hold, on_exhausted, spend_per_day, limits }
    });
    table.close();
    read
}

fn rows(tables: Vec<Table<'_>>, plan: Option<&str>, places: &mut Places) -> Vec<LimitRow> {
    tables.into_iter().filter_map(|table| row(table, plan.unwrap_or_default(), places)).collect()
}

fn row(table: Table<'_>, plan: &str, places: &mut Places) -> Option<LimitRow> {
    let selector = selector(&table);
    let row = selector.map(|selector| {
        places.add_in("row", plan, &selector.to_string(), table.place());
        LimitRow {
            selector,
            rpm: table.get("rpm"),
            tpm: table.get("tpm"),
            rpd: table.get("rpd"),
            tpd: table.get("tpd"),
            concurrent: table.get("concurrent"),
            window_seconds: table.get("window_seconds"),
            enforce: table.get("enforce").unwrap_or(true),
        }
    });
    if let Some(fault) = row.as_ref().and_then(LimitRow::fault) {
        table.fault(table.place(), fault);
    }
    if row.is_some() {
        table.close();
    }
    row
}

fn selector(table: &Table<'_>) -> Option<Selector> {
    let model = table.located::<String>("model");
    let category = table.located::<Word<Category>>("category");
    let any = table.located::<bool>("any");
    let written = [model.is_some(), category.is_some(), any.is_some()].into_iter().filter(|w| *w).count();
    match (model, category, any) {
        (Some((id, _)), None, None) => Some(Selector::Model(id.into())),
        (None, Some((Word(category), _)), None) => Some(Selector::Category(category)),
        (None, None, Some((true, _))) => Some(Selector::Any),
        (None, None, Some((false, place))) => {
            table.fault(place, "any: leave the row out instead of writing any = false");
            None
        }
        _ if written == 0 && ["model", "category", "any"].iter().any(|key| table.has(key)) => None,
        _ => {
            table.fault(
                table.place(),
                "a limit row names exactly one of model = \"…\", category = \"small\" | \"medium\" | \"large\", or any = true",
            );
            None
        }
    }
}
