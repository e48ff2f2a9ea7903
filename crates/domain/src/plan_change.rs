//! What another plan would change: every limit that rises or falls, as plainly the one as the other. It knows no money and no date.

use std::collections::BTreeSet;

use crate::{Catalogue, LimitRow, Plan, Selector};

/// What a limit is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limited {
    /// Whether it may be used at all, where no number of it is limited.
    Use,
    /// Requests a minute.
    Rpm,
    /// Tokens a minute.
    Tpm,
    /// Requests a day.
    Rpd,
    /// Tokens a day.
    Tpd,
    /// Requests in progress at once.
    Concurrent,
}

/// How much of something a plan allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Allowed {
    /// It is not in the plan.
    Nothing,
    /// So much.
    UpTo(u64),
    /// Any amount.
    Unlimited,
}

/// One limit before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitChange {
    /// The models it is about.
    pub selector: Selector,
    /// What is limited.
    pub limited: Limited,
    /// How much until now.
    pub before: Allowed,
    /// How much from then on.
    pub after: Allowed,
}

/// Every limit that another plan would change, in the order of their selectors. Where one plan names a model and the other its category
/// only, the category's row is what the model gets there.
pub fn limit_changes(catalogue: &Catalogue, before: &Plan, after: &Plan) -> Vec<LimitChange> {
    let selectors: BTreeSet<&Selector> = before.limits.iter().chain(&after.limits).map(|row| &row.selector).collect();
    let mut changes = Vec::new();
    for selector in selectors {
        let (old, new) = (row_of(catalogue, before, selector), row_of(catalogue, after, selector));
        let numbers = [Limited::Rpm, Limited::Tpm, Limited::Rpd, Limited::Tpd, Limited::Concurrent];
        let all = numbers.into_iter().map(|limited| (limited, allowed(old, limited), allowed(new, limited)));
        let known = changes.len();
        changes.extend(
            all.filter(|(_, before, after)| before != after)
                .filter(|(_, before, after)| is_told(*before, *after))
                .map(|(limited, before, after)| LimitChange { selector: selector.clone(), limited, before, after }),
        );
        if changes.len() == known && old.is_some() != new.is_some() {
            let whether = |row: Option<&LimitRow>| row.map_or(Allowed::Nothing, |_| Allowed::Unlimited);
            changes.push(LimitChange { selector: selector.clone(), limited: Limited::Use, before: whether(old), after: whether(new) });
        }
    }
    changes
}

/// A row that comes or goes is told by the numbers that it has.
fn is_told(before: Allowed, after: Allowed) -> bool {
    !matches!((before, after), (Allowed::Nothing, Allowed::Unlimited) | (Allowed::Unlimited, Allowed::Nothing))
}

/// The row that a plan has for these models: their own, else their category's, else that of any other model.
fn row_of<'a>(catalogue: &Catalogue, plan: &'a Plan, selector: &Selector) -> Option<&'a LimitRow> {
    let exactly = |selector: &Selector| plan.limits.iter().find(|row| row.selector == *selector);
    let category = match selector {
        Selector::Model(id) => catalogue.find(id.as_str()).and_then(|index| catalogue.model(index)).and_then(|model| model.size_category()),
        Selector::Category(_) | Selector::Any => None,
    };
    exactly(selector).or_else(|| exactly(&Selector::Category(category?))).or_else(|| exactly(&Selector::Any))
}

fn allowed(row: Option<&LimitRow>, limited: Limited) -> Allowed {
    let Some(row) = row else { return Allowed::Nothing };
    let number = match limited {
        Limited::Use => None,
        Limited::Rpm => row.rpm,
        Limited::Tpm => row.tpm,
        Limited::Rpd => row.rpd,
        Limited::Tpd => row.tpd,
        Limited::Concurrent => row.concurrent,
    };
    number.map_or(Allowed::Unlimited, Allowed::UpTo)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Model;

    fn catalogue() -> Catalogue {
        let model = |text: &str| serde_json::from_str::<Model>(text).unwrap();
        let models = vec![model(r#"{"id": "coder", "category": "medium"}"#), model(r#"{"id": "tiny", "parameters_b": 1}"#)];
        Catalogue::build(Vec::new(), models, Vec::new(), 60_000_000)
    }

    fn plan(limits: &str) -> Plan {
        serde_json::from_str(&format!(r#"{{"id": "p", "limits": {limits}}}"#)).unwrap()
    }

    fn told(before: &str, after: &str) -> Vec<String> {
        let changes = limit_changes(&catalogue(), &plan(before), &plan(after));
        let word = |allowed| match allowed {
            Allowed::Nothing => "nothing".into(),
            Allowed::UpTo(n) => n.to_string(),
            Allowed::Unlimited => "unlimited".to_owned(),
        };
        changes.iter().map(|c| format!("{} {:?} {} -> {}", c.selector, c.limited, word(c.before), word(c.after))).collect()
    }

    #[test]
    fn an_upgrade_tells_what_falls_as_plainly_as_what_rises() {
        let free = r#"[{"model": "coder", "rpm": 50, "tpm": 300000}]"#;
        let starter = r#"[{"category": "small", "rpm": 180, "tpm": 120000}, {"category": "medium", "rpm": 90, "tpm": 60000}]"#;
        assert_eq!(
            told(free, starter),
            [
                "model:coder Rpm 50 -> 90",
                "model:coder Tpm 300000 -> 60000",
                "category:small Rpm nothing -> 180",
                "category:small Tpm nothing -> 120000",
                "category:medium Rpm nothing -> 90",
                "category:medium Tpm nothing -> 60000",
            ]
        );
        assert_eq!(told(free, free), Vec::<String>::new());
    }

    #[test]
    fn any_stands_in_for_what_is_not_named_and_absent_numbers_are_unlimited() {
        assert_eq!(
            told(r#"[{"any": true, "rpm": 10}]"#, r#"[{"category": "small", "rpm": 20, "concurrent": 2}]"#),
            ["category:small Rpm 10 -> 20", "category:small Concurrent unlimited -> 2", "any Rpm 10 -> nothing"]
        );
        assert_eq!(told("[]", r#"[{"any": true}]"#), ["any Use nothing -> unlimited"]);
        assert_eq!(told(r#"[{"any": true}]"#, "[]"), ["any Use unlimited -> nothing"]);
    }
}
