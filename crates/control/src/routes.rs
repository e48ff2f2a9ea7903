//! Every route of the control API on one screen. The document is made of the same list, so the two can't differ.

use axum::routing::get;
use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{OpenApi as OpenApiDocument, Ref, RefOr, Required};
use utoipa::{IntoResponses, Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::access::IDEMPOTENCY_KEY;
use crate::api::{
    apply, audit, auth, billing, models, oidc, openapi, orgs, people, plan_requests, plans, providers, requests, route, status,
};
use crate::app::App;
use crate::documented_errors::Conflict;
use crate::problem::ErrorBody;
use crate::shapes::choice::{Bucket, Compare, Format, GroupBy, Order, RequestsFormat};

/// Accounts, sessions, and links that work once.
fn accounts() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(auth::signup::sign_up))
        .routes(routes!(auth::login::log_in))
        .routes(routes!(auth::logout::log_out))
        .routes(routes!(auth::methods::get_login_methods))
        .routes(routes!(auth::oidc::login::begin_oidc_login))
        .routes(routes!(auth::oidc::callback::finish_oidc_login))
        .routes(routes!(auth::oidc::links::link_oidc))
        .routes(routes!(auth::identities::list_identities))
        .routes(routes!(auth::identities::unlink_identity))
        .routes(routes!(auth::session::who_am_i))
        .routes(routes!(auth::sessions::list_sessions))
        .routes(routes!(auth::sessions::end_session))
        .routes(routes!(auth::password::change_password))
        .routes(routes!(auth::reset::reset_password))
        .routes(routes!(auth::reset_requests::request_reset))
        .routes(routes!(auth::verify::verify_address))
        .routes(routes!(auth::verification_mails::send_verification))
        .routes(routes!(auth::setup::set_up))
        .routes(routes!(auth::invitations::accept_invitation))
        .routes(routes!(people::invitations::invite_person))
        .routes(routes!(people::reset_links::make_reset_link))
        .routes(routes!(people::setup_links::make_setup_link))
}

/// The routes below `/api/v1` and their documentation.
pub(crate) fn routes() -> OpenApiRouter<App> {
    let routes = OpenApiRouter::new()
        .routes(routes!(orgs::create::create_org, orgs::list::list_orgs))
        .routes(routes!(orgs::get::get_org, orgs::patch::change_org, orgs::delete::delete_org))
        .routes(routes!(orgs::limits::get::get_org_limits, orgs::limits::put::put_org_limits))
        .merge(about_usage())
        .routes(routes!(orgs::keys::create::create_key, orgs::keys::list::list_keys))
        .routes(routes!(orgs::keys::patch::change_key, orgs::keys::delete::revoke_key))
        .routes(routes!(orgs::keys::rotate::rotate_key))
        .routes(routes!(orgs::audit::list::list_org_audit))
        .routes(routes!(orgs::members::list::list_members))
        .routes(routes!(orgs::members::patch::change_member, orgs::members::delete::remove_member))
        .routes(routes!(orgs::invitations::create::invite, orgs::invitations::list::list_invitations))
        .routes(routes!(orgs::invitations::delete::withdraw_invitation))
        .routes(routes!(orgs::subscription::get::get_subscription, orgs::subscription::create::subscribe))
        .routes(routes!(orgs::subscription::preview::preview_subscription))
        .routes(routes!(orgs::subscription::request::withdraw_plan_request))
        .routes(routes!(orgs::subscription::test_payment::pay_with_test_card))
        .routes(routes!(orgs::subscription::refresh::refresh_checkout))
        .routes(routes!(orgs::subscription::portal::open_portal))
        .routes(routes!(billing::webhook::hear_stripe))
        .routes(routes!(orgs::invoices::list::list_invoices))
        .routes(routes!(plan_requests::list::list_plan_requests))
        .routes(routes!(plan_requests::patch::decide_plan_request))
        .merge(accounts())
        .routes(routes!(oidc::test::test_oidc))
        .routes(routes!(providers::create::create_provider, providers::list::list_providers))
        .routes(routes!(
            providers::get::get_provider,
            providers::put::put_provider,
            providers::patch::change_provider,
            providers::delete::delete_provider
        ))
        .routes(routes!(providers::keys::create::add_provider_key, providers::keys::list::list_provider_keys))
        .routes(routes!(providers::keys::delete::remove_provider_key))
        .routes(routes!(providers::state::get::get_provider_state))
        .routes(routes!(providers::cooldown::delete::end_provider_cooldown))
        .routes(routes!(providers::test::create::test_provider))
        .routes(routes!(models::create::create_model, models::list::list_models))
        .routes(routes!(models::get::get_model, models::put::put_model, models::delete::delete_model))
        .routes(routes!(route::get::get_route))
        .routes(routes!(plans::create::create_plan, plans::list::list_plans))
        .routes(routes!(plans::get::get_plan, plans::put::put_plan, plans::delete::delete_plan))
        .routes(routes!(apply::create::apply))
        .routes(routes!(audit::list::list_audit))
        .routes(routes!(status::get::get_status))
        .routes(routes!(openapi::get::get_openapi));
    // A page, which is no part of the document.
    let test_page = get(orgs::subscription::test_page::show).post(orgs::subscription::test_page::press);
    let routes = routes.route("/orgs/{id}/subscription/checkouts/{checkout}/test-page", test_page);
    let mut routes = OpenApiRouter::with_openapi(Document::openapi()).nest("/api/v1", routes);
    name_entries_of_lists(routes.get_openapi_mut());
    offer_to_do_once(routes.get_openapi_mut());
    routes
}

