-- The first version of the store. Times are UTC milliseconds; ids are UUIDs as text; words, not
-- numbers, stand for states. Names compare byte by byte.

-- The change feed: one row counts commits that change or take away rights.
CREATE TABLE revision (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    n INTEGER NOT NULL,
    change_id TEXT NOT NULL
) STRICT;

-- What was touched by commit n; a random id beside the number tells a restored store apart.
CREATE TABLE change (
    n INTEGER NOT NULL,
    position INTEGER NOT NULL,
    change_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (n, position)
) STRICT;
CREATE INDEX change_at ON change (at);

-- How far each running server has applied the feed.
CREATE TABLE replica (
    id TEXT PRIMARY KEY,
    applied INTEGER NOT NULL,
    seen_at INTEGER NOT NULL
) STRICT;

INSERT INTO revision (one, n, change_id) VALUES (1, 0, '');

-- One installation: the salt of every derived key, and the address it knows itself by.
CREATE TABLE installation (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id TEXT NOT NULL,
    public_url TEXT,
    created_at INTEGER NOT NULL
) STRICT;

-- The generations of the master key; the key itself is never here.
CREATE TABLE key_generation (
    generation INTEGER PRIMARY KEY,
    check_value BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    retired_at INTEGER
) STRICT;

-- Private keys are sealed under the master key; the row's id is the associated data.
CREATE TABLE signing_key (
    id TEXT PRIMARY KEY,
    purpose TEXT NOT NULL,
    certificate BLOB NOT NULL,
    sealed BLOB NOT NULL,
    key_generation INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    not_after INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    retired_at INTEGER
) STRICT;

