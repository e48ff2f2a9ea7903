//! `POST /people/setup-links`: a link with which the first operator makes their account.

use axum::extract::State;
use http::StatusCode;

use crate::access::Operator;
use crate::answer::Put;
use crate::app::App;
use crate::documented_errors::{Conflict, DeleteErrors};
use crate::problem::Problem;
use crate::shapes::member::NewLink;

/// Make a link to set up the first operator
///
/// The link's secret is shown this once. It works for an hour, once; earlier ones no longer work. It takes no body.
#[utoipa::path(post, path = "/people/setup-links", tag = "accounts", security(("operator_token" = []), ("operator_session" = [])),
    responses((status = 201, description = "The link", body = NewLink), DeleteErrors, Conflict))]
pub(crate) async fn make_setup_link(operator: Operator, State(app): State<App>) -> Result<Put<NewLink>, Problem> {
    let Some(token) = operator.store().make_setup_link(operator.actor()).await? else {
        let message = "There is an operator already. Make a link to choose a new password instead.";
        return Err(Problem::new(StatusCode::CONFLICT, "conflict", message));
    };
    Ok(Put::made(&["people", "setup-links"], NewLink::of(None, &token, &app.config().own_url, "setup")))
}
