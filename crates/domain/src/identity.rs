//! Who somebody is to a provider of identities, and whether an account is theirs when they come for the first time. It knows no token and no
//! protocol.

/// Somebody as a provider of identities names them. Only both together name one, for good; an address may go to another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Who says so: the provider's address.
    pub issuer: String,
    /// The name there, which says nothing to people.
    pub subject: String,
}

/// What is known of the account that has the address of somebody who comes for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SameAddress {
    /// Whether it was shown that its owner reads what is sent to the address.
    pub is_shown: bool,
    /// Whether they run the installation.
    pub is_operator: bool,
}

impl SameAddress {
    /// Whether the account is theirs, for whose address their provider vouches. Else they have to log in to it with its password first.
    ///
    /// It could have been made by somebody who waits for the address's owner to come, and who would keep its password. So it is theirs only
    /// where a link that was sent to the address has shown it to be the owner's. An operator's never is without its password: whoever rules
    /// over the provider would rule here.
    pub const fn is_theirs(self) -> bool {
        self.is_shown && !self.is_operator
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_only_theirs_where_it_was_shown_and_an_operators_never() {
        let is_theirs = |is_shown, is_operator| SameAddress { is_shown, is_operator }.is_theirs();
        assert!(is_theirs(true, false));
        assert!(!is_theirs(false, false), "somebody may have made it to wait for the address's owner");
        assert!(!is_theirs(true, true) && !is_theirs(false, true));
    }
}
