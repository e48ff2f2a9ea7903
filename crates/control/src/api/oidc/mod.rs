//! `/oidc`: the provider of identities, for operators. Log-in with it is below `/auth`.

pub(crate) mod test;
