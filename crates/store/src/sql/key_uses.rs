//! The minute in which each key was used last. Written along with usage records, once a minute and key, and never before an answer.

use domain::{KeyId, OrgId};
use hashbrown::HashMap;
use sqlx::QueryBuilder;

use super::value::IdBytes as _;
use super::{Connection, Dialect};
use crate::recorder::CountersOf;
use crate::{DatabaseFault, caps};

/// The minutes that this process has written.
#[derive(Debug, Default)]
pub(crate) struct KnownUses(HashMap<(OrgId, KeyId), i64>);

impl KnownUses {
    /// To be called where what was written may have come to nothing.
    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }

    /// The keys whose last minute is later than is known, which is known from now on.
    pub(crate) fn later<'a>(&mut self, of: impl Iterator<Item = &'a CountersOf>) -> Vec<((OrgId, KeyId), i64)> {
        let mut later: HashMap<(OrgId, KeyId), i64> = HashMap::new();
        for CountersOf { org, key, minute, .. } in of {
            let last = later.entry((*org, *key)).or_insert(*minute);
            *last = (*last).max(*minute);
        }
        later.retain(|of, minute| self.0.get(of).is_none_or(|known| *known < *minute));
        if self.0.len() + later.len() > caps::USES_KNOWN {
            self.0.clear();
        }
        self.0.extend(later.iter().map(|(of, minute)| (*of, *minute)));
        let mut later: Vec<_> = later.into_iter().collect();
        // In the order of the table, so that each of its pages is visited once.
        later.sort_unstable();
        later
    }
}

/// Writes the last minutes of some keys; what is there and later stays.
pub(crate) async fn put(connection: &mut Connection, uses: &[((OrgId, KeyId), i64)]) -> Result<(), DatabaseFault> {
    let mut builder = QueryBuilder::<Dialect>::new("INSERT INTO key_uses (org_id, key_id, minute) ");
    builder.push_values(uses, |mut row, ((org, key), minute)| {
        row.push_bind(org.bytes().to_vec()).push_bind(key.bytes().to_vec()).push_bind(*minute);
    });
    builder.push(" ON CONFLICT (org_id, key_id) DO UPDATE SET minute = excluded.minute WHERE excluded.minute > key_uses.minute");
    builder.build().execute(connection).await?;
    Ok(())
}
