-- What organisations have paid for. Those without a row have paid nothing here.
CREATE TABLE subscriptions (
    org_id BLOB NOT NULL PRIMARY KEY REFERENCES orgs (id),
    plan TEXT NOT NULL,
    period_start BIGINT NOT NULL,
    period_end BIGINT NOT NULL,
    next_plan TEXT,
    grace_until BIGINT,
    renews BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX subscriptions_by_end ON subscriptions (period_end);

-- What is to be paid before a plan is in force. Of an organisation one at most is open.
CREATE TABLE checkouts (
    id BLOB NOT NULL PRIMARY KEY,
    org_id BLOB NOT NULL REFERENCES orgs (id),
    plan TEXT NOT NULL,
    credit BIGINT NOT NULL,
    due BIGINT NOT NULL,
    made_by TEXT NOT NULL,
    state TEXT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX checkouts_of_org ON checkouts (org_id, id);

CREATE TABLE invoices (
    id BLOB NOT NULL PRIMARY KEY,
    org_id BLOB NOT NULL REFERENCES orgs (id),
    plan TEXT NOT NULL,
    credit BIGINT NOT NULL,
    amount BIGINT NOT NULL,
    paid BIGINT NOT NULL,
    period_start BIGINT NOT NULL,
    period_end BIGINT NOT NULL,
    created BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX invoices_of_org ON invoices (org_id, id);
