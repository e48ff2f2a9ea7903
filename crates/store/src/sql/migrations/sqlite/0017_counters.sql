-- Records tell reasoning tokens, and whether one target answered after another had failed.
ALTER TABLE usage_records ADD COLUMN reasoning BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_records ADD COLUMN recovered BIGINT NOT NULL DEFAULT 0;
UPDATE usage_records SET recovered = 1 WHERE attempt_list IS NOT NULL AND labels IN (SELECT id FROM usage_labels WHERE answered = 1)
    AND (attempt_list LIKE '%"end":"rate_limited"%' OR attempt_list LIKE '%"end":"overloaded"%' OR attempt_list LIKE '%"end":"failed"%'
        OR attempt_list LIKE '%"end":"timed_out"%' OR attempt_list LIKE '%"end":"credential"%' OR attempt_list LIKE '%"end":"billing"%'
        OR attempt_list LIKE '%"end":"missing"%');

-- What many counters have in common is written once. `limit_kind`: which of the pool's limits refused.
CREATE TABLE counter_labels (
    id INTEGER PRIMARY KEY,
    model TEXT NOT NULL,
    plan TEXT NOT NULL,
    category TEXT NOT NULL,
    provider TEXT NOT NULL,
    status BIGINT NOT NULL,
    outcome TEXT NOT NULL,
    pool TEXT NOT NULL,
    limit_kind TEXT NOT NULL,
    UNIQUE (model, plan, category, provider, status, outcome, pool, limit_kind)
);
INSERT INTO counter_labels (model, plan, category, provider, status, outcome, pool, limit_kind)
SELECT model, plan, category, provider, status, outcome, pool, '' FROM usage_labels
UNION
SELECT model, plan, category, '', 429, CASE shadow WHEN 0 THEN 'refused' ELSE 'shadow' END, pool, kind FROM refusals;

-- Counters by the minute, and all of them again by the quarter of an hour, which every time zone's hours and days are made of. They are
-- made anew of the records, which are all there still. `times`: how long answers took, as histograms; records from before have none.
CREATE TABLE counters_by_minute (
    org_id BLOB NOT NULL,
    minute BIGINT NOT NULL,
    labels BIGINT NOT NULL,
    key_id BLOB NOT NULL,
    requests BIGINT NOT NULL,
    refused BIGINT NOT NULL,
    would_refuse BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    recovered BIGINT NOT NULL,
    input BIGINT NOT NULL,
    output BIGINT NOT NULL,
    cached BIGINT NOT NULL,
    reasoning BIGINT NOT NULL,
    cost BIGINT NOT NULL,
    times BLOB,
    PRIMARY KEY (org_id, minute, labels, key_id)
) WITHOUT ROWID;
CREATE TABLE labels_of_labels (id INTEGER PRIMARY KEY, counter BIGINT NOT NULL, answered BIGINT NOT NULL);
INSERT INTO labels_of_labels (id, counter, answered)
SELECT l.id, c.id, l.answered FROM usage_labels AS l JOIN counter_labels AS c ON c.model = l.model AND c.plan = l.plan
    AND c.category = l.category AND c.provider = l.provider AND c.status = l.status AND c.outcome = l.outcome AND c.pool = l.pool
    AND c.limit_kind = '';
INSERT INTO counters_by_minute (org_id, minute, labels, key_id, requests, refused, would_refuse, failed, recovered, input, output, cached,
    reasoning, cost)
SELECT org_id, at / 60000000, l.counter, key_id, SUM(l.answered), 0, 0, SUM(1 - l.answered), SUM(recovered), SUM(input), SUM(output),
    SUM(cached), 0, SUM(cost)
FROM usage_records JOIN labels_of_labels AS l ON l.id = labels GROUP BY org_id, at / 60000000, l.counter, key_id;
INSERT INTO counters_by_minute (org_id, minute, labels, key_id, requests, refused, would_refuse, failed, recovered, input, output, cached,
    reasoning, cost)
SELECT r.org_id, r.minute, c.id, r.key_id, 0, SUM((1 - shadow) * refused), SUM(shadow * refused), 0, 0, 0, 0, 0, 0, 0
FROM refusals AS r JOIN counter_labels AS c ON c.model = r.model AND c.plan = r.plan AND c.category = r.category AND c.provider = ''
    AND c.status = 429 AND c.outcome = CASE shadow WHEN 0 THEN 'refused' ELSE 'shadow' END AND c.pool = r.pool AND c.limit_kind = r.kind
GROUP BY r.org_id, r.minute, c.id, r.key_id;
DROP TABLE labels_of_labels;
DELETE FROM usage_pending;
DROP TABLE usage_minutes;
ALTER TABLE counters_by_minute RENAME TO usage_minutes;

