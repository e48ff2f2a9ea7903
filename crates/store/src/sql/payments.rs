//! The tables of what was asked of whoever charges, of who organisations are there, and of what was told from there.

use domain::{CheckoutId, Money, OrgId, PaymentId, UnixMicros};
use sqlx::Row as _;

use super::value::{self, IdBytes as _};
use super::{Connection, Pool, Row};
use crate::{DatabaseFault, DisputeState, Payment, PaymentState, Way};

const COLUMNS: &str = "id, org_id, checkout, way, amount, state, page, charge, created, look_at, refunded, dispute";

pub(crate) async fn insert(connection: &mut Connection, payment: &Payment) -> Result<(), DatabaseFault> {
    let text = format!("INSERT INTO payments ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)");
    sqlx::query(sqlx::AssertSqlSafe(text))
        .bind(payment.id.bytes().to_vec())
        .bind(payment.org.bytes().to_vec())
        .bind(payment.checkout.bytes().to_vec())
        .bind(payment.way.as_str())
        .bind(payment.amount.0)
        .bind(payment.state.as_str())
        .bind(payment.page.as_deref())
        .bind(payment.charge.as_deref())
        .bind(payment.created.0)
        .bind(payment.look_at.map(|at| at.0))
        .bind(payment.refunded.0)
        .bind(payment.dispute.map(DisputeState::as_str))
        .execute(connection)
        .await?;
    Ok(())
}

/// Writes what may change of a payment.
pub(crate) async fn update(connection: &mut Connection, payment: &Payment) -> Result<(), DatabaseFault> {
    sqlx::query("UPDATE payments SET state = $1, page = $2, charge = $3, look_at = $4, refunded = $5, dispute = $6 WHERE id = $7")
        .bind(payment.state.as_str())
        .bind(payment.page.as_deref())
        .bind(payment.charge.as_deref())
        .bind(payment.look_at.map(|at| at.0))
        .bind(payment.refunded.0)
        .bind(payment.dispute.map(DisputeState::as_str))
        .bind(payment.id.bytes().to_vec())
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) async fn get(connection: &mut Connection, id: PaymentId) -> Result<Option<Payment>, DatabaseFault> {
    let text = format!("SELECT {COLUMNS} FROM payments WHERE id = $1");
    let query = sqlx::query(sqlx::AssertSqlSafe(text)).bind(id.bytes().to_vec());
    query.fetch_optional(connection).await?.as_ref().map(payment_of).transpose()
}

/// The last that was asked for a checkout in this way.
pub(crate) async fn of_checkout(connection: &mut Connection, checkout: CheckoutId, way: Way) -> Result<Option<Payment>, DatabaseFault> {
    let text = format!("SELECT {COLUMNS} FROM payments WHERE checkout = $1 AND way = $2 ORDER BY id DESC LIMIT 1");
    let query = sqlx::query(sqlx::AssertSqlSafe(text)).bind(checkout.bytes().to_vec()).bind(way.as_str());
    query.fetch_optional(connection).await?.as_ref().map(payment_of).transpose()
}

/// The one that whoever charges calls so.
pub(crate) async fn of_charge(connection: &mut Connection, charge: &str) -> Result<Option<Payment>, DatabaseFault> {
    let text = format!("SELECT {COLUMNS} FROM payments WHERE charge = $1");
    let query = sqlx::query(sqlx::AssertSqlSafe(text)).bind(charge.to_owned());
    query.fetch_optional(connection).await?.as_ref().map(payment_of).transpose()
}

/// How the dispute about a payment stands, from its column.
pub(crate) fn dispute_of(row: &Row) -> Result<Option<DisputeState>, DatabaseFault> {
    let dispute: Option<&str> = row.try_get("dispute")?;
    dispute.map(|state| DisputeState::of_str(state).ok_or_else(|| value::unreadable("dispute", state))).transpose()
}

/// What is to be looked at by now, the longest waiting first.
pub(crate) async fn to_look_at(pool: &Pool, now: UnixMicros, most: usize) -> Result<Vec<Payment>, DatabaseFault> {
    let text = format!("SELECT {COLUMNS} FROM payments WHERE look_at <= $1 ORDER BY look_at LIMIT $2");
    let query = sqlx::query(sqlx::AssertSqlSafe(text)).bind(now.0).bind(value::int(most as u64));
    query.fetch_all(pool).await?.iter().map(payment_of).collect()
}

