-- What was given back of a payment where it was charged, and whether its card's owner disputes it.
ALTER TABLE payments ADD COLUMN refunded BIGINT NOT NULL DEFAULT 0;
ALTER TABLE payments ADD COLUMN dispute TEXT;
CREATE INDEX payments_by_charge ON payments (charge);
CREATE INDEX invoices_of_payment ON invoices (payment);
