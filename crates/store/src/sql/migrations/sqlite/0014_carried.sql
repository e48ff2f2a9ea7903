-- What was too little to be charged, and is charged with the next invoice.
ALTER TABLE subscriptions ADD COLUMN carried BIGINT NOT NULL DEFAULT 0;
-- What is due includes so much of what was too little before.
ALTER TABLE checkouts ADD COLUMN carried BIGINT NOT NULL DEFAULT 0;
ALTER TABLE invoices ADD COLUMN carried BIGINT NOT NULL DEFAULT 0;
-- This invoice was too little itself.
ALTER TABLE invoices ADD COLUMN carried_on BIGINT NOT NULL DEFAULT 0;
