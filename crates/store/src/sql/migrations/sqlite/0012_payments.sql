-- What was asked of whoever charges. Each is paid once at most; `look_at` says when it is asked again what became of it.
CREATE TABLE payments (
    id BLOB NOT NULL PRIMARY KEY,
    org_id BLOB NOT NULL REFERENCES orgs (id),
    checkout BLOB NOT NULL REFERENCES checkouts (id),
    way TEXT NOT NULL,
    amount BIGINT NOT NULL,
    state TEXT NOT NULL,
    page TEXT,
    charge TEXT,
    created BIGINT NOT NULL,
    look_at BIGINT
) WITHOUT ROWID;
CREATE INDEX payments_of_checkout ON payments (checkout);
CREATE INDEX payments_of_org ON payments (org_id, state);
CREATE INDEX payments_by_look ON payments (look_at);

-- Who an organisation is to whoever charges.
CREATE TABLE billing_customers (
    org_id BLOB NOT NULL PRIMARY KEY REFERENCES orgs (id),
    customer TEXT NOT NULL
) WITHOUT ROWID;

-- What whoever charges has told, so that each is heard once.
CREATE TABLE billing_events (
    id TEXT NOT NULL PRIMARY KEY,
    received BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX billing_events_by_time ON billing_events (received);

ALTER TABLE checkouts ADD COLUMN renewal BIGINT NOT NULL DEFAULT 0;
ALTER TABLE checkouts ADD COLUMN url TEXT;
ALTER TABLE invoices ADD COLUMN payment BLOB;
ALTER TABLE invoices ADD COLUMN receipt_url TEXT;
ALTER TABLE subscriptions ADD COLUMN try_at BIGINT;
