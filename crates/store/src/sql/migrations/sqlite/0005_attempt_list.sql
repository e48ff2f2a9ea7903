-- A record's attempts as JSON, where there were several or one failed: see `AttemptRecord`.
ALTER TABLE usage_records ADD COLUMN attempt_list TEXT;
