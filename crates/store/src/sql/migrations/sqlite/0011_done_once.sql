-- What clients asked for under a key of their own, which is done once: a print of the request, and the answer, sealed. The row is written in
-- the transaction of what was done; an answer that is missing was lost with the process.
CREATE TABLE done_once (
    caller TEXT NOT NULL,
    key TEXT NOT NULL,
    print BLOB NOT NULL,
    answer BLOB,
    expires BIGINT NOT NULL,
    PRIMARY KEY (caller, key)
) WITHOUT ROWID;
CREATE INDEX done_once_by_expiry ON done_once (expires);
CREATE INDEX done_once_of_caller ON done_once (caller, expires);
