-- Who made a key; nobody knows it of those that were there before.
ALTER TABLE api_keys ADD COLUMN made_by TEXT;

-- The minute since 1970 in which a key was used last, written with the batches of usage records.
CREATE TABLE key_uses (
    org_id BLOB NOT NULL,
    key_id BLOB NOT NULL,
    minute BIGINT NOT NULL,
    PRIMARY KEY (org_id, key_id)
) WITHOUT ROWID;
INSERT INTO key_uses (org_id, key_id, minute) SELECT org_id, key_id, MAX(minute) FROM usage_minutes GROUP BY org_id, key_id;

-- The organisation that a change is of, if it is of one: its members see those entries and no others.
ALTER TABLE audit ADD COLUMN org TEXT;
UPDATE audit SET org = subject WHERE subject LIKE 'org\_%' ESCAPE '\';
UPDATE audit SET org = json_extract(details, '$.org') WHERE subject LIKE 'key\_%' ESCAPE '\';
CREATE INDEX audit_of_org ON audit (org, id);
