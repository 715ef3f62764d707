-- What is known of an order's payment. The amount is not here: it is the sum of the order's lines, taken when the charge is queued.
--
-- owner: via orders.order_id
CREATE TABLE payments (
    order_id    TEXT    NOT NULL PRIMARY KEY REFERENCES orders (id),
    method      TEXT    CHECK (length(method) BETWEEN 4 AND 64), -- the provider's name for what the customer pays with
    provider_id TEXT    CHECK (length(provider_id) BETWEEN 1 AND 255), -- and for the payment, once it has told
    refund_id   TEXT    CHECK (length(refund_id) BETWEEN 1 AND 64), -- the refund that is under way, or is done
    late_id     TEXT    CHECK (length(late_id) BETWEEN 1 AND 255) -- a payment that was taken after all, and was given back
) STRICT;

-- Events that the provider has told, so that none is taken twice.
CREATE TABLE payment_events (
    id          TEXT    NOT NULL PRIMARY KEY CHECK (length(id) BETWEEN 5 AND 64),
    received_at INTEGER NOT NULL
) STRICT;

CREATE INDEX payment_events_by_time ON payment_events (received_at);
