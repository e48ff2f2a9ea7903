-- What many records have in common is written once. Records have no index beside their key: a request's id begins with the millisecond
-- of its arrival, so that a span of time is a range of ids.
CREATE TABLE usage_labels (
    id INTEGER PRIMARY KEY,
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
    counted TEXT NOT NULL,
    UNIQUE (model, plan, category, pool, provider, endpoint, streamed, status, outcome, answered, counted)
);
INSERT INTO usage_labels (plan, model, category, pool, provider, endpoint, streamed, status, outcome, answered, counted)
SELECT DISTINCT plan, model, category, pool, provider, endpoint, streamed, status, outcome, answered, counted FROM usage_records;

CREATE TABLE labelled_records (
    request BLOB NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    org_id BLOB NOT NULL,
    key_id BLOB NOT NULL,
    labels BIGINT NOT NULL,
    input BIGINT NOT NULL,
    output BIGINT NOT NULL,
    cached BIGINT NOT NULL,
    cost BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    first_byte_us BIGINT NOT NULL,
    duration_us BIGINT NOT NULL,
    waited_us BIGINT NOT NULL,
    paused_us BIGINT NOT NULL,
    debt BIGINT NOT NULL
) WITHOUT ROWID;
INSERT INTO labelled_records (request, at, org_id, key_id, labels, input, output, cached, cost, attempts, first_byte_us, duration_us,
    waited_us, paused_us, debt)
SELECT request, at, org_id, key_id, l.id, input, output, cached, cost, attempts, first_byte_us, duration_us, waited_us, paused_us, debt
FROM usage_records AS r JOIN usage_labels AS l ON r.model = l.model AND r.plan = l.plan AND r.category = l.category AND r.pool = l.pool
    AND r.provider = l.provider AND r.endpoint = l.endpoint AND r.streamed = l.streamed AND r.status = l.status
    AND r.outcome = l.outcome AND r.answered = l.answered AND r.counted = l.counted;
DROP TABLE usage_records;
ALTER TABLE labelled_records RENAME TO usage_records;
