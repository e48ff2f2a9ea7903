//! The tables of what organisations have paid for, are to pay, and were charged.

use domain::{CheckoutId, InvoiceId, Money, OrgId, PaymentId, Period, UnixMicros};
use sqlx::Row as _;

use super::value::{self, IdBytes as _};
use super::{Connection, Pool, Row};
use crate::{Checkout, CheckoutState, DatabaseFault, Invoice, Subscription};

pub(crate) async fn subscription(connection: &mut Connection, org: OrgId) -> Result<Option<Subscription>, DatabaseFault> {
    let query = sqlx::query(
        "SELECT org_id, plan, period_start, period_end, next_plan, grace_until, renews, try_at, carried FROM subscriptions WHERE org_id = $1",
    );
    query.bind(org.bytes().to_vec()).fetch_optional(connection).await?.as_ref().map(subscription_of).transpose()
}

/// Those about which something is to be done at `now`: their month or their grace is over, or a card is to be tried again. Not those whose
/// card is being charged.
pub(crate) async fn due(connection: &mut Connection, now: UnixMicros, most: usize) -> Result<Vec<Subscription>, DatabaseFault> {
    let query = sqlx::query(
        "SELECT org_id, plan, period_start, period_end, next_plan, grace_until, renews, try_at, carried FROM subscriptions \
         WHERE period_end <= $1 AND (grace_until IS NULL OR grace_until <= $1 OR try_at <= $1) \
         AND NOT EXISTS (SELECT 1 FROM checkouts c WHERE c.org_id = subscriptions.org_id AND c.renewal = 1 AND c.state = 'open') \
         ORDER BY period_end LIMIT $2",
    )
    .bind(now.0)
    .bind(value::int(most as u64));
    query.fetch_all(connection).await?.iter().map(subscription_of).collect()
}

