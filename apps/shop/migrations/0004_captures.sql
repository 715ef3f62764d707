-- A payment that an event has told to be taken, while the charge's own result is not known yet. It is the order's row that both write, so
-- that an order is never given up by one and held to be paid by the other.
ALTER TABLE orders ADD COLUMN captured_id TEXT CHECK (length(captured_id) BETWEEN 1 AND 255);
