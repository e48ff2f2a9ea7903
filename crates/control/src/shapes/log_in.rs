//! The ways to log in, and who people are to providers of identities, as the API writes them.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::choice::SignUpMode;
use super::time::Time;

/// The ways to log in here, for whoever shows them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LoginMethods {
    /// With a password: always.
    pub(crate) password: bool,
    /// With a provider of identities; `null`: none is configured.
    #[schema(required)]
    pub(crate) oidc: Option<OidcMethod>,
    /// Who may make an account.
    pub(crate) signup: SignUpMode,
}

/// A provider of identities.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OidcMethod {
    /// What people call it.
    pub(crate) name: String,
}

/// Where somebody goes on who has logged in.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct NextQuery {
    /// A path of this server, such as `/orgs`; absent: `/`.
    pub(crate) next: Option<String>,
}

/// What a provider of identities sends a browser back with. It may send more, which is passed over.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct BackQuery {
    /// Shows that the browser comes back from where it was sent.
    pub(crate) state: Option<String>,
    /// For which the provider says who it is.
    pub(crate) code: Option<String>,
    /// Why there is no code.
    pub(crate) error: Option<String>,
    /// Who the provider is (RFC 9207).
    pub(crate) iss: Option<String>,
}

/// Where the browser is to go.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Onward {
    /// An address of the provider of identities.
    pub(crate) url: String,
}

/// What came of asking the provider of identities.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OidcTest {
    /// Whether people could log in with it.
    pub(crate) ok: bool,
    /// Its address.
    pub(crate) issuer: String,
    /// How long it took.
    pub(crate) elapsed_ms: f64,
    /// What is wrong and what to do, or that all is well.
    pub(crate) message: String,
}

/// Who somebody is to a provider of identities.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Identity {
    /// `identity_` and a ULID.
    id: String,
    /// The provider's address.
    issuer: String,
    /// Their name there, which says nothing to people.
    subject: String,
    /// Since when they can log in with it.
    created: Time,
}

impl Identity {
    pub(crate) fn of(linked: store::LinkedIdentity) -> Self {
        let store::LinkedIdentity { id, identity: domain::Identity { issuer, subject }, created } = linked;
        Self { id: id.to_string(), issuer, subject, created: Time(created) }
    }
}
