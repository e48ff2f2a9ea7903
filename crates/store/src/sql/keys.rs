//! The API keys' table.

use domain::{ApiKeyHash, Key, KeyId, KeyLimits, ModelId, OrgId, RateLimitBody, UnixMicros};
use futures_util::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, Row as _};

use super::value::{self, IdBytes as _};
use super::{Connection, Pool, Row};
use crate::{Actor, DatabaseFault, KeyInfo};

/// What few keys have, as JSON keeps it.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Options {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) models: Option<Vec<ModelId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rpm: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tpm: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rate_limit_body: Option<RateLimitBody>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) disabled: bool,
}

impl Options {
    fn of(key: &Key) -> Option<Self> {
        let KeyLimits { rpm, tpm } = key.limits;
        let plain = key.models.is_none() && rpm.is_none() && tpm.is_none() && key.rate_limit_body.is_none() && !key.disabled;
        let Key { models, rate_limit_body, disabled, .. } = key;
        (!plain).then(|| Self { models: models.clone(), rpm, tpm, rate_limit_body: *rate_limit_body, disabled: *disabled })
    }

    pub(crate) fn limits(&self) -> KeyLimits {
        KeyLimits { rpm: self.rpm, tpm: self.tpm }
    }
}

pub(crate) async fn insert(connection: &mut Connection, key: &Key, made_by: Actor) -> Result<(), DatabaseFault> {
    sqlx::query(
        "INSERT INTO api_keys (org_id, id, hash, name, prefix, expires, revoked, options, created, made_by) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(key.org.bytes().as_slice())
    .bind(key.id.bytes().as_slice())
    .bind(key.hash.0.as_slice())
    .bind(&key.name)
    .bind(&key.prefix)
    .bind(key.expires.map(|at| at.0))
    .bind(key.revoked.map(|at| at.0))
    .bind(Options::of(key).map(|options| value::to_json(&options)))
    .bind(key.created.0)
    .bind(made_by.to_string())
    .execute(connection)
    .await?;
    Ok(())
}

/// Writes what can change of a key.
pub(crate) async fn update(connection: &mut Connection, key: &Key) -> Result<(), DatabaseFault> {
    sqlx::query("UPDATE api_keys SET expires = $3, revoked = $4, options = $5 WHERE org_id = $1 AND id = $2")
        .bind(key.org.bytes().as_slice())
        .bind(key.id.bytes().as_slice())
        .bind(key.expires.map(|at| at.0))
        .bind(key.revoked.map(|at| at.0))
        .bind(Options::of(key).map(|options| value::to_json(&options)))
        .execute(connection)
        .await?;
    Ok(())
}

/// Keys that are neither revoked nor expired.
pub(crate) async fn count_valid(connection: &mut Connection, org: OrgId, now: UnixMicros) -> Result<u64, DatabaseFault> {
    let row = sqlx::query("SELECT COUNT(*) AS n FROM api_keys WHERE org_id = $1 AND revoked IS NULL AND (expires IS NULL OR expires > $2)")
        .bind(org.bytes().as_slice())
        .bind(now.0)
        .fetch_one(connection)
        .await?;
    value::count(&row, "n")
}

pub(crate) async fn get(connection: &mut Connection, org: OrgId, id: KeyId) -> Result<Option<KeyInfo>, DatabaseFault> {
    let row = sqlx::query(
        "SELECT api_keys.org_id, id, hash, name, prefix, expires, revoked, options, created, made_by, minute FROM api_keys \
         LEFT JOIN key_uses ON key_uses.org_id = api_keys.org_id AND key_id = id WHERE api_keys.org_id = $1 AND id = $2",
    )
    .bind(org.bytes().as_slice())
    .bind(id.bytes().as_slice())
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(info).transpose()
}

/// Oldest first, after `after`.
pub(crate) async fn page(pool: &Pool, org: OrgId, after: Option<KeyId>, most: usize) -> Result<Vec<KeyInfo>, DatabaseFault> {
    let rows = sqlx::query(
        "SELECT api_keys.org_id, id, hash, name, prefix, expires, revoked, options, created, made_by, minute FROM api_keys \
         LEFT JOIN key_uses ON key_uses.org_id = api_keys.org_id AND key_id = id \
         WHERE api_keys.org_id = $1 AND id > $2 ORDER BY id LIMIT $3",
    )
    .bind(org.bytes().as_slice())
    .bind(after.map(|id| id.bytes().to_vec()).unwrap_or_default())
    .bind(value::int(most as u64))
    .fetch_all(pool)
    .await?;
    rows.iter().map(info).collect()
}

fn info(row: &Row) -> Result<KeyInfo, DatabaseFault> {
    let made_by: Option<&str> = row.try_get("made_by")?;
    let minute: Option<i64> = row.try_get("minute")?;
    Ok(KeyInfo {
        key: key(row)?,
        made_by: made_by.map(|text| Actor::of_str(text).ok_or_else(|| value::unreadable("made_by", text))).transpose()?,
        last_used: minute.map(|minute| UnixMicros(minute.saturating_mul(60_000_000))),
    })
}

fn key(row: &Row) -> Result<Key, DatabaseFault> {
    let options: Options = value::json_if_any(row, "options")?.unwrap_or_default();
    Ok(Key {
        id: KeyId::from_bits(value::id_bits(row, "id")?),
        org: OrgId::from_bits(value::id_bits(row, "org_id")?),
        name: row.try_get("name")?,
        hash: hash_of(row.try_get("hash")?)?,
        prefix: row.try_get("prefix")?,
        expires: value::time_if_any(row, "expires")?,
        revoked: value::time_if_any(row, "revoked")?,
        limits: options.limits(),
        disabled: options.disabled,
        models: options.models,
        rate_limit_body: options.rate_limit_body,
        created: value::time(row, "created")?,
    })
}

fn hash_of(bytes: &[u8]) -> Result<ApiKeyHash, DatabaseFault> {
    bytes.try_into().map(ApiKeyHash).map_err(|_| value::unreadable("hash", "expected 32 bytes"))
}

/// A key as the directory needs it.
pub(crate) struct Loaded {
    pub(crate) org: OrgId,
    pub(crate) id: KeyId,
    pub(crate) hash: ApiKeyHash,
    pub(crate) expires: Option<UnixMicros>,
    pub(crate) revoked: Option<UnixMicros>,
    pub(crate) options: Option<Options>,
}

pub(crate) async fn count(connection: &mut Connection) -> Result<usize, DatabaseFault> {
    let row = sqlx::query("SELECT COUNT(*) AS n FROM api_keys").fetch_one(connection).await?;
    Ok(usize::try_from(value::count(&row, "n")?).unwrap_or(usize::MAX))
}

/// Calls `each` with every key, those of an organisation with options one after the other. Those without options come packed, a row an organisation: there may be a million, and a row
/// costs more than what is in it.
pub(crate) async fn for_each(connection: &mut Connection, mut each: impl FnMut(Loaded)) -> Result<(), DatabaseFault> {
    let (id, hash) = (super::hex("id"), super::hex("hash"));
    let packed = format!(
        "SELECT org_id, string_agg({id} || {hash} || ',' || COALESCE(CAST(expires AS TEXT), '') || ',' \
         || COALESCE(CAST(revoked AS TEXT), ''), ';') AS packed FROM api_keys WHERE options IS NULL GROUP BY org_id"
    );
    let mut rows = sqlx::query(AssertSqlSafe(packed)).fetch(&mut *connection);
    while let Some(row) = rows.try_next().await? {
        let org = OrgId::from_bits(value::id_bits(&row, "org_id")?);
        for key in row.try_get::<&str, _>("packed")?.split(';') {
            each(unpacked(org, key).ok_or_else(|| value::unreadable("packed", key))?);
        }
    }
    drop(rows);
    let mut rows =
        sqlx::query("SELECT org_id, id, hash, expires, revoked, options FROM api_keys WHERE options IS NOT NULL ORDER BY org_id")
            .fetch(connection);
    while let Some(row) = rows.try_next().await? {
        each(Loaded {
            org: OrgId::from_bits(value::id_bits(&row, "org_id")?),
            id: KeyId::from_bits(value::id_bits(&row, "id")?),
            hash: hash_of(row.try_get("hash")?)?,
            expires: value::time_if_any(&row, "expires")?,
            revoked: value::time_if_any(&row, "revoked")?,
            options: value::json_if_any(&row, "options")?,
        });
    }
    Ok(())
}

/// The key in `IDHASH,expires,revoked`, the first two in hexadecimal.
fn unpacked(org: OrgId, text: &str) -> Option<Loaded> {
    let (ids, times) = text.split_once(',')?;
    let (expires, revoked) = times.split_once(',')?;
    let (id, hash) = ids.split_at_checked(32)?;
    let moment = |text: &str| -> Option<Option<UnixMicros>> {
        if text.is_empty() { Some(None) } else { Some(Some(UnixMicros(text.parse().ok()?))) }
    };
    Some(Loaded {
        org,
        id: KeyId::from_bits(u128::from_be_bytes(bytes_of_hex(id)?)),
        hash: ApiKeyHash(bytes_of_hex(hash)?),
        expires: moment(expires)?,
        revoked: moment(revoked)?,
        options: None,
    })
}

fn bytes_of_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sql::migrate::{MIGRATIONS, migrate};
    use crate::sql::{Database, orgs};

    #[tokio::test]
    async fn revoked_and_expired_keys_do_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("test.db");
        std::fs::File::create(&file).unwrap();
        let database = Database::connect(&file, Duration::from_secs(1)).await.unwrap();
        migrate(&database, MIGRATIONS, UnixMicros(1)).await.unwrap();
        let mut transaction = database.begin().await.unwrap();
        let org = domain::Org {
            id: OrgId::from_bits(1),
            name: "o".into(),
            plan: "p".into(),
            effective_plan: "p".into(),
            custom: Vec::new(),
            created: UnixMicros(1),
        };
        orgs::insert(&mut transaction, &org).await.unwrap();
        let at = |us| Some(UnixMicros(us));
        for (id, expires, revoked) in [(1, None, None), (2, at(11), None), (3, at(10), None), (4, None, at(3)), (5, at(99), at(3))] {
            let key = Key {
                id: KeyId::from_bits(id),
                org: org.id,
                name: "k".into(),
                hash: ApiKeyHash([7; 32]),
                prefix: "tg_".into(),
                expires,
                models: None,
                limits: KeyLimits::default(),
                rate_limit_body: None,
                created: UnixMicros(1),
                revoked,
                disabled: false,
            };
            insert(&mut transaction, &key, Actor::Operator).await.unwrap();
        }
        assert_eq!(count_valid(&mut transaction, org.id, UnixMicros(10)).await.unwrap(), 2);
        assert_eq!(count_valid(&mut transaction, OrgId::from_bits(2), UnixMicros(10)).await.unwrap(), 0);
    }

    #[test]
    fn a_packed_key_unpacks_or_is_refused() {
        let org = OrgId::from_bits(5);
        let packed = format!("{:032X}{},12,", 9, "0A".repeat(32));
        let key = unpacked(org, &packed).unwrap();
        assert_eq!((key.id, key.hash, key.expires, key.revoked), (KeyId::from_bits(9), ApiKeyHash([10; 32]), Some(UnixMicros(12)), None));
        for bad in
            ["", ",", ",,", &packed[1..], &packed[..90], &packed.replace('A', "G"), &packed.replace("12", "x"), &packed.replace('0', "é")]
        {
            assert!(unpacked(org, bad).is_none(), "{bad}");
        }
    }
}
