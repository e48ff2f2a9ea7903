//! `/orgs/{id}/members`: who belongs to an organisation.

pub(crate) mod delete;
pub(crate) mod list;
pub(crate) mod patch;

use domain::PersonId;

use crate::problem::Problem;

/// The member that a segment names.
fn person_id(segment: &str) -> Result<PersonId, Problem> {
    segment.parse().map_err(|_| Problem::not_found("member", segment))
}
