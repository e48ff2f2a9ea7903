//! `GET|POST /orgs/{id}/subscription/checkouts/{checkout}/test-page`: the page where a browser pays with a card that is none. It is HTML, so it
//! isn't in the document; it has no script, and is marked for what it is.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{StatusCode, header};
use sha2::{Digest as _, Sha256};

use super::test_payment::{CARDS, pay_with};
use crate::access::{Billing, OrgAccess};
use crate::app::App;
use crate::body::Event;
use crate::pages::escaped;
use crate::problem::Problem;
use crate::segments::Segments;

const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;margin:0}main{max-width:30rem;margin:2rem auto;padding:0 1rem}\
    .test{background:#b00020;color:#fff;font-weight:700;text-align:center;padding:.5rem}button{font:inherit;padding:.5rem 1rem;margin:.25rem 0;width:100%}";

/// The page, as the checkout stands.
pub(crate) async fn show(
    org: OrgAccess<Billing>,
    State(app): State<App>,
    Segments((_org, segment)): Segments<(String, String)>,
) -> Result<Response, Problem> {
    page(&org, &app, &segment, StatusCode::OK, "").await
}

/// A button of it was pressed.
pub(crate) async fn press(
    org: OrgAccess<Billing>,
    State(app): State<App>,
    Segments((_org, segment)): Segments<(String, String)>,
    Event(body): Event,
) -> Result<Response, Problem> {
    let word = std::str::from_utf8(&body).ok().and_then(|body| body.strip_prefix("card="));
    let card = CARDS.iter().find(|(known, _, _)| Some(*known) == word).map_or("", |(_, card, _)| card);
    match pay_with(&org, &app, &segment, card).await {
        Ok(()) => page(&org, &app, &segment, StatusCode::OK, "Paid. The plan is in force for the next request.").await,
        Err(problem) => page(&org, &app, &segment, problem.status, &problem.detail.message).await,
    }
}

async fn page(org: &OrgAccess<Billing>, app: &App, segment: &str, status: StatusCode, said: &str) -> Result<Response, Problem> {
    let nothing = || Problem::not_found("checkout", segment);
    if !app.vault().takes_test_cards() {
        return Err(nothing());
    }
    let subscription = org.subscription().await?;
    let open = subscription.checkout.as_ref().filter(|checkout| checkout.is(segment));
    let what = match open {
        Some(checkout) => checkout.sentence(),
        None => format!("Nothing is to be paid here. The plan in force is {}.", subscription.effective_plan),
    };
    let button = |(word, _, label): &(&str, &str, &str)| format!("<button name=card value={word}>{label}</button>");
    let form = open.map(|_| format!("<form method=post>{}</form>", CARDS.iter().map(button).collect::<String>())).unwrap_or_default();
    let html = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\"><title>TEST payment</title>\
         <style>{STYLE}</style><div class=test>TEST &mdash; no money is moved; never enter a real card</div>\
         <main><h1>Test payment</h1><p role=status>{}</p><p>{}</p>{form}<p><a href=\"/\">Back</a></p></main></html>",
        escaped(said),
        escaped(&what)
    );
    let style = BASE64_STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    let policy = format!("default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'");
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::REFERRER_POLICY, "same-origin".to_owned()),
    ];
    Ok((status, headers, html).into_response())
}
