-- Who somebody is to a provider of identities (OpenID Connect): issuer and subject together, which never change as addresses do.
CREATE TABLE identities (
    id BLOB NOT NULL PRIMARY KEY,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    person_id BLOB NOT NULL REFERENCES people (id),
    created BIGINT NOT NULL,
    UNIQUE (issuer, subject)
) WITHOUT ROWID;
CREATE INDEX identities_of_person ON identities (person_id, id);

-- Whether it was shown that somebody reads what is sent to their address. `verified` is less: where no mail is sent addresses are taken at
-- their owners' word, and an invitation's link is known to whoever made it.
ALTER TABLE people ADD COLUMN address_shown BIGINT NOT NULL DEFAULT 0;

-- Invitations are found by the address that they are for.
ALTER TABLE links ADD COLUMN email_folded TEXT;
UPDATE links SET email_folded = lower(email);
CREATE INDEX links_of_address ON links (email_folded, id);
