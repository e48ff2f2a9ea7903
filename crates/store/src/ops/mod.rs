//! The operations of the control plane. Each writes SQL and the audit entry in one transaction, then publishes to the
//! directory before it returns, so that it is in force for the next request.

pub(crate) mod apply;
pub(crate) mod audit;
pub(crate) mod billing;
pub(crate) mod credentials;
pub(crate) mod custom_limits;
pub(crate) mod definitions;
pub(crate) mod diff;
pub(crate) mod identities;
pub(crate) mod input;
pub(crate) mod key_changes;
pub(crate) mod keys;
pub(crate) mod links;
pub(crate) mod members;
pub(crate) mod models;
pub(crate) mod once;
pub(crate) mod orgs;
pub(crate) mod payments;
pub(crate) mod people;
pub(crate) mod plan_requests;
pub(crate) mod plans;
pub(crate) mod pool_usage;
pub(crate) mod providers;
pub(crate) mod renewals;
pub(crate) mod request_list;
pub(crate) mod requests;
pub(crate) mod reversals;
pub(crate) mod sessions;
pub(crate) mod spend;
pub(crate) mod usage;
pub(crate) mod usage_filter;
pub(crate) mod usage_spans;
pub(crate) mod usage_sums;
pub(crate) mod why_refused;

use std::fmt;
use std::sync::Arc;

use domain::{PersonId, UnixMicros};
use serde::{Deserialize, Serialize, Serializer};

/// Who changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// Whoever holds the operator token.
    Operator,
    /// Tidegate itself: at start, from its configuration file.
    System,
    /// Somebody who is logged in, or has just signed up.
    Person(PersonId),
}

impl Actor {
    pub(crate) fn of_str(text: &str) -> Option<Self> {
        match text {
            "operator" => Some(Self::Operator),
            "system" => Some(Self::System),
            person => person.parse().ok().map(Self::Person),
        }
    }
}

/// The name as the audit log writes it.
impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator => f.write_str("operator"),
            Self::System => f.write_str("system"),
            Self::Person(id) => id.fmt(f),
        }
    }
}

impl Serialize for Actor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Where a provider, model or plan comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The configuration file: it is applied anew at each start ("managed by file").
    File,
    /// The control API.
    Api,
    /// What an installation begins with.
    Seed,
    /// Found in the environment.
    Discovered,
}

impl Origin {
    /// The name as APIs write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Api => "api",
            Self::Seed => "seed",
            Self::Discovered => "discovered",
        }
    }

    pub(crate) fn of_str(text: &str) -> Option<Self> {
        [Self::File, Self::Api, Self::Seed, Self::Discovered].into_iter().find(|origin| origin.as_str() == text)
    }
}

/// What a put does with what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutMode {
    /// Conflict where it exists.
    Create,
    /// Make or replace.
    Upsert,
}

/// A model or plan with where it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Managed<T> {
    /// The thing itself.
    pub item: Arc<T>,
    /// Where it comes from.
    pub origin: Origin,
    /// When it was last changed.
    pub updated: UnixMicros,
}

/// What a put left behind.
#[derive(Clone, Debug, PartialEq)]
pub struct Written<T> {
    /// Whether it was not there before.
    pub created: bool,
    /// What is there now.
    pub value: T,
}
