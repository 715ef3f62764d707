CREATE TABLE orders (
    id      TEXT    NOT NULL PRIMARY KEY,
    amount  INTEGER NOT NULL,
    method  TEXT    NOT NULL,
    state   TEXT    NOT NULL,
    payment TEXT,
    heard   INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE heard (order_id TEXT NOT NULL, outcome TEXT NOT NULL, code TEXT NOT NULL) STRICT;
