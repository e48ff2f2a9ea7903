//! How values of the domain are kept in columns, and read back.

use domain::{
    CheckoutId, IdentityId, InvoiceId, KeyId, LinkId, OrgId, PaymentId, PersonId, PlanRequestId, RequestId, SessionId, UnixMicros,
};
use sqlx::{Row as _, ValueRef as _};

use super::Row;
use crate::DatabaseFault;

/// A column holds what this Tidegate can't read.
#[derive(Debug, thiserror::Error)]
#[error("column {column}: {detail}")]
struct Unreadable {
    column: String,
    detail: String,
}

/// The error of a column whose value makes no sense.
pub(crate) fn unreadable(column: &str, detail: impl std::fmt::Display) -> DatabaseFault {
    sqlx::Error::Decode(Box::new(Unreadable { column: column.into(), detail: detail.to_string() })).into()
}

pub(crate) fn int(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

pub(crate) fn count(row: &Row, column: &str) -> Result<u64, DatabaseFault> {
    let n: i64 = row.try_get(column)?;
    Ok(u64::try_from(n).unwrap_or(0))
}

/// The 16 bytes of an id, most significant first, so that they sort by time.
pub(crate) trait IdBytes {
    fn bytes(self) -> [u8; 16];
}

macro_rules! id_bytes {
    ($($id:ty)*) => {
        $(impl IdBytes for $id {
            fn bytes(self) -> [u8; 16] {
                self.bits().to_be_bytes()
            }
        })*
    };
}

id_bytes! { OrgId KeyId RequestId PersonId SessionId LinkId IdentityId PlanRequestId CheckoutId InvoiceId PaymentId }

pub(crate) fn id_bits(row: &Row, column: &str) -> Result<u128, DatabaseFault> {
    let bytes: &[u8] = row.try_get(column)?;
    let bytes = bytes.try_into().map_err(|_| unreadable(column, "expected 16 bytes"))?;
    Ok(u128::from_be_bytes(bytes))
}

pub(crate) fn time(row: &Row, column: &str) -> Result<UnixMicros, DatabaseFault> {
    Ok(UnixMicros(row.try_get(column)?))
}

pub(crate) fn time_if_any(row: &Row, column: &str) -> Result<Option<UnixMicros>, DatabaseFault> {
    Ok(row.try_get::<Option<i64>, _>(column)?.map(UnixMicros))
}

/// JSON in a text column.
pub(crate) fn json<T: serde::de::DeserializeOwned>(row: &Row, column: &str) -> Result<T, DatabaseFault> {
    let text: &str = row.try_get(column)?;
    serde_json::from_str(text).map_err(|fault| unreadable(column, fault))
}

/// JSON in a text column that may be absent.
pub(crate) fn json_if_any<T: serde::de::DeserializeOwned>(row: &Row, column: &str) -> Result<Option<T>, DatabaseFault> {
    if row.try_get_raw(column)?.is_null() { Ok(None) } else { json(row, column).map(Some) }
}

/// JSON for a text column. Our own types always have one.
pub(crate) fn to_json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".into())
}
