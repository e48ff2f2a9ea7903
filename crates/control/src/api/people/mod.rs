//! `/people`: what operators do for people: links to make an organisation, to choose a new password, to set up the first operator.

pub(crate) mod invitations;
pub(crate) mod reset_links;
pub(crate) mod setup_links;
