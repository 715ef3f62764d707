CREATE TABLE sales (
    id     TEXT NOT NULL PRIMARY KEY,
    method TEXT NOT NULL,
    state  TEXT NOT NULL
) STRICT;