CREATE TABLE account (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- Users, robots and organisations share one namespace of names.
CREATE TABLE principal (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    account_id TEXT NOT NULL REFERENCES account (id),
    kind TEXT NOT NULL,
    name TEXT NOT NULL UNIQUE,
    -- the namespace of a robot
    owner_id TEXT REFERENCES principal (id) ON DELETE CASCADE,
    email TEXT,
    -- in lower case, as it is compared
    email_key TEXT UNIQUE,
    -- what an avatar is drawn from where there is no e-mail address
    avatar_key TEXT,
    password_hash TEXT,
    password_changed_at INTEGER,
    -- the password was drawn by the program and printed once
    password_drawn_at INTEGER,
    session_epoch INTEGER NOT NULL DEFAULT 0,
    verified_at INTEGER,
    disabled_at INTEGER,
    superuser_at INTEGER,
    decider_at INTEGER,
    description TEXT NOT NULL DEFAULT '',
    -- a JSON object: a robot's unstructured metadata, a user's profile
    metadata TEXT,
    created_at INTEGER NOT NULL,
    last_used_at INTEGER
) STRICT;
CREATE INDEX principal_owner ON principal (owner_id, name);
CREATE INDEX principal_kind ON principal (kind, name);

-- Names of deleted or renamed-away namespaces and repositories: only the former owner or a
-- superuser may take them again, because a registry may still hold their content.
CREATE TABLE name_tombstone (
    name TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    former_owner_id TEXT,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE team (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    org_id TEXT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL,
    UNIQUE (org_id, name)
) STRICT;

CREATE TABLE team_member (
    seq INTEGER PRIMARY KEY,
    team_id TEXT NOT NULL REFERENCES team (id) ON DELETE CASCADE,
    principal_id TEXT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    UNIQUE (team_id, principal_id)
) STRICT;
CREATE INDEX team_member_principal ON team_member (principal_id, team_id);

-- An invited user, or an e-mail address without one, is not a member yet.
CREATE TABLE team_invite (
    seq INTEGER PRIMARY KEY,
    team_id TEXT NOT NULL REFERENCES team (id) ON DELETE CASCADE,
    principal_id TEXT REFERENCES principal (id) ON DELETE CASCADE,
    email_key TEXT,
    inviter_id TEXT,
    code_lookup BLOB UNIQUE,
    created_at INTEGER NOT NULL,
    CHECK ((principal_id IS NULL) <> (email_key IS NULL)),
    UNIQUE (team_id, principal_id),
    UNIQUE (team_id, email_key)
) STRICT;
CREATE INDEX team_invite_principal ON team_invite (principal_id);

CREATE TABLE repository (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    namespace_id TEXT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
    -- the whole name, `namespace/name`
    name TEXT NOT NULL UNIQUE,
    visibility TEXT NOT NULL,
    state TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    kind TEXT NOT NULL DEFAULT 'image',
    created_by TEXT,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX repository_namespace ON repository (namespace_id, name);
CREATE INDEX repository_visibility ON repository (visibility, name);

CREATE TABLE permission (
    seq INTEGER PRIMARY KEY,
    repo_id TEXT NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
    principal_id TEXT REFERENCES principal (id) ON DELETE CASCADE,
    team_id TEXT REFERENCES team (id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    CHECK ((principal_id IS NULL) <> (team_id IS NULL)),
    UNIQUE (repo_id, principal_id),
    UNIQUE (repo_id, team_id)
) STRICT;
CREATE INDEX permission_principal ON permission (principal_id, repo_id);
CREATE INDEX permission_team ON permission (team_id, repo_id);

-- What somebody wants to find again; it gives no right.
CREATE TABLE star (
    principal_id TEXT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
    repo_id TEXT NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (principal_id, repo_id)
) STRICT;
CREATE INDEX star_repo ON star (repo_id);

-- Default permissions of an organisation, given to what is made in it.
CREATE TABLE prototype (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    org_id TEXT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
    activating_id TEXT REFERENCES principal (id) ON DELETE CASCADE,
    principal_id TEXT REFERENCES principal (id) ON DELETE CASCADE,
    team_id TEXT REFERENCES team (id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    CHECK ((principal_id IS NULL) <> (team_id IS NULL))
) STRICT;
CREATE INDEX prototype_org ON prototype (org_id, seq);
CREATE INDEX prototype_activating ON prototype (activating_id);
CREATE INDEX prototype_principal ON prototype (principal_id);
CREATE INDEX prototype_team ON prototype (team_id);

CREATE TABLE application (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    client_id TEXT NOT NULL UNIQUE,
    org_id TEXT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    redirect_uri TEXT NOT NULL DEFAULT '',
    application_uri TEXT NOT NULL DEFAULT '',
    description TEXT NOT NULL DEFAULT '',
    avatar_email TEXT,
    -- a keyed hash to compare with, and a sealed copy because its door shows it again
    secret_lookup BLOB NOT NULL,
    secret_sealed BLOB NOT NULL,
    secret_key_generation INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX application_org ON application (org_id, seq);

CREATE TABLE oauth_code (
    lookup BLOB PRIMARY KEY,
    application_id TEXT NOT NULL REFERENCES application (id) ON DELETE CASCADE,
    principal_id TEXT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
    redirect_uri TEXT NOT NULL,
    scope TEXT NOT NULL,
    -- PKCE (RFC 7636)
    challenge TEXT,
    challenge_method TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at INTEGER
) STRICT;
CREATE INDEX oauth_code_principal ON oauth_code (principal_id);
CREATE INDEX oauth_code_application ON oauth_code (application_id);
CREATE INDEX oauth_code_expiry ON oauth_code (expires_at);

CREATE TABLE oauth_assignment (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    application_id TEXT NOT NULL REFERENCES application (id) ON DELETE CASCADE,
    principal_id TEXT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
    redirect_uri TEXT NOT NULL,
    scope TEXT NOT NULL,
    response_type TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX oauth_assignment_principal ON oauth_assignment (principal_id, seq);
CREATE INDEX oauth_assignment_application ON oauth_assignment (application_id);

-- A token outlives its principal as a tombstone, so the principal is text and no reference.
CREATE TABLE token (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    account_id TEXT NOT NULL,
    principal_id TEXT NOT NULL,
    principal_name TEXT NOT NULL,
    application_id TEXT,
    name TEXT NOT NULL,
    -- the token it stands for or was minted with: it ends with it
    parent_id TEXT,
    minted_by TEXT,
    created_by TEXT NOT NULL,
    -- the registry service of a refresh token
    service TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER,
    revoked_by TEXT,
    revoke_reason TEXT,
    last_used_at INTEGER,
    last_used_address TEXT
) STRICT;
CREATE INDEX token_principal ON token (principal_id, kind, seq);
CREATE INDEX token_parent ON token (parent_id);
CREATE INDEX token_application ON token (application_id, seq);
CREATE INDEX token_expiry ON token (expires_at);
CREATE INDEX token_revoked ON token (revoked_at);

CREATE TABLE token_scope (
    token_id TEXT NOT NULL REFERENCES token (id) ON DELETE CASCADE,
    dialect TEXT NOT NULL,
    word TEXT NOT NULL,
    PRIMARY KEY (token_id, dialect, word)
) STRICT;

-- What the OpenShift door alone knows of a token.
CREATE TABLE openshift_authorization (
    token_id TEXT PRIMARY KEY REFERENCES token (id) ON DELETE CASCADE,
    -- the scopes in the order in which they were asked for
    scopes TEXT NOT NULL,
    -- none is not an empty one; the token's name is empty for both
    note TEXT
) STRICT;

-- What opens: one row, or two during a rotation. Never the MAC, nor a hash worth attacking:
--   derived  lookup = SHA-256(selector); the selector only for kinds that are shown again
--   hashed   lookup = keyed hash of a secret that came from elsewhere
--   sealed   the same, with a sealed copy because its door shows it again
CREATE TABLE secret (
    lookup BLOB PRIMARY KEY,
    token_id TEXT NOT NULL REFERENCES token (id) ON DELETE CASCADE,
    form TEXT NOT NULL CHECK (form IN ('derived', 'hashed', 'sealed')),
    selector BLOB,
    sealed BLOB,
    key_generation INTEGER NOT NULL,
    prefix TEXT NOT NULL,
    format INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    valid_until INTEGER,
    last_used_at INTEGER,
    last_used_address TEXT
) STRICT;
CREATE INDEX secret_token ON secret (token_id);

-- Every prefix that tokens were ever made with.
CREATE TABLE token_prefix (
    prefix TEXT PRIMARY KEY,
    first_used_at INTEGER NOT NULL
) STRICT;

CREATE TABLE session (
    lookup BLOB PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    principal_id TEXT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
    -- good only while it equals the principal's
    epoch INTEGER NOT NULL,
    address TEXT,
    created_at INTEGER NOT NULL,
    signed_in_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX session_principal ON session (principal_id);
CREATE INDEX session_expiry ON session (expires_at);

-- What happened, chained by hashes; nothing deletes rows but retention.
CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    at INTEGER NOT NULL,
    actor_id TEXT,
    actor_name TEXT NOT NULL,
    credential TEXT NOT NULL,
    credential_id TEXT,
    credential_minter TEXT,
    door TEXT NOT NULL,
    act TEXT NOT NULL,
    object_kind TEXT NOT NULL,
    object_id TEXT,
    object_name TEXT NOT NULL,
    namespace TEXT,
    before TEXT,
    after TEXT,
    outcome TEXT NOT NULL,
    reason TEXT,
    address TEXT,
    request_id TEXT,
    previous_hash BLOB NOT NULL,
    hash BLOB NOT NULL
) STRICT;
CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_namespace ON audit (namespace, seq);
CREATE INDEX audit_actor ON audit (actor_id, seq);
CREATE INDEX audit_object ON audit (object_id, seq);
