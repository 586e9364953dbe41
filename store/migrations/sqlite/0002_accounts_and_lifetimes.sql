-- What the collections of the Astra and native doors show and sort by: who made and changed a
-- thing, its labels, roles in accounts, and how long tokens may live.

-- ids; a name may change or be gone. NULL: the program made it, or it is older than this version
ALTER TABLE account ADD COLUMN created_by_id TEXT;
ALTER TABLE account ADD COLUMN modified_at INTEGER;
ALTER TABLE account ADD COLUMN modified_by_id TEXT;
ALTER TABLE principal ADD COLUMN created_by_id TEXT;
ALTER TABLE principal ADD COLUMN modified_at INTEGER;
ALTER TABLE principal ADD COLUMN modified_by_id TEXT;
ALTER TABLE token ADD COLUMN created_by_id TEXT;
ALTER TABLE token ADD COLUMN modified_at INTEGER;
ALTER TABLE token ADD COLUMN modified_by_id TEXT;

-- Labels of tokens, users, accounts, role bindings and credentials, in the order given. They go
-- with the thing that `object_id` names.
CREATE TABLE label (
    object_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (object_id, position)
) STRICT;

-- The role of a user in his account. The first binding of a user has the user's own id; a user
-- without one has no role there.
CREATE TABLE role_binding (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    account_id TEXT NOT NULL REFERENCES account (id),
    principal_id TEXT NOT NULL UNIQUE REFERENCES principal (id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    -- a JSON array of strings
    constraints TEXT NOT NULL DEFAULT '["*"]',
    created_at INTEGER NOT NULL,
    created_by_id TEXT,
    modified_at INTEGER,
    modified_by_id TEXT
) STRICT;
CREATE INDEX role_binding_account ON role_binding (account_id, created_at, id);

INSERT INTO role_binding (id, account_id, principal_id, role, created_at)
SELECT id, account_id, id, 'member', created_at
FROM principal WHERE kind = 'user' ORDER BY seq;

-- How long the tokens of a kind may live in an account, in milliseconds; NULL: no rule.
CREATE TABLE lifetime_policy (
    account_id TEXT NOT NULL REFERENCES account (id),
    kind TEXT NOT NULL,
    default_lifetime INTEGER,
    maximum_lifetime INTEGER,
    -- since when a token must have an end
    required_at INTEGER,
    -- a token that was not used for so long ends
    maximum_idle INTEGER,
    modified_at INTEGER NOT NULL,
    modified_by_id TEXT,
    PRIMARY KEY (account_id, kind)
) STRICT;

-- Collections are read by creation time or name, from where the last page ended; what most rows
-- do not have is left out of its index.
CREATE INDEX principal_account ON principal (account_id, kind, created_at, id);
-- The tokens of the Astra door, by each of its orders. All that its lists are counted by stands in
-- the index; what was revoked does not (its column is there so that SQLite need not look at the row).
CREATE INDEX token_api_created
    ON token (principal_id, kind, created_at, id, name, expires_at, revoked_at)
    WHERE kind = 'api' AND revoked_at IS NULL;
CREATE INDEX token_api_name
    ON token (principal_id, kind, name, id, expires_at, revoked_at)
    WHERE kind = 'api' AND revoked_at IS NULL;
CREATE INDEX token_api_id
    ON token (principal_id, kind, id, name, expires_at, revoked_at)
    WHERE kind = 'api' AND revoked_at IS NULL;
CREATE INDEX token_created ON token (created_at, id);
DROP INDEX token_parent;
CREATE INDEX token_parent ON token (parent_id) WHERE parent_id IS NOT NULL;
DROP INDEX token_application;
CREATE INDEX token_application ON token (application_id, seq) WHERE application_id IS NOT NULL;
DROP INDEX token_expiry;
CREATE INDEX token_expiry ON token (expires_at) WHERE expires_at IS NOT NULL;
DROP INDEX token_revoked;
CREATE INDEX token_revoked ON token (revoked_at) WHERE revoked_at IS NOT NULL;
CREATE INDEX token_minted ON token (minted_by) WHERE minted_by IS NOT NULL;
