//! What many usage records have in common, written once: a record has its number. It knows no batch.

use std::sync::Arc;

use domain::{Category, Counted, Endpoint, ModelId, Outcome, PlanId, ProviderName, UsageRecord};
use hashbrown::HashMap;
use sqlx::query::QueryScalar;

use super::{Connection, Dialect};
use crate::{DatabaseFault, caps};

/// The words and codes of a record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Labels {
    plan: PlanId,
    model: ModelId,
    category: Option<Category>,
    pool: Arc<str>,
    provider: Option<ProviderName>,
    endpoint: Endpoint,
    streamed: bool,
    status: u16,
    outcome: Outcome,
    counted: Counted,
}

/// The numbers of labels that this process has met.
#[derive(Debug, Default)]
pub(crate) struct KnownLabels(HashMap<Labels, i64>);

impl KnownLabels {
    /// To be called where what was written along with a number may have come to nothing.
    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }

    /// The number of this record's labels, which are written where they are new.
    pub(crate) async fn number_of(&mut self, connection: &mut Connection, record: &UsageRecord) -> Result<i64, DatabaseFault> {
        let labels = Labels {
            plan: record.plan.clone(),
            model: record.model.clone(),
            category: record.category,
            pool: Arc::clone(&record.pool),
            provider: record.provider.clone(),
            endpoint: record.endpoint,
            streamed: record.stream,
            status: record.status,
            outcome: record.outcome,
            counted: record.counted,
        };
        if let Some(number) = self.0.get(&labels) {
            return Ok(*number);
        }
        let number = match find(connection, &labels).await? {
            Some(number) => number,
            None => add(connection, &labels).await?,
        };
        if self.0.len() >= caps::LABELS_KNOWN {
            self.0.clear();
        }
        self.0.insert(labels, number);
        Ok(number)
    }
}

/// The value of a column in which nothing stands for none.
pub(super) fn category(category: Option<Category>) -> &'static str {
    category.map_or("", Category::as_str)
}

/// The same.
pub(super) fn provider(provider: Option<&ProviderName>) -> &str {
    provider.map_or("", ProviderName::as_str)
}

type Arguments = <Dialect as sqlx::Database>::Arguments;

/// A statement about labels, which takes them in the order of their key.
fn about<'q>(sql: &'static str, labels: &'q Labels) -> QueryScalar<'q, Dialect, i64, Arguments> {
    sqlx::query_scalar(sql)
        .bind(labels.model.as_str())
        .bind(labels.plan.as_str())
        .bind(category(labels.category))
        .bind(&*labels.pool)
        .bind(provider(labels.provider.as_ref()))
        .bind(labels.endpoint.as_str())
        .bind(i64::from(labels.streamed))
        .bind(i64::from(labels.status))
        .bind(labels.outcome.as_str())
        .bind(i64::from(labels.outcome.is_answered()))
        .bind(labels.counted.as_str())
}

async fn find(connection: &mut Connection, labels: &Labels) -> Result<Option<i64>, DatabaseFault> {
    let sql = "SELECT id FROM usage_labels WHERE model = $1 AND plan = $2 AND category = $3 AND pool = $4 AND provider = $5 AND endpoint = $6 \
               AND streamed = $7 AND status = $8 AND outcome = $9 AND answered = $10 AND counted = $11";
    Ok(about(sql, labels).fetch_optional(connection).await?)
}

async fn add(connection: &mut Connection, labels: &Labels) -> Result<i64, DatabaseFault> {
    let sql = "INSERT INTO usage_labels (model, plan, category, pool, provider, endpoint, streamed, status, outcome, answered, counted) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING id";
    Ok(about(sql, labels).fetch_one(connection).await?)
}
