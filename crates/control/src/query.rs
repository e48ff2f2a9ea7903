//! Query parameters: unknown ones are refused, wrong ones named. It knows no endpoint in particular.

use axum::extract::FromRequestParts;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD;
use domain::UnixMicros;
use http::StatusCode;
use http::request::Parts;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IntoDeserializer};
use store::PageRequest;
use utoipa::IntoParams;

use crate::app::App;
use crate::caps::{DEFAULT_PAGE, MAX_PAGE};
use crate::problem::Problem;
use crate::value_fault::wrong;

/// The query of a read.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<App> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let parsed = axum::extract::Query::try_from_uri(&parts.uri);
        parsed.map(|axum::extract::Query(query)| Self(query)).map_err(|rejection| refused(&rejection.body_text()))
    }
}

/// Which page of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// The `next_cursor` of the page before; absent: the first page.
    cursor: Option<String>,
    /// Entries of the page: 1 to 200, 50 where absent.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200, default = 50)]
    limit: Option<String>,
}

impl PageQuery {
    /// The page that the query names.
    pub(crate) fn page(&self) -> Result<PageRequest, Problem> {
        page(self.cursor.as_deref(), self.limit.as_deref())
    }
}

/// The page that `cursor` and `limit` name.
pub(crate) fn page(cursor: Option<&str>, limit: Option<&str>) -> Result<PageRequest, Problem> {
    let cursor = cursor.map(decoded).transpose()?;
    match limit.map_or(Ok(DEFAULT_PAGE), str::parse) {
        Ok(limit) if (1..=MAX_PAGE).contains(&limit) => Ok(PageRequest { cursor, limit: Some(limit) }),
        _ => Err(Problem::invalid("limit", format!("limit: expected a whole number from 1 to {MAX_PAGE}."))),
    }
}

fn decoded(cursor: &str) -> Result<String, Problem> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    text.ok_or_else(|| Problem::invalid("cursor", "cursor: expected the next_cursor of a page."))
}

/// The time that a parameter holds. A `+` of an offset that arrived as a space is understood.
pub(crate) fn time(param: &str, text: Option<&str>) -> Result<Option<UnixMicros>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let mended = text.rsplit_once(' ').map(|(time, offset)| format!("{time}+{offset}"));
    let parsed = text.parse().ok().or_else(|| mended.and_then(|text| text.parse().ok()));
    let expected = || format!("{param}: expected a time such as 2026-02-05T15:32:41Z, found {text:?}.");
    parsed.map(Some).ok_or_else(|| Problem::invalid(param, expected()))
}

/// The choice that a parameter holds.
pub(crate) fn choice<T: DeserializeOwned>(param: &str, text: Option<&str>) -> Result<Option<T>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let parsed: Result<T, serde::de::value::Error> = T::deserialize(text.into_deserializer());
    parsed.map(Some).map_err(|fault| Problem::invalid(param, format!("{param}: {}.", wrong(&fault.to_string()))))
}

/// Whether a parameter says yes.
pub(crate) fn flag(param: &str, text: Option<&str>) -> Result<bool, Problem> {
    match text {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(Problem::invalid(param, format!("{param}: expected true or false."))),
    }
}

fn refused(text: &str) -> Problem {
    let code = if text.contains("unknown field") { "unknown_parameter" } else { "invalid_query" };
    let message = match text.split_once("unknown field ") {
        Some((_, rest)) => format!("There is no query parameter {}.", rest.replace('`', "\"")),
        None => format!("{text}."),
    };
    let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, message);
    match text.split('`').nth(1) {
        Some(name) => problem.at(name),
        None => problem,
    }
}
