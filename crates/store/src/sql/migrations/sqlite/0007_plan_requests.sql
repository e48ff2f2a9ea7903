-- Wishes for another plan, which operators grant or decline. Of an organisation one at most is open.
CREATE TABLE plan_requests (
    id BLOB NOT NULL PRIMARY KEY,
    org_id BLOB NOT NULL REFERENCES orgs (id),
    plan TEXT NOT NULL,
    message TEXT NOT NULL,
    made_by TEXT NOT NULL,
    state TEXT NOT NULL,
    created BIGINT NOT NULL,
    decided BIGINT,
    decided_by TEXT
) WITHOUT ROWID;
CREATE INDEX plan_requests_of_org ON plan_requests (org_id, id);
CREATE INDEX plan_requests_in_state ON plan_requests (state, id);
