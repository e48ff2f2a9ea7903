//! `POST /orgs/{id}/subscription/checkouts/{checkout}/test-payment`: a checkout is paid with a card that is none.

use axum::Json;
use axum::extract::State;
use http::StatusCode;

use crate::access::{Billing, OrgAccess};
use crate::app::App;
use crate::body::Body;
use crate::documented_errors::{Conflict, NotFound, PaymentErrors, WriteErrors};
use crate::problem::Problem;
use crate::segments::Segments;
use crate::shapes::subscription::{Subscription, TestCard};

/// Pay with a test card
///
/// Only where `provider = "test"` in `[billing]`: no money is moved. Paid, the plan is in force for the next request.
#[utoipa::path(post, path = "/orgs/{id}/subscription/checkouts/{checkout}/test-payment", tag = "subscriptions",
    security(("operator_token" = []), ("session" = [])), extensions(("x-role" = json!("admin"))),
    params(("id" = String, Path, description = "The organisation's id"), ("checkout" = String, Path, description = "The checkout's id")),
    request_body = TestCard,
    responses((status = 200, description = "It is paid, and the plan in force", body = Subscription),
        WriteErrors, PaymentErrors, NotFound, Conflict))]
pub(crate) async fn pay_with_test_card(
    org: OrgAccess<Billing>,
    State(app): State<App>,
    Segments((_org, segment)): Segments<(String, String)>,
    Body(input): Body<TestCard>,
) -> Result<Json<Subscription>, Problem> {
    pay_with(&org, &app, &segment, input.card.expose()).await?;
    Ok(Json(org.subscription().await?))
}

/// What the page offers: a word, the card it means, and what comes of it.
pub(super) const CARDS: [(&str, &str, &str); 3] = [
    ("pays", "4242424242424242", "Pay"),
    ("pays-once", "4000000000000341", "Pay now, and have the next month declined"),
    ("declined", "4000000000000002", "Have the card declined"),
];

/// Pays a checkout with one of those cards.
pub(super) async fn pay_with(org: &OrgAccess<Billing>, app: &App, segment: &str, card: &str) -> Result<(), Problem> {
    let nothing = || Problem::not_found("checkout", segment);
    if !app.vault().takes_test_cards() {
        return Err(nothing());
    }
    let id = segment.parse().map_err(|_| nothing())?;
    let card: String = card.chars().filter(|c| !c.is_whitespace()).collect();
    let renews = match card.as_str() {
        "4242424242424242" => true,
        "4000000000000341" => false,
        "4000000000000002" => {
            let message = "The card was declined. Nothing was charged, and the plan is as it was.";
            return Err(Problem::new(StatusCode::PAYMENT_REQUIRED, "card_declined", message));
        }
        _ => {
            return Err(Problem::invalid(
                "card",
                "card: this is no test card; never enter a real one here. The description of `card` lists those that pay.",
            ));
        }
    };
    org.checkout_paid(id, renews).await?;
    Ok(())
}
