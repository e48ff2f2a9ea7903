//! Checks of what callers give. It knows no database.

use domain::{
    Catalogue, CatalogueFault, CustomLimit, KeyLimits, ModelId, Plan, PlanId, Provider, ProviderKind, Selector, UnixMicros,
    checked_base_url, header_fault,
};
use secrecy::{ExposeSecret as _, SecretString};

use crate::caps;
use crate::definitions::Definitions;

/// The input is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InvalidInput {
    /// The member to blame, such as `limits[2].until`; empty where no single one is.
    pub param: String,
    /// What is wrong and what to do.
    pub message: String,
}

pub(crate) fn fault(param: impl Into<String>, message: impl Into<String>) -> InvalidInput {
    InvalidInput { param: param.into(), message: message.into() }
}

/// A name that people give, without white space around it.
pub(crate) fn name(param: &str, text: &str) -> Result<String, InvalidInput> {
    let text = text.trim();
    let sound = !text.is_empty() && text.chars().count() <= caps::MAX_NAME_CHARS && !text.chars().any(char::is_control);
    if sound { Ok(text.into()) } else { Err(fault(param, format!("{param} must have 1 to {} printable characters", caps::MAX_NAME_CHARS))) }
}

pub(crate) fn plan(catalogue: &Catalogue, id: &PlanId) -> Result<(), InvalidInput> {
    if catalogue.plan(id.as_str()).is_some() {
        return Ok(());
    }
    let known: Vec<_> = catalogue.plans().map(|plan| plan.id.as_str()).take(20).collect();
    Err(fault("plan", format!("there is no plan \"{id}\"; the plans are: {}", known.join(", "))))
}

/// The catalogue's id of a model that is named by it or by an alias.
fn model(catalogue: &Catalogue, param: String, name: &ModelId) -> Result<ModelId, InvalidInput> {
    if let Some(model) = catalogue.find(name.as_str()).and_then(|index| catalogue.model(index)) {
        return Ok(model.id.clone());
    }
    let near: Vec<_> = catalogue.near_misses(name.as_str()).iter().map(|id| format!("\"{id}\"")).collect();
    let hint = if near.is_empty() { String::new() } else { format!("; did you mean {}?", near.join(" or ")) };
    Err(fault(param, format!("there is no model \"{name}\"{hint}")))
}

/// Custom limits; `at` is the path of their list. Aliases become ids.
pub(crate) fn custom_limits(catalogue: &Catalogue, at: &str, mut limits: Vec<CustomLimit>) -> Result<Vec<CustomLimit>, InvalidInput> {
    if limits.len() > caps::MAX_CUSTOM_LIMITS {
        return Err(fault(
            at,
            format!("{} custom limits are more than the {} an organisation may have", limits.len(), caps::MAX_CUSTOM_LIMITS),
        ));
    }
    for (index, limit) in limits.iter_mut().enumerate() {
        custom_limit(catalogue, &format!("{at}[{index}]"), limit)?;
    }
    for (index, limit) in limits.iter().enumerate() {
        if let Some(other) = limits.iter().take(index).position(|earlier| overlap(earlier, limit)) {
            let message = format!(
                "rows {other} and {index} for {} are valid at the same time; let one end where the other begins",
                limit.row.selector
            );
            return Err(fault(format!("{at}[{index}]"), message));
        }
    }
    Ok(limits)
}

fn custom_limit(catalogue: &Catalogue, at: &str, limit: &mut CustomLimit) -> Result<(), InvalidInput> {
    if let Some(wrong) = limit.row.fault() {
        return Err(fault(at, wrong));
    }
    if let Selector::Model(id) = &mut limit.row.selector {
        *id = model(catalogue, format!("{at}.model"), id)?;
    }
    if let (Some(from), Some(until)) = (limit.from, limit.until)
        && until <= from
    {
        return Err(fault(format!("{at}.until"), format!("until {until} must lie after from {from}")));
    }
    if limit.reason.as_ref().is_some_and(|reason| reason.chars().count() > caps::MAX_REASON_CHARS) {
        return Err(fault(format!("{at}.reason"), format!("reason must have at most {} characters", caps::MAX_REASON_CHARS)));
    }
    Ok(())
}

fn overlap(a: &CustomLimit, b: &CustomLimit) -> bool {
    let begins_before_end = |x: &CustomLimit, y: &CustomLimit| x.from.zip(y.until).is_none_or(|(from, until)| from < until);
    a.row.selector == b.row.selector && begins_before_end(a, b) && begins_before_end(b, a)
}

