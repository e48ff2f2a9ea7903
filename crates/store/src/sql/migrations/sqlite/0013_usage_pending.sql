-- Counters of many keys at once, a batch a row, in the order of arrival: many batches later they are added up and go to their rows of
-- usage_minutes, which lie all over that table. Whoever reads counters adds these.
CREATE TABLE usage_pending (
    id INTEGER PRIMARY KEY,
    counters BLOB NOT NULL
);
