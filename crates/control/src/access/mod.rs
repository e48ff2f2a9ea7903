//! Who may call: whoever bears the operator token, and people who are logged in. Handlers reach what is kept through these proofs alone:
//! an operator's reaches everything, a member's one organisation, a person's themselves. It decides by the table of roles.

mod caller;
mod cookie;
mod maker;
mod once;
mod operator;
mod org;
mod person;
mod vault;

pub use caller::{ClientAddress, hash_operator_token};
pub(crate) use cookie::{cleared, cleared_log_in, log_in, set, set_log_in};
pub(crate) use maker::OrgMaker;
pub(crate) use once::{IDEMPOTENCY_KEY, answered_before, keep_answer};
pub(crate) use operator::Operator;
pub(crate) use org::{Billing, Keys, Manage, OrgAccess, Own, See};
pub(crate) use person::SignedIn;
pub(crate) use vault::Vault;
