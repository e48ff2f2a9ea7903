//! The control plane: the operator API under `/api/v1`. It decides nothing: handlers convert, call the store, convert.
//! It knows no data plane but through the traits of `domain`.

mod access;
mod answer;
mod api;
mod app;
mod billing;
mod body;
mod caps;
mod csv;
mod documented_errors;
mod errors;
mod form;
mod http_client;
mod layers;
mod mail;
mod oidc;
mod pages;
mod passwords;
mod problem;
mod query;
mod routes;
mod segments;
mod shapes;
mod strict;
mod value_fault;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use tower::ServiceBuilder;
use tower::util::MapRequestLayer;

pub use access::{ClientAddress, hash_operator_token};
pub use app::{ControlConfig, ControlParts, SignUpConfig, SignUpMode};
pub use billing::{
    Bill, Called, Cashier, CashierParts, ChargeFault, Charger, HearFault, Heard, Manual, Page, Standing, Stripe, StripeConfig, TestCards,
};
pub use http_client::HttpClient;
pub use mail::{Mail, Mailer};
pub use oidc::{Oidc, OidcConfig};
pub use pages::is_page;

/// The link to `page` at `base` with a secret, which stands in the fragment: so browsers send it to no server.
pub fn link(base: &str, page: &str, token: &domain::SecretToken) -> String {
    format!("{}/{page}#token={}", base.trim_end_matches('/'), token.expose())
}

/// Everything under `/api/v1`, its own 404s and 405s included, and the pages.
pub fn router(parts: ControlParts) -> Router {
    let app = app::App::new(parts);
    let (routes, _) = routes::routes().split_for_parts();
    let routes = routes
        .fallback(errors::unknown_path)
        .method_not_allowed_fallback(errors::unknown_method)
        .layer(from_fn_with_state(app.clone(), access::keep_answer))
        .layer(from_fn_with_state(app.clone(), layers::own_origin))
        .layer(from_fn(layers::safe_headers))
        .with_state(app);
    // Around the router and not a layer of it, since layers run when the route is chosen already.
    pages::routes().fallback_service(ServiceBuilder::new().layer(MapRequestLayer::new(layers::encode_model_slashes)).service(routes))
}

/// The OpenAPI document of everything under `/api/v1`.
pub fn openapi() -> utoipa::openapi::OpenApi {
    routes::routes().into_openapi()
}
