//! What is known of one request after it ended: how it fared, and what refused it.

use domain::{RefusalEvent, RequestId, UsageRecord};

use crate::{DatabaseFault, Store, sql};

/// A refusal as it is kept: those of one second that differ only in their moment are one.
#[derive(Clone, Debug)]
pub struct ToldRefusal {
    /// The first of them.
    pub event: RefusalEvent,
    /// How many requests it stands for; 0 where another limit told of them already.
    pub refused: u64,
}

/// What was decided about one request.
#[derive(Clone, Debug)]
pub struct RequestStory {
    /// How it fared, if it was admitted.
    pub usage: Option<UsageRecord>,
    /// What refused it, or would have.
    pub refusals: Vec<ToldRefusal>,
}

impl Store {
    /// What was decided about a request that ended a second ago or more; `None`: nothing is known of this id. Of the requests that were
    /// refused in one second by one limit, only the first is known by its id.
    pub async fn request(&self, id: RequestId) -> Result<Option<RequestStory>, DatabaseFault> {
        let pool = &self.inner.database.reads;
        let story = RequestStory { usage: sql::requests::usage(pool, id).await?, refusals: sql::requests::refusals(pool, id).await? };
        Ok(Some(story).filter(|story| story.usage.is_some() || !story.refusals.is_empty()))
    }
}
