//! `/orgs/{id}/limits`: pools as they stand, and custom limits.

pub(crate) mod get;
pub(crate) mod put;
