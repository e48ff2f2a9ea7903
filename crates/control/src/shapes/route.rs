//! Where a request would go, as the API writes it.

use domain::RouteStep;
use serde::Serialize;
use utoipa::ToSchema;

use super::choice::SkipReason;
use super::time::Time;

/// A target in the order in which a request would try them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RouteTarget {
    /// Its provider.
    provider: String,
    /// The model's name there.
    model: String,
    /// Lower is tried first.
    priority: u32,
    /// Its share within its priority.
    weight: u32,
    /// Whether it would be tried, unless one before it answers.
    tried: bool,
    /// Why it would be passed over; `null`: it would be tried.
    #[schema(required)]
    reason: Option<SkipReason>,
    /// The same for people.
    #[schema(required)]
    why: Option<String>,
    /// Until when, where that is known.
    #[schema(required)]
    until: Option<Time>,
    /// Whether it would be tried all the same where no other target answers.
    last_resort: bool,
}

/// Where a request would go now.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Route {
    /// The model's id.
    model: String,
    /// Its targets, first to last. Within a priority the order is drawn by weight, for each request anew.
    targets: Vec<RouteTarget>,
}

impl Route {
    /// The way of a request for the model of this id.
    pub(crate) fn of(model: String, steps: Vec<RouteStep>) -> Self {
        Self { model, targets: steps.into_iter().map(RouteTarget::of).collect() }
    }
}

impl RouteTarget {
    fn of(step: RouteStep) -> Self {
        let skipped = step.skipped;
        Self {
            provider: step.provider.as_str().into(),
            model: step.model,
            priority: step.priority,
            weight: step.weight,
            tried: skipped.is_none(),
            reason: skipped.as_ref().map(|skipped| skipped.reason.into()),
            until: skipped.as_ref().and_then(|skipped| skipped.until).map(Time),
            last_resort: skipped.as_ref().is_some_and(|skipped| skipped.is_last_resort),
            why: skipped.map(|skipped| skipped.why),
        }
    }
}
