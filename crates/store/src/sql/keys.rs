//! The API keys' table.

use domain::{ApiKeyHash, Key, KeyId, KeyLimits, ModelId, OrgId, RateLimitBody, UnixMicros};
use serde::{Deserialize, Serialize};
use sqlx::Row as _;

use super::value::{self, IdBytes as _};
use super::{Connection, Pool, Row};
use crate::DatabaseFault;

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
}

impl Options {
    fn of(key: &Key) -> Option<Self> {
        let KeyLimits { rpm, tpm } = key.limits;
        let plain = key.models.is_none() && rpm.is_none() && tpm.is_none() && key.rate_limit_body.is_none();
        (!plain).then(|| Self { models: key.models.clone(), rpm, tpm, rate_limit_body: key.rate_limit_body })
    }

    pub(crate) fn limits(&self) -> KeyLimits {
        KeyLimits { rpm: self.rpm, tpm: self.tpm }
    }
}

pub(crate) async fn insert(connection: &mut Connection, key: &Key) -> Result<(), DatabaseFault> {
    sqlx::query(
        "INSERT INTO api_keys (org_id, id, hash, name, prefix, expires, revoked, options, created) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
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
    .execute(connection)
    .await?;
    Ok(())
}

pub(crate) async fn revoke(connection: &mut Connection, org: OrgId, id: KeyId, at: UnixMicros) -> Result<(), DatabaseFault> {
    sqlx::query("UPDATE api_keys SET revoked = $3 WHERE org_id = $1 AND id = $2 AND revoked IS NULL")
        .bind(org.bytes().as_slice())
        .bind(id.bytes().as_slice())
        .bind(at.0)
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

pub(crate) async fn get(connection: &mut Connection, org: OrgId, id: KeyId) -> Result<Option<Key>, DatabaseFault> {
    let row = sqlx::query(
        "SELECT org_id, id, hash, name, prefix, expires, revoked, options, created FROM api_keys WHERE org_id = $1 AND id = $2",
    )
    .bind(org.bytes().as_slice())
    .bind(id.bytes().as_slice())
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(key).transpose()
}

/// Oldest first, after `after`.
pub(crate) async fn page(pool: &Pool, org: OrgId, after: Option<KeyId>, most: usize) -> Result<Vec<Key>, DatabaseFault> {
    let rows = sqlx::query(
        "SELECT org_id, id, hash, name, prefix, expires, revoked, options, created FROM api_keys \
         WHERE org_id = $1 AND id > $2 ORDER BY id LIMIT $3",
    )
    .bind(org.bytes().as_slice())
    .bind(after.map(|id| id.bytes().to_vec()).unwrap_or_default())
    .bind(value::int(most as u64))
    .fetch_all(pool)
    .await?;
    rows.iter().map(key).collect()
}

fn key(row: &Row) -> Result<Key, DatabaseFault> {
    let options: Options = value::json_if_any(row, "options")?.unwrap_or_default();
    Ok(Key {
        id: KeyId::from_bits(value::id_bits(row, "id")?),
        org: OrgId::from_bits(value::id_bits(row, "org_id")?),
        name: row.try_get("name")?,
        hash: hash(row.try_get("hash")?)?,
        prefix: row.try_get("prefix")?,
        expires: value::time_if_any(row, "expires")?,
        revoked: value::time_if_any(row, "revoked")?,
        limits: options.limits(),
        models: options.models,
        rate_limit_body: options.rate_limit_body,
        created: value::time(row, "created")?,
    })
}

fn hash(bytes: &[u8]) -> Result<ApiKeyHash, DatabaseFault> {
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

/// What `loaded` reads, of all keys, those of one organisation together.
pub(crate) const ALL: &str = "SELECT org_id, id, hash, expires, revoked, options FROM api_keys ORDER BY org_id";

/// By place and not by name: it runs a million times at start.
pub(crate) fn loaded(row: &Row) -> Result<Loaded, DatabaseFault> {
    let id = |place: usize| -> Result<u128, DatabaseFault> {
        let bytes: &[u8] = row.try_get(place)?;
        bytes.try_into().map(u128::from_be_bytes).map_err(|_| value::unreadable("id", "expected 16 bytes"))
    };
    let options: Option<&str> = row.try_get(5)?;
    Ok(Loaded {
        org: OrgId::from_bits(id(0)?),
        id: KeyId::from_bits(id(1)?),
        hash: hash(row.try_get(2)?)?,
        expires: row.try_get::<Option<i64>, _>(3)?.map(UnixMicros),
        revoked: row.try_get::<Option<i64>, _>(4)?.map(UnixMicros),
        options: options.map(serde_json::from_str).transpose().map_err(|fault| value::unreadable("options", fault))?,
    })
}
