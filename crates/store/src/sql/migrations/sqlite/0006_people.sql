-- People with an account. Their e-mail address in lower case tells them apart; what they log in with is kept as an argon2id hash.
CREATE TABLE people (
    id BLOB NOT NULL PRIMARY KEY,
    email TEXT NOT NULL,
    email_folded TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    password TEXT,
    operator BIGINT NOT NULL,
    created BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE members (
    org_id BLOB NOT NULL REFERENCES orgs (id),
    person_id BLOB NOT NULL REFERENCES people (id),
    role TEXT NOT NULL,
    since BIGINT NOT NULL,
    PRIMARY KEY (org_id, person_id)
) WITHOUT ROWID;
CREATE INDEX members_of_person ON members (person_id, org_id);

-- Who is logged in. Of the secret only the SHA-256 is kept.
CREATE TABLE sessions (
    id BLOB NOT NULL PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    person_id BLOB NOT NULL REFERENCES people (id),
    agent TEXT NOT NULL,
    created BIGINT NOT NULL,
    used BIGINT NOT NULL,
    expires BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX sessions_of_person ON sessions (person_id, id);

-- Links that work once: invitations, new passwords, the set-up of the first operator.
CREATE TABLE links (
    id BLOB NOT NULL PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    purpose TEXT NOT NULL,
    person_id BLOB REFERENCES people (id),
    org_id BLOB REFERENCES orgs (id),
    email TEXT,
    role TEXT,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX links_of_org ON links (org_id, id);
