-- owner: owner
CREATE TABLE notes (
    id    INTEGER NOT NULL PRIMARY KEY,
    owner TEXT    NOT NULL,
    text  TEXT    NOT NULL
) STRICT;
