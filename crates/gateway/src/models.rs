//! `GET /v1/models` and `GET /v1/models/{id}`: what the caller's plan and key admit, under the catalogue's ids.

use bytes::Bytes;
use domain::{Model, UnixMicros};
use serde::Serialize;
use store::KeyEntry;

use crate::problem::json;
use crate::resolve::{ResolveFault, admits, resolve};
use crate::routes::Routes;

#[derive(Serialize)]
struct ModelShape<'a> {
    id: &'a str,
    object: &'static str,
    created: i64,
    owned_by: &'static str,
}

impl<'a> ModelShape<'a> {
    /// When a model was made is not known here; clients only want a number.
    fn of(model: &'a Model) -> Self {
        Self { id: model.id.as_str(), object: "model", created: 0, owned_by: "tidegate" }
    }
}

#[derive(Serialize)]
struct ListShape<'a> {
    object: &'static str,
    data: Vec<ModelShape<'a>>,
}

/// The list.
pub(crate) fn list(key: &KeyEntry, routes: &Routes, wall: UnixMicros) -> Bytes {
    let catalogue = routes.catalogue();
    let admitted = catalogue.models().map(|(_, model)| model).filter(|model| admits(key, catalogue, model, wall));
    json(&ListShape { object: "list", data: admitted.map(|model| ModelShape::of(model)).collect() })
}

/// One model by id or alias, or the fault that a call of it would meet.
pub(crate) fn one(key: &KeyEntry, routes: &Routes, name: &str, wall: UnixMicros) -> Result<Bytes, ResolveFault> {
    resolve(key, routes, name, wall).map(|resolved| json(&ModelShape::of(&resolved.model.model)))
}
