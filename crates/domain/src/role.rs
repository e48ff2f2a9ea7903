//! What members of an organisation may do: the table of roles.

use serde::{Deserialize, Serialize};

/// What a member is to an organisation. Each may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees everything but secrets, and changes nothing.
    Viewer,
    /// Makes and revokes API keys.
    Developer,
    /// Renames the organisation, invites and removes members, chooses and pays its plan.
    Admin,
    /// Names other owners, and deletes the organisation.
    Owner,
}

/// What an operation on an organisation needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Right {
    /// To see it: its plan, limits, usage, keys without secrets, members.
    See,
    /// To make and revoke its API keys.
    Keys,
    /// To rename it, and to invite, change and remove members.
    Manage,
    /// To choose and pay its plan.
    Billing,
    /// To name and remove owners, and to delete it.
    Own,
}

impl Role {
    /// All roles, the one that may least first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Developer, Self::Admin, Self::Owner];

    /// The name as APIs write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Developer => "developer",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// The role of this name.
    pub fn of_str(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }

    /// Whether it may do that.
    pub fn has(self, right: Right) -> bool {
        self >= right.least()
    }
}

impl Right {
    /// All rights.
    pub const ALL: [Self; 5] = [Self::See, Self::Keys, Self::Manage, Self::Billing, Self::Own];

    /// The role from which on members have it.
    pub const fn least(self) -> Role {
        match self {
            Self::See => Role::Viewer,
            Self::Keys => Role::Developer,
            Self::Manage | Self::Billing => Role::Admin,
            Self::Own => Role::Owner,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_do_what_those_before_it_may_and_more() {
        let rights = |role: Role| Right::ALL.into_iter().filter(|right| role.has(*right)).count();
        assert_eq!(Role::ALL.map(rights), [1, 2, 4, 5]);
        assert_eq!(Role::ALL.map(|role| Role::of_str(role.as_str())), Role::ALL.map(Some));
        assert_eq!(Role::of_str("root"), None);
    }
}
