-- Last uses, apart from what is used: they are all that is written without anybody asking for it,
-- so their rows are small and lie together in the order in which they are written.
CREATE TABLE token_use (
    token_id TEXT COLLATE "C" NOT NULL REFERENCES token (id) ON DELETE CASCADE,
    -- the secret that reached the token, also when that is gone
    lookup BYTEA NOT NULL,
    at BIGINT NOT NULL,
    address TEXT COLLATE "C",
    PRIMARY KEY (token_id, lookup)
);

INSERT INTO token_use (token_id, lookup, at, address)
SELECT token_id, lookup, last_used_at, last_used_address
FROM secret WHERE last_used_at IS NOT NULL;
-- through a secret that is gone
INSERT INTO token_use (token_id, lookup, at, address)
SELECT t.id, ''::BYTEA, t.last_used_at, t.last_used_address
FROM token t WHERE t.last_used_at IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM token_use u WHERE u.token_id = t.id AND u.at >= t.last_used_at);

ALTER TABLE token DROP COLUMN last_used_at, DROP COLUMN last_used_address;
ALTER TABLE secret DROP COLUMN last_used_at, DROP COLUMN last_used_address;