CREATE TABLE usage_quarters (
    org_id BLOB NOT NULL,
    minute BIGINT NOT NULL,
    labels BIGINT NOT NULL,
    key_id BLOB NOT NULL,
    requests BIGINT NOT NULL,
    refused BIGINT NOT NULL,
    would_refuse BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    recovered BIGINT NOT NULL,
    input BIGINT NOT NULL,
    output BIGINT NOT NULL,
    cached BIGINT NOT NULL,
    reasoning BIGINT NOT NULL,
    cost BIGINT NOT NULL,
    times BLOB,
    PRIMARY KEY (org_id, minute, labels, key_id)
) WITHOUT ROWID;
INSERT INTO usage_quarters (org_id, minute, labels, key_id, requests, refused, would_refuse, failed, recovered, input, output, cached,
    reasoning, cost)
SELECT org_id, minute / 15 * 15, labels, key_id, SUM(requests), SUM(refused), SUM(would_refuse), SUM(failed), SUM(recovered), SUM(input),
    SUM(output), SUM(cached), SUM(reasoning), SUM(cost)
FROM usage_minutes GROUP BY org_id, minute / 15 * 15, labels, key_id;

-- What quarters become when they are old: days of UTC.
CREATE TABLE usage_days (
    org_id BLOB NOT NULL,
    minute BIGINT NOT NULL,
    labels BIGINT NOT NULL,
    key_id BLOB NOT NULL,
    requests BIGINT NOT NULL,
    refused BIGINT NOT NULL,
    would_refuse BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    recovered BIGINT NOT NULL,
    input BIGINT NOT NULL,
    output BIGINT NOT NULL,
    cached BIGINT NOT NULL,
    reasoning BIGINT NOT NULL,
    cost BIGINT NOT NULL,
    times BLOB,
    PRIMARY KEY (org_id, minute, labels, key_id)
) WITHOUT ROWID;

-- What each pool, and under the empty name the whole organisation, was charged in a minute; and the greatest of a quarter and of a day,
-- with the minute of each.
CREATE TABLE pool_minutes (
    org_id BLOB NOT NULL,
    minute BIGINT NOT NULL,
    pool TEXT NOT NULL,
    requests BIGINT NOT NULL,
    tokens BIGINT NOT NULL,
    PRIMARY KEY (org_id, minute, pool)
) WITHOUT ROWID;
INSERT INTO pool_minutes (org_id, minute, pool, requests, tokens)
SELECT org_id, minute, pool, SUM(CASE outcome WHEN 'rejected' THEN failed ELSE requests END), SUM(input + output)
FROM usage_minutes JOIN counter_labels ON id = labels WHERE limit_kind = '' GROUP BY org_id, minute, pool;
INSERT INTO pool_minutes (org_id, minute, pool, requests, tokens)
SELECT org_id, minute, '', SUM(requests), SUM(tokens) FROM pool_minutes WHERE pool <> '' GROUP BY org_id, minute;

CREATE TABLE pool_quarters (
    org_id BLOB NOT NULL,
    minute BIGINT NOT NULL,
    pool TEXT NOT NULL,
    requests BIGINT NOT NULL,
    requests_at BIGINT NOT NULL,
    tokens BIGINT NOT NULL,
    tokens_at BIGINT NOT NULL,
    PRIMARY KEY (org_id, minute, pool)
) WITHOUT ROWID;
INSERT INTO pool_quarters (org_id, minute, pool, requests, requests_at, tokens, tokens_at)
SELECT org_id, minute / 15 * 15, pool, MAX(requests), minute, 0, minute FROM pool_minutes GROUP BY org_id, minute / 15 * 15, pool;
INSERT INTO pool_quarters (org_id, minute, pool, requests, requests_at, tokens, tokens_at)
SELECT org_id, minute / 15 * 15, pool, 0, minute, MAX(tokens), minute FROM pool_minutes WHERE true GROUP BY org_id, minute / 15 * 15, pool
ON CONFLICT (org_id, minute, pool) DO UPDATE SET tokens = excluded.tokens, tokens_at = excluded.tokens_at;

CREATE TABLE pool_days (
    org_id BLOB NOT NULL,
    minute BIGINT NOT NULL,
    pool TEXT NOT NULL,
    requests BIGINT NOT NULL,
    requests_at BIGINT NOT NULL,
    tokens BIGINT NOT NULL,
    tokens_at BIGINT NOT NULL,
    PRIMARY KEY (org_id, minute, pool)
) WITHOUT ROWID;
