//! `GET /orgs/{id}/requests`: requests one by one, as a page or as a stream of all.

use std::io;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::{HeaderValue, header};
use store::{Page, PageRequest, RequestStory};

use crate::access::{OrgAccess, See};
use crate::answer::List;
use crate::api::orgs::usage_queries::RequestsQuery;
use crate::csv::{CSV, Csv};
use crate::documented_errors::{NotFound, ReadErrors, TooLow};
use crate::problem::Problem;
use crate::query::Query;
use crate::shapes::choice::RequestsFormat;
use crate::shapes::request::Request;
use crate::shapes::request_line::{COLUMNS, RequestLine};

/// Requests that are read at once for a stream.
const AT_ONCE: usize = 200;

/// List an organisation's requests
///
/// Newest first, refused ones among them: those that one limit refused within a second, by one key and of one model, are one entry, the first of
/// them. A page may have fewer entries than were asked for though another follows. They are kept as long as `[retention]` says. As `csv` or
/// `jsonl` all that follow are one stream, a line a request; `tidegate replay` reads the lines of `format=jsonl&order=oldest&status=answered`.
#[utoipa::path(get, path = "/orgs/{id}/requests", tag = "organisations",
    security(("operator_token" = []), ("session" = [])), extensions(("x-role" = json!("viewer"))),
    params(("id" = String, Path, description = "The organisation's id"), RequestsQuery),
    responses((status = 200, description = "Requests",
        content((List<Request> = "application/json"), (String = "text/csv"), (String = "application/jsonl"))), ReadErrors, TooLow, NotFound))]
pub(crate) async fn list_requests(org: OrgAccess<See>, Query(query): Query<RequestsQuery>) -> Result<Response, Problem> {
    let format = query.format()?;
    let page = org.requests(|org| query.of(org)).await??;
    match format {
        RequestsFormat::Json => Ok(List::some(page, Request::of).into_response()),
        RequestsFormat::Csv => Ok(streamed(org, query, page, Lines::Csv(Csv::new(&COLUMNS)))),
        RequestsFormat::Jsonl => Ok(streamed(org, query, page, Lines::Jsonl)),
    }
}

/// How the lines are written.
enum Lines {
    Csv(Csv),
    Jsonl,
}

impl Lines {
    const fn content_type(&self) -> HeaderValue {
        match self {
            Self::Csv(_) => CSV,
            Self::Jsonl => HeaderValue::from_static("application/jsonl"),
        }
    }

    fn of(&mut self, stories: Vec<RequestStory>) -> String {
        let lines = stories.into_iter().map(RequestLine::of);
        match self {
            Self::Csv(csv) => {
                lines.for_each(|line| csv.row(&line));
                csv.take()
            }
            Self::Jsonl => lines.filter_map(|line| serde_json::to_string(&line).ok().map(|line| line + "\n")).collect(),
        }
    }
}

/// What is read so far, and then page after page as the client takes it.
fn streamed(org: OrgAccess<See>, query: RequestsQuery, page: Page<RequestStory>, mut lines: Lines) -> Response {
    let content_type = lines.content_type();
    let first = lines.of(page.data);
    let state = (org, query, page.next_cursor, Some(first), lines);
    let body = stream::try_unfold(state, |(org, query, cursor, first, mut lines)| async move {
        if let Some(first) = first {
            return Ok::<_, io::Error>(Some((first, (org, query, cursor, None, lines))));
        }
        let Some(cursor) = cursor else { return Ok(None) };
        let next = |org| {
            let asked = query.of(org)?;
            Ok(store::RequestsQuery { page: PageRequest { cursor: Some(cursor), limit: Some(AT_ONCE) }, ..asked })
        };
        // What was sent can't be taken back: the stream breaks off, and the client sees that it isn't whole.
        let page = org.requests(next).await.map_err(|_| io::Error::other("the query can't be read again"))?.map_err(io::Error::other)?;
        let text = lines.of(page.data);
        Ok(Some((text, (org, query, page.next_cursor, None, lines))))
    });
    ([(header::CONTENT_TYPE, content_type)], Body::from_stream(body)).into_response()
}
