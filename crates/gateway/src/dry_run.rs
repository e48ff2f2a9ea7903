//! Where a request would go, and why not elsewhere, told to people. The rule is the one that requests follow; nothing is sent, begun or
//! taken from a quota.

use domain::{HoldPolicy, Now, RouteQuestion, RouteStep, SkipReason, Skipped, Why};

use crate::quota::{NoRoom, QuotaOf};
use crate::routes::{ModelRoute, TargetRoute};
use crate::routing::{Needs, Party, Skip, consider};
use crate::spend::{SpendGuard, price};

/// The targets in the order that these random bits draw.
pub(crate) fn dry_run(model: &ModelRoute, question: &RouteQuestion, random: u64, now: Now, spend: &SpendGuard) -> Vec<RouteStep> {
    let cost = price(&model.model, question.input_tokens, question.output_tokens);
    let tokens = question.input_tokens.saturating_add(question.output_tokens);
    let needs = Needs { features: question.features, tokens };
    let asked = Some(question.output_tokens).filter(|tokens| *tokens > 0);
    let held = model.model.output_to_hold(HoldPolicy::Learned, asked, |default| default);
    let step = |target: &TargetRoute| {
        let output = target.provider.provider.quota_hold.of(held, model.model.most_output(asked));
        let room = || target.quota.as_ref().map_or(Ok(()), |quota| quota.look(question.input_tokens, output, now.mono_us));
        let affords = || if spend.has_room_at(&target.provider.provider.name, cost) { Ok(()) } else { Err(Skip::Spent) };
        let looked = consider(target, &needs, || now.mono_us, |_| affords().and_then(|()| room().map_err(Skip::NoRoom)));
        RouteStep {
            provider: target.provider.provider.name.clone(),
            model: target.model.clone(),
            priority: target.priority,
            weight: target.weight,
            skipped: looked.err().map(|skip| skipped(skip, now)),
        }
    };
    model.order(random).into_iter().filter_map(|index| model.targets.get(index)).map(step).collect()
}

fn skipped(skip: Skip, now: Now) -> Skipped {
    let is_last_resort = skip.last_resort_us().is_some();
    let (reason, why, until_us) = match skip {
        Skip::Disabled => (SkipReason::Disabled, "its provider is disabled".into(), None),
        Skip::Draining => (SkipReason::Draining, "its provider is draining".into(), None),
        Skip::Spent => (SkipReason::Spent, "its provider's ceiling on the day's spend has no room".into(), None),
        Skip::Lacks(features) => (SkipReason::FeatureMissing, format!("it can't do what is needed: {features}"), None),
        Skip::TooLong { window } => {
            (SkipReason::ContextTooSmall, format!("it takes {window} tokens of input and output, and another target takes more"), None)
        }
        Skip::Resting { until_us, why, party } => {
            let reason = match why {
                Why::Cooling(_) => SkipReason::Cooling,
                Why::Open => SkipReason::CircuitOpen,
                Why::Probing => SkipReason::Probing,
            };
            let whose = match party {
                Party::Credential => "with every credential: ",
                Party::Target => "",
            };
            (reason, format!("{whose}{}", why.text()), Some(until_us))
        }
        Skip::NoRoom(NoRoom { of, at_us, lacks_tokens: _ }) => {
            let whose = match of {
                QuotaOf::Provider => "its provider's",
                QuotaOf::Target => "its own",
            };
            let never = if at_us.is_some() { "" } else { ", and never has for so many tokens" };
            (SkipReason::NoRoom, format!("{whose} quota has no room{never}"), at_us)
        }
    };
    Skipped { reason, why, until: until_us.map(|us| now.wall_at(us)), is_last_resort }
}