/// What was used, refused and why.
fn about_usage() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(orgs::usage::get::get_usage))
        .routes(routes!(orgs::usage::pools::get_pool_usage))
        .routes(routes!(orgs::usage::refusals::get_refusals))
        .routes(routes!(orgs::requests::list::list_requests))
        .routes(routes!(orgs::requests::get::get_org_request))
        .routes(routes!(requests::get::get_request))
}

/// Lists refer to their entries' schemas by name instead of repeating them, so that generated clients have one type for each.
fn name_entries_of_lists(document: &mut OpenApiDocument) {
    for (name, schema) in document.components.iter_mut().flat_map(|components| &mut components.schemas) {
        if let (Some(entry), RefOr::T(Schema::Object(list))) = (name.strip_prefix("List_"), schema) {
            let entries = ArrayBuilder::new().items(Ref::from_schema_name(entry)).description(Some("The entries."));
            list.properties.insert("data".into(), entries.into());
        }
    }
}

/// What is posted with a body may be posted again under the same key, but for what gives cookies.
fn offer_to_do_once(document: &mut OpenApiDocument) {
    // Who logs in or tells of a payment is no caller with keys of their own.
    let is_offered = |path: &str| ["/api/v1/auth/", "/api/v1/billing/"].iter().all(|of| !path.starts_with(of));
    let posts = document.paths.paths.iter_mut().filter(|(path, _)| is_offered(path));
    for operation in posts.filter_map(|(_, item)| item.post.as_mut()).filter(|operation| operation.request_body.is_some()) {
        let key = ParameterBuilder::new()
            .name(IDEMPOTENCY_KEY)
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(ONCE))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(255))))
            .build();
        operation.parameters.get_or_insert_default().push(RefOr::T(key));
        for (status, response) in Conflict::responses() {
            operation.responses.responses.entry(status).or_insert(response);
        }
    }
}

const ONCE: &str = "A text of your own, new for each thing that you want done. Sent again within a day by the same caller with the same body, \
    the request is not done again and has the first one's answer (with `Idempotency-Replayed: true`), also after a restart. While the first \
    is under way it is a 409 (`idempotency_key_under_way`), with another path or body a 422 (`idempotency_key_reused`). What was refused has \
    done nothing and is not kept. Should a crash come between the deed and its answer, it is a 409 (`idempotent_answer_lost`) and nothing is \
    done. Answers are kept encrypted.";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tidegate control API",
        description = "Organisations, their keys, limits and usage; providers, models and plans. \
            Every answer is JSON; times are RFC 3339 in UTC; money and prices are decimal strings; an absent number of a limit row is unlimited. \
            Operators send the operator token as bearer, or their session; members of organisations send their session, which reaches their own \
            organisations as far as their role there allows (`x-role` is the least that an operation needs).",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(ErrorBody, GroupBy, Bucket, Compare, Format, Order, RequestsFormat)),
    modifiers(&Callers),
    security(("operator_token" = []), ("operator_session" = [])),
    tags(
        (name = "organisations", description = "Organisations, their plan, limits and usage"),
        (name = "accounts", description = "Signing up, logging in, and links that work once"),
        (name = "members", description = "Who belongs to an organisation"),
        (name = "subscriptions", description = "The plans of organisations, and how they are changed"),
        (name = "keys", description = "API keys of organisations"),
        (name = "providers", description = "Where models are had"),
        (name = "models", description = "The catalogue"),
        (name = "plans", description = "What organisations may use"),
        (name = "installation", description = "The installation as a whole")
    )
)]
struct Document;

struct Callers;

impl Modify for Callers {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("The operator token")).build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("operator_token", SecurityScheme::Http(scheme));
        for (name, whose) in [("session", "Somebody who is logged in"), ("operator_session", "An operator who is logged in")] {
            let said = format!("{whose}. Over https the cookie is `__Host-tidegate_session`");
            let cookie = ApiKeyValue::with_description("tidegate_session", &said);
            components.add_security_scheme(name, SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
        }
    }
}
