//! Accounts, sessions and what people send to have them, as the API writes them.

use domain::Email;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::choice::Role;
use super::password::Secret;
use super::text::Invalid;
use super::time::Time;

/// The address that a member holds.
pub(crate) fn email(param: &str, text: &str) -> Result<Email, Invalid> {
    text.parse().map_err(|fault: domain::ParseEmailError| Invalid::new(param, fault.to_string()))
}

/// Somebody who wants an account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignUpInput {
    /// Their address; may be left out where the invitation names it.
    #[serde(default)]
    pub(crate) email: Option<String>,
    /// At least 12 characters.
    pub(crate) password: Secret,
    /// What people call them.
    #[serde(default)]
    pub(crate) name: String,
    /// The name of an organisation of their own; left out by those who are invited to one.
    #[serde(default)]
    pub(crate) organisation: Option<String>,
    /// The secret of the invitation's link.
    #[serde(default)]
    pub(crate) invitation: Option<Secret>,
}

/// What everybody is answered who signs up.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SignedUp {
    /// What is next.
    pub(crate) message: String,
}

/// What is next, for people.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Told {
    /// One or two sentences.
    pub(crate) message: String,
}

/// Somebody who logs in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogIn {
    /// Their address.
    pub(crate) email: String,
    /// Their password.
    pub(crate) password: Secret,
}

/// Another password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordChange {
    /// The one until now.
    pub(crate) current: Secret,
    /// The one from now on: at least 12 characters.
    pub(crate) password: Secret,
}

/// A password that is chosen with a link.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordReset {
    /// The link's secret.
    pub(crate) token: Secret,
    /// The password from now on: at least 12 characters.
    pub(crate) password: Secret,
}

/// The first operator's account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetUp {
    /// The link's secret.
    pub(crate) token: Secret,
    /// Their address.
    pub(crate) email: String,
    /// What people call them.
    #[serde(default)]
    pub(crate) name: String,
    /// At least 12 characters.
    pub(crate) password: Secret,
}

/// A link's secret.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinkSecret {
    /// The link's secret.
    pub(crate) token: Secret,
}

/// Somebody with an account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Person {
    /// `person_` and a ULID.
    id: String,
    /// Their address.
    email: String,
    /// What people call them; empty: they didn't say.
    name: String,
    /// Whether they run the installation.
    operator: bool,
    /// Whether the address is known to be theirs. Until it is they make no API keys.
    verified: bool,
    /// When the account was made.
    created: Time,
}

impl Person {
    pub(crate) fn of(person: &domain::Person) -> Self {
        let domain::Person { id, email, name, is_operator, is_verified, created } = person;
        Self {
            id: id.to_string(),
            email: email.to_string(),
            name: name.clone(),
            operator: *is_operator,
            verified: *is_verified,
            created: Time(*created),
        }
    }
}

/// An organisation of somebody.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Membership {
    /// The organisation's id.
    id: String,
    /// What people call it.
    name: String,
    /// The plan bought.
    plan: String,
    /// The plan in force.
    effective_plan: String,
    /// What they are there.
    role: Role,
}

impl Membership {
    pub(crate) fn of((org, role): (domain::Org, domain::Role)) -> Self {
        let domain::Org { id, name, plan, effective_plan, .. } = org;
        let text = |id: &domain::PlanId| id.as_str().to_owned();
        Self { id: id.to_string(), name, plan: text(&plan), effective_plan: text(&effective_plan), role: role.into() }
    }
}

/// A session.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Session {
    /// `session_` and a ULID. It is not the secret.
    id: String,
    /// What the browser calls itself.
    agent: String,
    /// When it began.
    created: Time,
    /// When it was last used, to within 5 minutes.
    used: Time,
    /// When it ends, if it isn't used again.
    expires: Time,
    /// Whether it is the one that asks.
    current: bool,
}

impl Session {
    pub(crate) fn of(session: store::Session, current: domain::SessionId) -> Self {
        let store::Session { id, agent, created, used, expires, .. } = session;
        Self { id: id.to_string(), agent, created: Time(created), used: Time(used), expires: Time(expires), current: id == current }
    }
}

/// Who is logged in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WhoAmI {
    /// Who.
    pub(crate) person: Person,
    /// Their organisations.
    pub(crate) organisations: Vec<Membership>,
}