pub(crate) async fn put_subscription(connection: &mut Connection, subscription: &Subscription) -> Result<(), DatabaseFault> {
    end_subscription(connection, subscription.org).await?;
    sqlx::query(
        "INSERT INTO subscriptions (org_id, plan, period_start, period_end, next_plan, grace_until, renews, try_at, carried) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(subscription.org.bytes().to_vec())
    .bind(subscription.plan.as_str())
    .bind(subscription.period.start.0)
    .bind(subscription.period.end.0)
    .bind(subscription.next_plan.as_ref().map(|plan| plan.as_str().to_owned()))
    .bind(subscription.grace_until.map(|at| at.0))
    .bind(i64::from(subscription.renews))
    .bind(subscription.try_at.map(|at| at.0))
    .bind(subscription.carried.0)
    .execute(connection)
    .await?;
    Ok(())
}

pub(crate) async fn end_subscription(connection: &mut Connection, org: OrgId) -> Result<(), DatabaseFault> {
    sqlx::query("DELETE FROM subscriptions WHERE org_id = $1").bind(org.bytes().to_vec()).execute(connection).await?;
    Ok(())
}

/// Nothing is renewed any more, and nothing is to be paid.
pub(crate) async fn forget(connection: &mut Connection, org: OrgId) -> Result<(), DatabaseFault> {
    end_subscription(connection, org).await?;
    void_checkouts(connection, org).await
}

fn subscription_of(row: &Row) -> Result<Subscription, DatabaseFault> {
    Ok(Subscription {
        org: OrgId::from_bits(value::id_bits(row, "org_id")?),
        plan: row.try_get::<&str, _>("plan")?.into(),
        period: period_of(row)?,
        next_plan: row.try_get::<Option<&str>, _>("next_plan")?.map(Into::into),
        grace_until: value::time_if_any(row, "grace_until")?,
        renews: row.try_get::<i64, _>("renews")? != 0,
        try_at: value::time_if_any(row, "try_at")?,
        carried: Money(row.try_get("carried")?),
    })
}

fn period_of(row: &Row) -> Result<Period, DatabaseFault> {
    Ok(Period { start: value::time(row, "period_start")?, end: value::time(row, "period_end")? })
}

const CHECKOUT: &str = "id, org_id, plan, credit, due, made_by, state, created, expires, renewal, url, carried";

pub(crate) async fn insert_checkout(connection: &mut Connection, checkout: &Checkout) -> Result<(), DatabaseFault> {
    sqlx::query("INSERT INTO checkouts (id, org_id, plan, credit, due, made_by, state, created, expires, renewal, carried) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)")
        .bind(checkout.id.bytes().to_vec())
        .bind(checkout.org.bytes().to_vec())
        .bind(checkout.plan.as_str())
        .bind(checkout.credit.0)
        .bind(checkout.due.0)
        .bind(checkout.by.to_string())
        .bind(checkout.state.as_str())
        .bind(checkout.created.0)
        .bind(checkout.expires.0)
        .bind(i64::from(checkout.is_renewal))
        .bind(checkout.carried.0)
        .execute(connection)
        .await?;
    Ok(())
}

/// One of this organisation.
pub(crate) async fn checkout(connection: &mut Connection, org: OrgId, id: CheckoutId) -> Result<Option<Checkout>, DatabaseFault> {
    let text = format!("SELECT {CHECKOUT} FROM checkouts WHERE id = $1 AND org_id = $2");
    let query = sqlx::query(sqlx::AssertSqlSafe(text)).bind(id.bytes().to_vec()).bind(org.bytes().to_vec());
    query.fetch_optional(connection).await?.as_ref().map(checkout_of).transpose()
}

pub(crate) async fn open_checkout(connection: &mut Connection, org: OrgId, now: UnixMicros) -> Result<Option<Checkout>, DatabaseFault> {
    let text = format!(
        "SELECT {CHECKOUT} FROM checkouts WHERE org_id = $1 AND state = 'open' AND renewal = 0 AND expires > $2 ORDER BY id DESC LIMIT 1"
    );
    let query = sqlx::query(sqlx::AssertSqlSafe(text)).bind(org.bytes().to_vec()).bind(now.0);
    query.fetch_optional(connection).await?.as_ref().map(checkout_of).transpose()
}

/// The one that is to be paid, also if its time is over.
pub(crate) async fn unsettled_checkout(connection: &mut Connection, org: OrgId) -> Result<Option<Checkout>, DatabaseFault> {
    let text = format!("SELECT {CHECKOUT} FROM checkouts WHERE org_id = $1 AND state = 'open' AND renewal = 0 ORDER BY id DESC LIMIT 1");
    let query = sqlx::query(sqlx::AssertSqlSafe(text)).bind(org.bytes().to_vec());
    query.fetch_optional(connection).await?.as_ref().map(checkout_of).transpose()
}

pub(crate) async fn end_checkout(connection: &mut Connection, id: CheckoutId, state: CheckoutState) -> Result<(), DatabaseFault> {
    sqlx::query("UPDATE checkouts SET state = $1 WHERE id = $2").bind(state.as_str()).bind(id.bytes().to_vec()).execute(connection).await?;
    Ok(())
}

/// Where a checkout can be paid.
pub(crate) async fn put_url(connection: &mut Connection, id: CheckoutId, url: &str) -> Result<(), DatabaseFault> {
    sqlx::query("UPDATE checkouts SET url = $1 WHERE id = $2").bind(url).bind(id.bytes().to_vec()).execute(connection).await?;
    Ok(())
}

/// What was open is to be paid no more.
pub(crate) async fn void_checkouts(connection: &mut Connection, org: OrgId) -> Result<(), DatabaseFault> {
    let query = sqlx::query("UPDATE checkouts SET state = 'void' WHERE org_id = $1 AND state = 'open'");
    query.bind(org.bytes().to_vec()).execute(&mut *connection).await?;
    super::payments::look_now(connection, org).await
}

fn checkout_of(row: &Row) -> Result<Checkout, DatabaseFault> {
    let (state, by): (&str, &str) = (row.try_get("state")?, row.try_get("made_by")?);
    Ok(Checkout {
        id: CheckoutId::from_bits(value::id_bits(row, "id")?),
        org: OrgId::from_bits(value::id_bits(row, "org_id")?),
        plan: row.try_get::<&str, _>("plan")?.into(),
        credit: Money(row.try_get("credit")?),
        due: Money(row.try_get("due")?),
        by: crate::Actor::of_str(by).ok_or_else(|| value::unreadable("made_by", by))?,
        state: CheckoutState::of_str(state).ok_or_else(|| value::unreadable("state", state))?,
        created: value::time(row, "created")?,
        expires: value::time(row, "expires")?,
        is_renewal: row.try_get::<i64, _>("renewal")? != 0,
        url: row.try_get("url")?,
        carried: Money(row.try_get("carried")?),
    })
}

pub(crate) async fn insert_invoice(connection: &mut Connection, invoice: &Invoice) -> Result<(), DatabaseFault> {
    sqlx::query("INSERT INTO invoices (id, org_id, plan, credit, amount, paid, period_start, period_end, created, payment, receipt_url, carried, carried_on) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)")
        .bind(invoice.id.bytes().to_vec())
        .bind(invoice.org.bytes().to_vec())
        .bind(invoice.plan.as_str())
        .bind(invoice.credit.0)
        .bind(invoice.amount.0)
        .bind(i64::from(invoice.is_paid))
        .bind(invoice.period.start.0)
        .bind(invoice.period.end.0)
        .bind(invoice.created.0)
        .bind(invoice.payment.map(|id| id.bytes().to_vec()))
        .bind(invoice.receipt_url.as_deref())
        .bind(invoice.carried.0)
        .bind(invoice.carried_on.0)
        .execute(connection)
        .await?;
    Ok(())
}

/// An invoice of this month that was not paid, now is. Returns whether there was one.
pub(crate) async fn pay_invoice(connection: &mut Connection, paid: &Invoice) -> Result<bool, DatabaseFault> {
    let query = sqlx::query(
        "UPDATE invoices SET paid = 1, payment = $1, receipt_url = $2 \
         WHERE org_id = $3 AND plan = $4 AND period_start = $5 AND amount = $6 AND paid = 0",
    )
    .bind(paid.payment.map(|id| id.bytes().to_vec()))
    .bind(paid.receipt_url.as_deref())
    .bind(paid.org.bytes().to_vec())
    .bind(paid.plan.as_str())
    .bind(paid.period.start.0)
    .bind(paid.amount.0);
    Ok(query.execute(connection).await?.rows_affected() > 0)
}

/// Where the receipt of what a payment paid is seen.
pub(crate) async fn put_receipt(connection: &mut Connection, payment: PaymentId, url: &str) -> Result<(), DatabaseFault> {
    let query = sqlx::query("UPDATE invoices SET receipt_url = $1 WHERE payment = $2").bind(url).bind(payment.bytes().to_vec());
    query.execute(connection).await?;
    Ok(())
}

/// With what became of its payment.
const INVOICE: &str = "SELECT i.id, i.org_id, i.plan, credit, i.amount, paid, period_start, period_end, i.created, payment, receipt_url, carried, \
                       carried_on, COALESCE(p.refunded, 0) AS refunded, p.dispute FROM invoices i LEFT JOIN payments p ON p.id = i.payment";

/// What a payment paid.
pub(crate) async fn invoice_of(connection: &mut Connection, payment: PaymentId) -> Result<Option<Invoice>, DatabaseFault> {
    let text = format!("{INVOICE} WHERE i.payment = $1");
    let query = sqlx::query(sqlx::AssertSqlSafe(text)).bind(payment.bytes().to_vec());
    query.fetch_optional(connection).await?.as_ref().map(invoice_of_row).transpose()
}

/// It was not paid after all.
pub(crate) async fn unpay_invoice(connection: &mut Connection, id: InvoiceId) -> Result<(), DatabaseFault> {
    sqlx::query("UPDATE invoices SET paid = 0 WHERE id = $1").bind(id.bytes().to_vec()).execute(connection).await?;
    Ok(())
}

/// Newest first, before `before`.
pub(crate) async fn invoices(pool: &Pool, org: OrgId, before: Option<InvoiceId>, most: usize) -> Result<Vec<Invoice>, DatabaseFault> {
    let text = format!("{INVOICE} WHERE i.org_id = $1 AND i.id < $2 ORDER BY i.id DESC LIMIT $3");
    let query = sqlx::query(sqlx::AssertSqlSafe(text))
        .bind(org.bytes().to_vec())
        .bind(before.map_or_else(|| vec![0xFF; 16], |id| id.bytes().to_vec()))
        .bind(value::int(most as u64));
    query.fetch_all(pool).await?.iter().map(invoice_of_row).collect()
}

fn invoice_of_row(row: &Row) -> Result<Invoice, DatabaseFault> {
    Ok(Invoice {
        id: InvoiceId::from_bits(value::id_bits(row, "id")?),
        org: OrgId::from_bits(value::id_bits(row, "org_id")?),
        plan: row.try_get::<&str, _>("plan")?.into(),
        credit: Money(row.try_get("credit")?),
        amount: Money(row.try_get("amount")?),
        is_paid: row.try_get::<i64, _>("paid")? != 0,
        period: period_of(row)?,
        created: value::time(row, "created")?,
        payment: row
            .try_get::<Option<&[u8]>, _>("payment")?
            .and_then(|bytes| bytes.try_into().ok())
            .map(|b| PaymentId::from_bits(u128::from_be_bytes(b))),
        receipt_url: row.try_get("receipt_url")?,
        carried: Money(row.try_get("carried")?),
        carried_on: Money(row.try_get("carried_on")?),
        refunded: Money(row.try_get("refunded")?),
        dispute: super::payments::dispute_of(row)?,
    })
}
