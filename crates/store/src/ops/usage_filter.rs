//! Which requests a question about usage is about. It knows no span of time.

use domain::{Category, KeyId, Kind, ModelId, Outcome, ProviderName};
use sqlx::QueryBuilder;

use crate::recorder::{CountersOf, Ending};
use crate::sql::Dialect;
use crate::sql::value::IdBytes as _;

/// How requests ended that are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusFilter {
    /// Those that the client was sent this HTTP status for.
    Code(u16),
    /// Answered: 2xx, even if partly delivered.
    Answered,
    /// Refused by a limit.
    Refused,
    /// Admitted, and no answer.
    Failed,
}

/// Which requests; what is absent leaves all in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageFilter {
    /// Of this model of the catalogue.
    pub model: Option<ModelId>,
    /// By this API key.
    pub key: Option<KeyId>,
    /// Of a model of this category.
    pub category: Option<Category>,
    /// That this provider answered, or was tried last for.
    pub provider: Option<ProviderName>,
    /// That counted in this pool, or that it refused.
    pub pool: Option<String>,
    /// That a limit of this kind refused.
    pub limit_kind: Option<Kind>,
    /// That ended so.
    pub status: Option<StatusFilter>,
}

impl StatusFilter {
    fn admits(self, status: u16, ending: Ending) -> bool {
        match self {
            Self::Code(code) => status == code,
            Self::Answered => matches!(ending, Ending::Ended(outcome) if outcome.is_answered()),
            Self::Refused => ending == Ending::Refused,
            Self::Failed => matches!(ending, Ending::Ended(Outcome::Rejected | Outcome::Failed)),
        }
    }

    fn push(self, builder: &mut QueryBuilder<Dialect>) {
        if let Self::Code(code) = self {
            builder.push(" AND status = ").push_bind(i64::from(code));
            return;
        }
        // The status of those decides nothing.
        let names = Ending::ALL.into_iter().filter(|ending| self.admits(0, *ending)).map(|ending| format!("'{}'", ending.as_str()));
        builder.push(format!(" AND outcome IN ({})", names.collect::<Vec<_>>().join(", ")));
    }
}

impl UsageFilter {
    /// Conditions on rows of counters.
    pub(crate) fn push_for_counters(&self, builder: &mut QueryBuilder<Dialect>) {
        if let Some(key) = self.key {
            builder.push(" AND key_id = ").push_bind(key.bytes().to_vec());
        }
        if self.has_labels() {
            builder.push(" AND labels IN (SELECT id FROM counter_labels WHERE true");
            self.push_labels(builder);
            builder.push(")");
        }
    }

    /// The same on records and refusals under the counters' names.
    pub(crate) fn push_for_moments(&self, builder: &mut QueryBuilder<Dialect>) {
        if let Some(key) = self.key {
            builder.push(" AND key_id = ").push_bind(key.bytes().to_vec());
        }
        self.push_labels(builder);
    }

    /// The same on records with their labels.
    pub(crate) fn push_for_records(&self, builder: &mut QueryBuilder<Dialect>) {
        let of_records = Self { limit_kind: None, ..self.clone() };
        of_records.push_for_moments(builder);
        if self.limit_kind.is_some() {
            builder.push(" AND false");
        }
    }

    /// The same on refusals, which have neither provider nor status.
    pub(crate) fn push_for_refusals(&self, builder: &mut QueryBuilder<Dialect>) {
        let of_refusals = Self { limit_kind: None, provider: None, status: None, ..self.clone() };
        of_refusals.push_for_moments(builder);
        if let Some(kind) = self.limit_kind {
            builder.push(" AND kind = ").push_bind(kind.as_str());
        }
    }

    /// Whether refusals may be among what it asks for.
    pub(crate) fn admits_refusals(&self) -> bool {
        self.provider.is_none() && self.status.is_none_or(|status| status.admits(429, Ending::Refused))
    }

    fn has_labels(&self) -> bool {
        let Self { model, key: _, category, provider, pool, limit_kind, status } = self;
        limit_kind.is_some() || model.is_some() || category.is_some() || provider.is_some() || pool.is_some() || status.is_some()
    }

    fn push_labels(&self, builder: &mut QueryBuilder<Dialect>) {
        let Self { model, key: _, category, provider, pool, limit_kind, status } = self;
        let texts = [
            ("model", model.as_ref().map(ModelId::as_str)),
            ("category", category.map(Category::as_str)),
            ("provider", provider.as_ref().map(ProviderName::as_str)),
            ("pool", pool.as_deref()),
            ("limit_kind", limit_kind.map(Kind::as_str)),
        ];
        for (column, text) in texts {
            if let Some(text) = text {
                builder.push(format!(" AND {column} = ")).push_bind(text.to_owned());
            }
        }
        if let Some(status) = status {
            status.push(builder);
        }
    }

    /// Whether it asks for these counters.
    pub(crate) fn admits(&self, of: &CountersOf) -> bool {
        let Self { model, key, category, provider, pool, limit_kind, status } = self;
        let labels = &of.labels;
        model.as_ref().is_none_or(|model| *model == labels.model)
            && key.is_none_or(|key| key == of.key)
            && category.is_none_or(|category| Some(category) == labels.category)
            && provider.as_ref().is_none_or(|provider| Some(provider) == labels.provider.as_ref())
            && pool.as_deref().is_none_or(|pool| *pool == *labels.pool)
            && limit_kind.is_none_or(|kind| Some(kind) == labels.limit_kind)
            && status.is_none_or(|status| status.admits(labels.status, labels.ending))
    }
}
