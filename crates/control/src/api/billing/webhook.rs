//! `POST /billing/stripe/webhook`: what Stripe tells. Its signature is its proof.

use axum::Json;
use axum::extract::State;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use store::Settled;
use utoipa::ToSchema;

use crate::app::App;
use crate::billing::HearFault;
use crate::body::Event;
use crate::documented_errors::{EventErrors, NotFound};
use crate::problem::Problem;

/// An event was taken.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Taken {
    /// Always `true`.
    received: bool,
}

/// Hear of a payment
///
/// Only where `provider = "stripe"` in `[billing]`. The `Stripe-Signature` header must be right and at most five minutes old. Each event has
/// its effect once, whenever and however often it comes; those that are about nothing here are taken and forgotten.
#[utoipa::path(post, path = "/billing/stripe/webhook", tag = "subscriptions", security(()),
    params(("Stripe-Signature" = String, Header, description = "`t=…,v1=…`, as Stripe signs")),
    request_body(content = String, description = "Stripe's event", content_type = "application/json"),
    responses((status = 200, description = "It was taken", body = Taken), EventErrors, NotFound))]
pub(crate) async fn hear_stripe(State(app): State<App>, headers: HeaderMap, Event(body): Event) -> Result<Json<Taken>, Problem> {
    let signatures: Vec<_> = headers.get_all("stripe-signature").iter().filter_map(|value| value.to_str().ok()).collect();
    let settled = app.vault().hear(&signatures, &body).await.map_err(|fault| match fault {
        HearFault::NotHere => Problem::not_found("webhook", "stripe"),
        HearFault::Unsigned => Problem::new(StatusCode::BAD_REQUEST, "invalid_signature", format!("{}.", sentence(&fault.to_string()))),
        HearFault::Unreadable => Problem::new(StatusCode::BAD_REQUEST, "invalid_event", format!("{}.", sentence(&fault.to_string()))),
    })??;
    match settled {
        Settled::Nothing => {}
        Settled::Failed | Settled::InForce | Settled::Refunding | Settled::Reversed => tracing::info!(?settled, "Stripe told of a payment"),
    }
    Ok(Json(Taken { received: true }))
}

fn sentence(text: &str) -> String {
    text.char_indices().map(|(at, c)| if at == 0 { c.to_ascii_uppercase() } else { c }).collect()
}
