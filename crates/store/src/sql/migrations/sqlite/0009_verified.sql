-- Whether it was shown that somebody's address is theirs. Who was there before sent mail could be, is taken at their word.
ALTER TABLE people ADD COLUMN verified BIGINT NOT NULL DEFAULT 1;
