//! What many counters have in common, written once: a counter has its number. It knows no batch.

use domain::Kind;
use hashbrown::HashMap;
use sqlx::query::QueryScalar;

use super::labels::{category, provider};
use super::{Connection, Dialect};
use crate::recorder::CounterLabels;
use crate::{DatabaseFault, caps};

/// The numbers of labels that this process has met.
#[derive(Debug, Default)]
pub(crate) struct KnownCounterLabels(HashMap<CounterLabels, i64>);

impl KnownCounterLabels {
    /// To be called where what was written along with a number may have come to nothing.
    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }

    /// The number of these labels, which are written where they are new.
    pub(crate) async fn number_of(&mut self, connection: &mut Connection, labels: &CounterLabels) -> Result<i64, DatabaseFault> {
        if let Some(number) = self.0.get(labels) {
            return Ok(*number);
        }
        let number = match find(connection, labels).await? {
            Some(number) => number,
            None => add(connection, labels).await?,
        };
        if self.0.len() >= caps::LABELS_KNOWN {
            self.0.clear();
        }
        self.0.insert(labels.clone(), number);
        Ok(number)
    }
}

type Arguments = <Dialect as sqlx::Database>::Arguments;

/// A statement about labels, which takes them in the order of their key.
fn about<'q>(sql: &'static str, labels: &'q CounterLabels) -> QueryScalar<'q, Dialect, i64, Arguments> {
    sqlx::query_scalar(sql)
        .bind(labels.model.as_str())
        .bind(labels.plan.as_str())
        .bind(category(labels.category))
        .bind(provider(labels.provider.as_ref()))
        .bind(i64::from(labels.status))
        .bind(labels.ending.as_str())
        .bind(&*labels.pool)
        .bind(labels.limit_kind.map_or("", Kind::as_str))
}

async fn find(connection: &mut Connection, labels: &CounterLabels) -> Result<Option<i64>, DatabaseFault> {
    let sql = "SELECT id FROM counter_labels WHERE model = $1 AND plan = $2 AND category = $3 AND provider = $4 AND status = $5 AND outcome = $6 \
               AND pool = $7 AND limit_kind = $8";
    Ok(about(sql, labels).fetch_optional(connection).await?)
}

async fn add(connection: &mut Connection, labels: &CounterLabels) -> Result<i64, DatabaseFault> {
    let sql = "INSERT INTO counter_labels (model, plan, category, provider, status, outcome, pool, limit_kind) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id";
    Ok(about(sql, labels).fetch_one(connection).await?)
}
