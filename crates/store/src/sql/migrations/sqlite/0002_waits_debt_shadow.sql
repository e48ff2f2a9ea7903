-- How long requests waited and answers paused, and what was produced without room.
ALTER TABLE usage_records ADD COLUMN waited_us BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_records ADD COLUMN paused_us BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_records ADD COLUMN debt BIGINT NOT NULL DEFAULT 0;

-- What limits that only record would have refused: counted apart. One request may be told of several such limits, hence the key.
ALTER TABLE usage_minutes ADD COLUMN would_refuse BIGINT NOT NULL DEFAULT 0;
CREATE TABLE refusals_by_limit (
    first_request BLOB NOT NULL,
    pool TEXT NOT NULL,
    kind TEXT NOT NULL,
    window_us BIGINT NOT NULL,
    shadow BIGINT NOT NULL,
    at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    minute BIGINT NOT NULL,
    refused BIGINT NOT NULL,
    org_id BLOB NOT NULL,
    key_id BLOB NOT NULL,
    plan TEXT NOT NULL,
    model TEXT NOT NULL,
    category TEXT NOT NULL,
    n BIGINT NOT NULL,
    used BIGINT NOT NULL,
    held BIGINT NOT NULL,
    requested BIGINT NOT NULL,
    retry_after_ms BIGINT,
    PRIMARY KEY (first_request, pool, kind, window_us, shadow)
) WITHOUT ROWID;
INSERT INTO refusals_by_limit (first_request, pool, kind, window_us, shadow, at, last_at, minute, refused, org_id, key_id, plan, model,
    category, n, used, held, requested, retry_after_ms)
SELECT first_request, pool, kind, window_us, 0, at, last_at, minute, refused, org_id, key_id, plan, model, category, n, used, held,
    requested, retry_after_ms FROM refusals;
DROP TABLE refusals;
ALTER TABLE refusals_by_limit RENAME TO refusals;
CREATE INDEX refusals_of_minute ON refusals (minute, org_id);