/// A key's list of models; aliases become ids.
pub(crate) fn key_models(catalogue: &Catalogue, models: Vec<ModelId>) -> Result<Vec<ModelId>, InvalidInput> {
    if models.is_empty() || models.len() > caps::MAX_MODELS_PER_KEY {
        let message = format!("models must name 1 to {} models; leave it out to allow all of the plan", caps::MAX_MODELS_PER_KEY);
        return Err(fault("models", message));
    }
    let mut ids = Vec::with_capacity(models.len());
    for (index, name) in models.iter().enumerate() {
        let id = model(catalogue, format!("models[{index}]"), name)?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(ids)
}

pub(crate) fn key_limits(limits: KeyLimits) -> Result<(), InvalidInput> {
    for (param, n) in [("rpm", limits.rpm), ("tpm", limits.tpm)] {
        if n.is_some_and(|n| n > caps::MAX_KEY_LIMIT) {
            return Err(fault(param, format!("{param} is above the highest limit, {}", caps::MAX_KEY_LIMIT)));
        }
    }
    Ok(())
}

pub(crate) fn expires(expires: Option<UnixMicros>, now: UnixMicros) -> Result<(), InvalidInput> {
    match expires {
        Some(at) if at <= now => Err(fault("expires", format!("expires {at} is past; it is {now}"))),
        Some(_) | None => Ok(()),
    }
}

/// A provider with its address in its usual form.
pub(crate) fn provider(mut provider: Provider) -> Result<Provider, InvalidInput> {
    if provider.kind == ProviderKind::Demo {
        provider.base_url.clear();
    } else {
        let given = if provider.base_url.is_empty() { provider.kind.default_base_url().unwrap_or_default() } else { &provider.base_url };
        provider.base_url = checked_base_url(given).map_err(|wrong| fault("base_url", format!("base_url \"{given}\": {wrong}")))?;
    }
    for (param, seconds) in
        [("timeout_seconds", provider.timeout_seconds), ("first_byte_timeout_seconds", provider.first_byte_timeout_seconds)]
    {
        if seconds.is_some_and(|s| !(0.001..=86_400.0).contains(&s)) {
            return Err(fault(param, format!("{param} must lie between 0.001 and 86400")));
        }
    }
    for (header, value) in &provider.headers {
        if let Some(wrong) = header_fault(header, value) {
            return Err(fault(format!("headers.{header}"), format!("header \"{header}\" {wrong}")));
        }
    }
    Ok(provider)
}

/// A credential; `param` is the member that gives it.
pub(crate) fn credential(param: &str, secret: &SecretString) -> Result<(), InvalidInput> {
    let text = secret.expose_secret();
    let sound = !text.is_empty() && text.len() <= caps::MAX_CREDENTIAL_CHARS && text.bytes().all(|b| b.is_ascii_graphic());
    if sound { Ok(()) } else { Err(fault(param, "the provider's key must have 1 to 8192 printable ASCII characters and no white space")) }
}

pub(crate) fn plan_rows(plan: &Plan) -> Result<(), InvalidInput> {
    if plan.limits.len() > caps::MAX_ROWS_PER_PLAN {
        return Err(fault("limits", format!("a plan has at most {} limit rows", caps::MAX_ROWS_PER_PLAN)));
    }
    let wrong = plan.limits.iter().enumerate().find_map(|(index, row)| row.fault().map(|wrong| (index, wrong)));
    wrong.map_or(Ok(()), |(index, wrong)| Err(fault(format!("limits[{index}]"), wrong)))
}

/// What a change of definitions would break that was whole before: all of it in one fault, blamed on the first.
pub(crate) fn definitions(next: &Definitions, before: &Definitions) -> Result<(), InvalidInput> {
    let faults = next.new_faults(before);
    let Some(first) = faults.first() else { return Ok(()) };
    let param = match first {
        CatalogueFault::Twice { .. } | CatalogueFault::BadName { .. } => "",
        CatalogueFault::UnknownProvider { .. } => "targets",
        CatalogueFault::UnknownModel { .. } | CatalogueFault::TwoRows { .. } => "limits",
        CatalogueFault::NoCategory { .. } => "category",
    };
    let all: Vec<_> = faults.iter().map(ToString::to_string).collect();
    Err(fault(param, all.join("; ")))
}
