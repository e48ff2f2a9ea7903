//! What is written down of one attempt of a request at a target. It knows neither what was sent nor why the target was chosen.

use serde::{Deserialize, Serialize};

use crate::{Money, ProviderName, Trouble};

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum AttemptEnd {
    /// The target answered.
    Answered,
    /// The target said that the request is at fault.
    Rejected,
    /// It gave no answer, and that says so much of it.
    Failed(Trouble),
    /// It began to answer and broke off, with something sent to the client already.
    Broken,
    /// Another target that was tried beside it was faster.
    Cancelled,
    /// The client left before it answered.
    ClientGone,
}

impl AttemptEnd {
    /// All there are.
    pub const ALL: [Self; 12] = [
        Self::Answered,
        Self::Rejected,
        Self::Failed(Trouble::RateLimited),
        Self::Failed(Trouble::Overloaded),
        Self::Failed(Trouble::Failed),
        Self::Failed(Trouble::TimedOut),
        Self::Failed(Trouble::Credential),
        Self::Failed(Trouble::Billing),
        Self::Failed(Trouble::Missing),
        Self::Broken,
        Self::Cancelled,
        Self::ClientGone,
    ];

    /// The name as records write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Rejected => "rejected",
            Self::Failed(trouble) => trouble.as_str(),
            Self::Broken => "broken",
            Self::Cancelled => "cancelled",
            Self::ClientGone => "client_gone",
        }
    }

    /// The end of this name.
    pub fn of_str(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|end| end.as_str() == name)
    }
}

impl From<AttemptEnd> for &'static str {
    fn from(end: AttemptEnd) -> Self {
        end.as_str()
    }
}

impl TryFrom<String> for AttemptEnd {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::of_str(&name).ok_or_else(|| format!("no attempt ends as \"{name}\""))
    }
}

/// One attempt of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptRecord {
    /// Where it was made.
    pub provider: ProviderName,
    /// The model's name there.
    pub model: String,
    /// How it ended.
    pub end: AttemptEnd,
    /// The HTTP status of the provider's refusal, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// When it began, in microseconds after the request's arrival.
    pub begun_us: u64,
    /// How long it took until it was known how it ends, in microseconds: an answer's first byte, or its end where it isn't streamed.
    pub lasted_us: u64,
    /// What it may have cost beside what the request is charged: the provider of a cancelled attempt may have worked all the same.
    #[serde(default, skip_serializing_if = "Money::is_zero")]
    pub cost: Money,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_has_a_name_of_its_own() {
        for end in AttemptEnd::ALL {
            assert_eq!(AttemptEnd::of_str(end.as_str()), Some(end));
        }
        assert_eq!(AttemptEnd::of_str("lost"), None);
    }

    #[test]
    fn what_is_absent_takes_no_room() {
        let end = AttemptEnd::Failed(Trouble::RateLimited);
        let mut attempt =
            AttemptRecord { provider: "p".into(), model: "m".into(), end, status: None, begun_us: 1, lasted_us: 2, cost: Money(0) };
        let text = serde_json::to_string(&attempt).unwrap();
        assert_eq!(text, r#"{"provider":"p","model":"m","end":"rate_limited","begun_us":1,"lasted_us":2}"#);
        assert_eq!(serde_json::from_str::<AttemptRecord>(&text).unwrap(), attempt);
        (attempt.status, attempt.cost) = (Some(429), Money(5));
        assert_eq!(serde_json::from_str::<AttemptRecord>(&serde_json::to_string(&attempt).unwrap()).unwrap(), attempt);
    }
}
