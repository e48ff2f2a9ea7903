//! People with an account, and what they are to organisations. It knows no password.

use crate::{Email, OrgId, PersonId, Role, UnixMicros};

/// Somebody with an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Their id.
    pub id: PersonId,
    /// Where they are reached, and what they log in with.
    pub email: Email,
    /// What people call them; empty: they didn't say.
    pub name: String,
    /// Whether they run the installation.
    pub is_operator: bool,
    /// Whether it was shown that the address is theirs, or somebody vouches for it.
    pub is_verified: bool,
    /// When the account was made.
    pub created: UnixMicros,
}

/// What somebody is to an organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The organisation.
    pub org: OrgId,
    /// Who.
    pub person: Person,
    /// What they may do there.
    pub role: Role,
    /// Since when.
    pub since: UnixMicros,
}
