-- Ids are their 16 bytes, times are microseconds since 1970 in UTC, money is billionths of the currency unit.

CREATE TABLE meta (
    name TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE orgs (
    id BLOB NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    name_folded TEXT NOT NULL,
    plan TEXT NOT NULL,
    effective_plan TEXT NOT NULL,
    custom TEXT,
    created BIGINT NOT NULL,
    deleted BIGINT
) WITHOUT ROWID;

CREATE TABLE api_keys (
    org_id BLOB NOT NULL REFERENCES orgs (id),
    id BLOB NOT NULL,
    hash BLOB NOT NULL,
    name TEXT NOT NULL,
    prefix TEXT NOT NULL,
    expires BIGINT,
    revoked BIGINT,
    options TEXT,
    created BIGINT NOT NULL,
    PRIMARY KEY (org_id, id)
) WITHOUT ROWID;

CREATE TABLE providers (
    name TEXT NOT NULL PRIMARY KEY,
    body TEXT NOT NULL,
    headers BLOB,
    credential BLOB,
    origin TEXT NOT NULL,
    place BIGINT NOT NULL,
    updated BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE models (
    id TEXT NOT NULL PRIMARY KEY,
    body TEXT NOT NULL,
    origin TEXT NOT NULL,
    place BIGINT NOT NULL,
    updated BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE plans (
    id TEXT NOT NULL PRIMARY KEY,
    body TEXT NOT NULL,
    origin TEXT NOT NULL,
    place BIGINT NOT NULL,
    updated BIGINT NOT NULL
) WITHOUT ROWID;

-- What an organisation was entitled to, and what a plan allowed, in [since, until).
CREATE TABLE org_limit_facts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id BLOB NOT NULL REFERENCES orgs (id),
    since BIGINT NOT NULL,
    until BIGINT,
    plan TEXT NOT NULL,
    effective_plan TEXT NOT NULL,
    custom TEXT
);
CREATE INDEX org_limit_facts_of_org ON org_limit_facts (org_id, id);

CREATE TABLE plan_facts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    plan TEXT NOT NULL,
    since BIGINT NOT NULL,
    until BIGINT,
    body TEXT NOT NULL
);
CREATE INDEX plan_facts_of_plan ON plan_facts (plan, id);

CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    details TEXT NOT NULL
);

CREATE TABLE usage_records (
    request BLOB NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    minute BIGINT NOT NULL,
    org_id BLOB NOT NULL,
    key_id BLOB NOT NULL,
    plan TEXT NOT NULL,
    model TEXT NOT NULL,
    category TEXT NOT NULL,
    pool TEXT NOT NULL,
    provider TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    streamed BIGINT NOT NULL,
    status BIGINT NOT NULL,
    outcome TEXT NOT NULL,
    answered BIGINT NOT NULL,
    input BIGINT NOT NULL,
    output BIGINT NOT NULL,
    cached BIGINT NOT NULL,
    counted TEXT NOT NULL,
    cost BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    first_byte_us BIGINT NOT NULL,
    duration_us BIGINT NOT NULL
) WITHOUT ROWID;
-- In the order of arrival, so that what is written now lies together, however many organisations there are.
CREATE INDEX usage_records_of_minute ON usage_records (minute, request, org_id);

-- Refusals of one second, organisation, key, model, pool and kind are one row with a count; the figures are the first's.
CREATE TABLE refusals (
    first_request BLOB NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    minute BIGINT NOT NULL,
    refused BIGINT NOT NULL,
    org_id BLOB NOT NULL,
    key_id BLOB NOT NULL,
    plan TEXT NOT NULL,
    model TEXT NOT NULL,
    category TEXT NOT NULL,
    pool TEXT NOT NULL,
    kind TEXT NOT NULL,
    window_us BIGINT NOT NULL,
    n BIGINT NOT NULL,
    used BIGINT NOT NULL,
    held BIGINT NOT NULL,
    requested BIGINT NOT NULL,
    retry_after_ms BIGINT
) WITHOUT ROWID;
CREATE INDEX refusals_of_minute ON refusals (minute, org_id);

CREATE TABLE usage_minutes (
    org_id BLOB NOT NULL,
    minute BIGINT NOT NULL,
    model TEXT NOT NULL,
    key_id BLOB NOT NULL,
    provider TEXT NOT NULL,
    plan TEXT NOT NULL,
    category TEXT NOT NULL,
    status BIGINT NOT NULL,
    requests BIGINT NOT NULL,
    refused BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    input BIGINT NOT NULL,
    output BIGINT NOT NULL,
    cached BIGINT NOT NULL,
    cost BIGINT NOT NULL,
    PRIMARY KEY (org_id, minute, model, key_id, provider, plan, category, status)
) WITHOUT ROWID;
