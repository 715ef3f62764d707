-- owner: owner_id
CREATE TABLE notes (
    id       INTEGER NOT NULL PRIMARY KEY,
    owner_id TEXT    NOT NULL,
    text     TEXT    NOT NULL
) STRICT;
