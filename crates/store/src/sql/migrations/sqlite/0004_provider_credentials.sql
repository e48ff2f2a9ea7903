-- A provider's credentials, in the order in which they take their turns. They are sealed as the one before was, so that moves as it is.
CREATE TABLE provider_credentials (
    provider TEXT NOT NULL REFERENCES providers (name),
    place BIGINT NOT NULL,
    sealed BLOB NOT NULL,
    added BIGINT NOT NULL,
    PRIMARY KEY (provider, place)
) WITHOUT ROWID;
INSERT INTO provider_credentials (provider, place, sealed, added)
SELECT name, 0, credential, updated FROM providers WHERE credential IS NOT NULL;
ALTER TABLE providers DROP COLUMN credential;
