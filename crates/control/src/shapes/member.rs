//! Members and invitations as the API writes them.

use domain::SecretToken;
use http::Uri;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::choice::Role;
use super::time::Time;
use crate::mail::{Mail, Mailer};

/// A member of an organisation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Member {
    /// `person_` and a ULID.
    id: String,
    /// Their address.
    email: String,
    /// What people call them; empty: they didn't say.
    name: String,
    /// What they are there.
    role: Role,
    /// Since when.
    since: Time,
}

impl Member {
    pub(crate) fn of(member: domain::Member) -> Self {
        let domain::Member { person, role, since, .. } = member;
        Self { id: person.id.to_string(), email: person.email.to_string(), name: person.name, role: role.into(), since: Time(since) }
    }
}

/// Another role.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleChange {
    /// What they are from now on.
    pub(crate) role: Role,
}

/// Somebody to invite to an organisation.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InvitationInput {
    /// Their address: nobody else can take it up.
    pub(crate) email: String,
    /// What they become.
    pub(crate) role: Role,
}

/// Somebody to whom a link is to be given.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Addressee {
    /// Their address.
    pub(crate) email: String,
}

/// An invitation that nobody has taken up, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Invitation {
    /// `link_` and a ULID. It is not the secret.
    id: String,
    /// Who is invited.
    #[schema(required)]
    email: Option<String>,
    /// What they become; `null`: the owner of an organisation of their own.
    #[schema(required)]
    role: Option<Role>,
    /// When it was made.
    created: Time,
    /// It works until before this moment.
    expires: Time,
}

impl Invitation {
    pub(crate) fn of(link: store::Link) -> Self {
        let store::Link { id, email, role, created, expires, .. } = link;
        Self {
            id: id.to_string(),
            email: email.map(|email| email.to_string()),
            role: role.map(Into::into),
            created: Time(created),
            expires: Time(expires),
        }
    }
}

/// A link that works once, with its secret, which is shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewLink {
    /// `link_` and a ULID; `null`: it can't be withdrawn.
    #[schema(required)]
    id: Option<String>,
    /// What to send to whom it is for. The secret is behind the `#`, so that no server's log has it.
    url: String,
    /// The secret alone.
    token: String,
    /// It works until before this moment; `null`: for an hour.
    #[schema(required)]
    expires: Option<Time>,
    /// Whether it is on its way by mail already.
    mailed: bool,
}

impl NewLink {
    /// A link to `page` of the console at `base`.
    pub(crate) fn of(link: Option<&store::Link>, token: &SecretToken, base: &Uri, page: &str) -> Self {
        let (id, expires) = (link.map(|link| link.id.to_string()), link.map(|link| Time(link.expires)));
        let url = crate::link(&base.to_string(), page, token);
        Self { id, url, token: token.expose().into(), expires, mailed: false }
    }

    /// The same, sent by mail where there is somebody who sends.
    pub(crate) fn mailed(self, mailer: Option<&dyn Mailer>, mail: impl FnOnce(&str) -> Mail) -> Self {
        let mailed = mailer.is_some_and(|mailer| mailer.send(mail(&self.url)));
        Self { mailed, ..self }
    }
}