/// What is asked for the checkouts of an organisation that are void is looked at soon: nobody is to pay it any more.
pub(crate) async fn look_now(connection: &mut Connection, org: OrgId) -> Result<(), DatabaseFault> {
    let query = sqlx::query(
        "UPDATE payments SET look_at = 0 WHERE org_id = $1 AND state = 'asked' AND way = 'page' \
         AND checkout IN (SELECT id FROM checkouts WHERE org_id = $1 AND state = 'void')",
    );
    query.bind(org.bytes().to_vec()).execute(connection).await?;
    Ok(())
}

/// What was asked for a checkout was paid here.
pub(crate) async fn paid_here(connection: &mut Connection, checkout: CheckoutId) -> Result<(), DatabaseFault> {
    let query = sqlx::query("UPDATE payments SET state = 'paid', look_at = NULL WHERE checkout = $1 AND state = 'asked'");
    query.bind(checkout.bytes().to_vec()).execute(connection).await?;
    Ok(())
}

/// Nobody is to pay what was asked for a checkout: it is too little.
pub(crate) async fn give_up(connection: &mut Connection, checkout: CheckoutId) -> Result<(), DatabaseFault> {
    let query = sqlx::query("UPDATE payments SET state = 'failed', look_at = NULL WHERE checkout = $1 AND state = 'asked'");
    query.bind(checkout.bytes().to_vec()).execute(connection).await?;
    Ok(())
}

/// The charge of this organisation's card of which nothing is known yet.
pub(crate) async fn charging(connection: &mut Connection, org: OrgId) -> Result<Option<Payment>, DatabaseFault> {
    let text = format!("SELECT {COLUMNS} FROM payments WHERE org_id = $1 AND state = 'asked' AND way = 'card' ORDER BY id LIMIT 1");
    let query = sqlx::query(sqlx::AssertSqlSafe(text)).bind(org.bytes().to_vec());
    query.fetch_optional(connection).await?.as_ref().map(payment_of).transpose()
}

/// As after a start: whatever isn't settled is looked at now.
pub(crate) async fn look_at_all(connection: &mut Connection) -> Result<(), DatabaseFault> {
    sqlx::query("UPDATE payments SET look_at = 0 WHERE state = 'refunding' OR (state = 'asked' AND (way = 'card' OR page IS NOT NULL))")
        .execute(connection)
        .await?;
    Ok(())
}

fn payment_of(row: &Row) -> Result<Payment, DatabaseFault> {
    let (way, state): (&str, &str) = (row.try_get("way")?, row.try_get("state")?);
    Ok(Payment {
        id: PaymentId::from_bits(value::id_bits(row, "id")?),
        org: OrgId::from_bits(value::id_bits(row, "org_id")?),
        checkout: CheckoutId::from_bits(value::id_bits(row, "checkout")?),
        way: Way::of_str(way).ok_or_else(|| value::unreadable("way", way))?,
        amount: Money(row.try_get("amount")?),
        state: PaymentState::of_str(state).ok_or_else(|| value::unreadable("state", state))?,
        page: row.try_get("page")?,
        charge: row.try_get("charge")?,
        created: value::time(row, "created")?,
        look_at: value::time_if_any(row, "look_at")?,
        refunded: Money(row.try_get("refunded")?),
        dispute: dispute_of(row)?,
    })
}

pub(crate) async fn customer(connection: &mut Connection, org: OrgId) -> Result<Option<String>, DatabaseFault> {
    let query = sqlx::query("SELECT customer FROM billing_customers WHERE org_id = $1").bind(org.bytes().to_vec());
    Ok(query.fetch_optional(connection).await?.map(|row| row.try_get("customer")).transpose()?)
}

pub(crate) async fn put_customer(connection: &mut Connection, org: OrgId, customer: &str) -> Result<(), DatabaseFault> {
    let id = org.bytes().to_vec();
    sqlx::query("DELETE FROM billing_customers WHERE org_id = $1").bind(id.clone()).execute(&mut *connection).await?;
    let query = sqlx::query("INSERT INTO billing_customers (org_id, customer) VALUES ($1, $2)").bind(id).bind(customer);
    query.execute(connection).await?;
    Ok(())
}

/// Notes what was told; returns whether it is told for the first time.
pub(crate) async fn hear(connection: &mut Connection, event: &str, now: UnixMicros) -> Result<bool, DatabaseFault> {
    let query = sqlx::query("INSERT INTO billing_events (id, received) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING");
    Ok(query.bind(event).bind(now.0).execute(connection).await?.rows_affected() > 0)
}

pub(crate) async fn forget_events(connection: &mut Connection, before: UnixMicros) -> Result<(), DatabaseFault> {
    sqlx::query("DELETE FROM billing_events WHERE received < $1").bind(before.0).execute(connection).await?;
    Ok(())
}
