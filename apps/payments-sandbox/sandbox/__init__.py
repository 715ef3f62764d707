"""The parts of payments-sandbox: wire (forms, errors), ledger (state), payments (what an endpoint does), webhooks, server."""
