-- Last uses, apart from what is used: they are all that is written without anybody asking for it,
-- so their rows are small and lie together in the order in which they are written.
CREATE TABLE token_use (
    token_id TEXT NOT NULL REFERENCES token (id) ON DELETE CASCADE,
    -- the secret that reached the token, also when that is gone
    lookup BLOB NOT NULL,
    at INTEGER NOT NULL,
    address TEXT,
    PRIMARY KEY (token_id, lookup)
) STRICT, WITHOUT ROWID;

INSERT INTO token_use (token_id, lookup, at, address)
SELECT token_id, lookup, last_used_at, last_used_address
FROM secret WHERE last_used_at IS NOT NULL ORDER BY token_id, lookup;
-- through a secret that is gone
INSERT INTO token_use (token_id, lookup, at, address)
SELECT t.id, x'', t.last_used_at, t.last_used_address
FROM token t WHERE t.last_used_at IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM token_use u WHERE u.token_id = t.id AND u.at >= t.last_used_at)
ORDER BY t.id;

ALTER TABLE token DROP COLUMN last_used_at;
ALTER TABLE token DROP COLUMN last_used_address;
ALTER TABLE secret DROP COLUMN last_used_at;
ALTER TABLE secret DROP COLUMN last_used_address;
