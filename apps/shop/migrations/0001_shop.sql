-- The shop's tables. Who may see a row (owner) and who decides a column (decided-by) is said here once, and the database
-- keeps to it.
--
-- Times are microseconds since 1970 in UTC. Prices are in minor units.

CREATE TABLE items (
    id          TEXT    NOT NULL PRIMARY KEY CHECK (length(id) BETWEEN 5 AND 36),
    name        TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
    description TEXT    NOT NULL CHECK (length(description) BETWEEN 1 AND 2000),
    price       INTEGER NOT NULL CHECK (price BETWEEN 1 AND 100000000),
    currency    TEXT    NOT NULL CHECK (currency = 'EUR'),
    stock       INTEGER NOT NULL CHECK (stock BETWEEN 0 AND 1000000),
    active      INTEGER NOT NULL DEFAULT 1 CHECK (active IN (0, 1))
) STRICT;

-- Profiles. Email, password and roles are Limen's own and are not in here.
-- owner: id
CREATE TABLE accounts (
    id         TEXT    NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
    created_at INTEGER NOT NULL
) STRICT;

-- owner: customer_id
CREATE TABLE orders (
    id          TEXT    NOT NULL PRIMARY KEY,
    customer_id TEXT    NOT NULL REFERENCES accounts (id),
    state       TEXT    NOT NULL CHECK (state IN ('placed', 'paying', 'paid', 'payment_failed', 'refunded')),
    currency    TEXT    NOT NULL CHECK (currency = 'EUR'),
    placed_at   INTEGER NOT NULL
) STRICT;

-- A customer's orders, newest first: ids sort by time.
CREATE INDEX orders_of_customer ON orders (customer_id, id);

-- What was bought, with name and price as they were. Totals are sums of these lines and are stored nowhere.
-- owner: via orders.order_id
CREATE TABLE order_lines (
    order_id   TEXT    NOT NULL REFERENCES orders (id),
    item_id    TEXT    NOT NULL REFERENCES items (id),
    name       TEXT    NOT NULL, -- decided-by: items.name via item_id
    unit_price INTEGER NOT NULL, -- decided-by: items.price via item_id
    quantity   INTEGER NOT NULL CHECK (quantity BETWEEN 1 AND 4950),
    PRIMARY KEY (order_id, item_id)
) STRICT;

CREATE INDEX order_lines_of_item ON order_lines (item_id);
