"""What each endpoint under /v1 does, with a form and inside the ledger's transaction.

The one idea: a function here returns the object to answer with, or raises a Refusal; it knows nothing of HTTP, keys or faults of
the network.
"""

import json
import re
import time

from sandbox import wire
from sandbox.ledger import new_id

MOST_AMOUNT = 99_999_999  # eight digits, as Stripe has it
LEAST_AMOUNT = 50

# Payment methods that end badly, by name: the code and the decline code.
DECLINED = {
    "pm_card_chargeDeclined": ("card_declined", "generic_decline"),
    "pm_card_chargeDeclinedInsufficientFunds": ("card_declined", "insufficient_funds"),
    "pm_card_chargeDeclinedExpiredCard": ("expired_card", "expired_card"),
    "pm_card_chargeDeclinedProcessingError": ("processing_error", "processing_error"),
}
GOOD = {"pm_card_visa", "pm_card_mastercard"}
# Not Stripe's: they answer `processing`, and end a moment later.
LATE = {"pm_sandbox_processing": None, "pm_sandbox_processingDeclined": ("card_declined", "generic_decline")}
SETTLE_MS = 500

CREATE = {"amount", "currency", "confirm", "payment_method", "metadata", "description", "payment_method_types",
          "automatic_payment_methods", "capture_method", "error_on_requires_action", "off_session", "receipt_email", "statement_descriptor_suffix"}


def shown(intent):
    return {name: value for name, value in intent.items() if not name.startswith("sandbox_")}


def card_error(codes, payment_method):
    code, decline_code = codes
    return {"type": "card_error", "code": code, "decline_code": decline_code, "message": "Your card was declined.",
            "payment_method": {"id": payment_method, "object": "payment_method", "type": "card"}}


# ---- payment intents ---------------------------------------------------------------------------------------------------


def create_intent(ledger, form):
    wire.only(form, CREATE)
    intent_id, now = new_id("pi"), int(time.time())
    currency = wire.text_of(form, "currency").lower()
    if not re.fullmatch("[a-z]{3}", currency):
        raise wire.invalid(f"Invalid currency: {currency}.", "currency")
    intent = {
        "id": intent_id, "object": "payment_intent", "amount": amount_of(form), "amount_capturable": 0, "amount_received": 0,
        "canceled_at": None, "capture_method": "automatic", "client_secret": f"{intent_id}_secret_{new_id('x')[2:]}",
        "confirmation_method": "automatic", "created": now, "currency": currency, "description": form.get("description"),
        "last_payment_error": None, "latest_charge": None, "livemode": False, "metadata": wire.metadata_of(form),
        "next_action": None, "payment_method": form.get("payment_method"), "payment_method_types": ["card"],
        "status": "requires_confirmation" if form.get("payment_method") else "requires_payment_method",
    }
    ledger.put_intent(intent)
    ledger.tell("payment_intent.created", intent)
    if wire.flag_of(form, "confirm"):
        confirm(ledger, form, intent)
    return shown(intent)


def amount_of(form):
    amount = wire.integer_of(form, "amount", least=1, most=10**12)
    if amount < LEAST_AMOUNT:
        raise wire.invalid(f"Amount must be at least {LEAST_AMOUNT} minor units", "amount", "amount_too_small")
    if amount > MOST_AMOUNT:
        raise wire.invalid(f"Amount must be no more than {MOST_AMOUNT} minor units", "amount", "amount_too_large")
    return amount


def never_redirects(form):
    automatic = form.get("automatic_payment_methods", {})
    return form.get("payment_method_types") == ["card"] or \
        (automatic.get("enabled") == "true" and automatic.get("allow_redirects") == "never")


def confirm(ledger, form, intent):
    """Charges the payment method: at once, in a moment, or not at all."""
    method = wire.text_of(form, "payment_method")
    if not never_redirects(form):
        raise wire.invalid("This PaymentIntent could be redirected to a return_url, and there is none: send "
                           "payment_method_types[]=card, or automatic_payment_methods with allow_redirects=never.")
    if method not in GOOD | DECLINED.keys() | LATE.keys():
        raise wire.invalid(f"No such PaymentMethod: '{method}'", "payment_method", "resource_missing")
    behaviour = ledger.behaviour()
    declined = DECLINED.get(method) or (DECLINED["pm_card_chargeDeclined"] if ledger.strikes("decline") else None)
    if declined:
        error = card_error(declined, method)
        ledger.settle(intent | {"sandbox_error": error})
        raise wire.Refusal(402, error.pop("type"), error.pop("message"), is_kept=True, **error,
                           payment_intent=shown(ledger.intent(intent["id"])))
    if method in LATE or ledger.strikes("processing"):
        ends_badly = LATE.get(method) or (DECLINED["pm_card_chargeDeclined"] if behaviour.get("settle_declines") else None)
        intent["status"] = "processing"
        if ends_badly:
            intent["sandbox_error"] = card_error(ends_badly, method)
        ledger.put_intent(intent, settle_at=time.time() + behaviour.get("settle_ms", SETTLE_MS) / 1000)
        ledger.tell("payment_intent.processing", shown(intent))
        return
    ledger.capture(intent)


def get_intent(ledger, intent_id):
    intent = ledger.intent(intent_id)
    if intent is None:
        raise wire.invalid(f"No such payment_intent: '{intent_id}'", "intent", "resource_missing", 404)
    return shown(intent)


def page_of(form):
    return wire.integer_of(form, "limit", "10", 1, 100)


def list_intents(ledger, form):
    """Newest first."""
    wire.only(form, {"limit", "starting_after", "created"})
    limit, after = page_of(form), form.get("starting_after")
    since = wire.integer_of(form.get("created", {}), "gte", "0")
    rows = ledger.all("SELECT body FROM intents WHERE created >= ? AND (? IS NULL OR rowid < (SELECT rowid FROM intents WHERE"
                      " id = ?)) ORDER BY rowid DESC LIMIT ?", since, after, after, limit + 1)
    return {"object": "list", "url": "/v1/payment_intents", "has_more": len(rows) > limit,
            "data": [shown(json.loads(row["body"])) for row in rows[:limit]]}


def search_intents(ledger, form):
    """Of Stripe's query language the one clause that finds an object by what its maker wrote on it."""
    wire.only(form, {"limit", "query"})
    query = wire.text_of(form, "query")
    match = re.fullmatch(r"""metadata\[(['"])([^'"]{1,40})\1\]:(['"])([^'"]{0,500})\3""", query)
    if not match:
        raise wire.invalid("This sandbox knows the query metadata['name']:'value' alone.", "query")
    rows = ledger.all("SELECT body FROM intents JOIN metadata ON intent = intents.id WHERE key = ? AND value = ?"
                      " ORDER BY intents.rowid DESC LIMIT ?", match[2], match[4], page_of(form))
    return {"object": "search_result", "url": "/v1/payment_intents/search", "has_more": False, "next_page": None,
            "data": [shown(json.loads(row["body"])) for row in rows]}


# ---- refunds -----------------------------------------------------------------------------------------------------------


def create_refund(ledger, form):
    wire.only(form, {"payment_intent", "amount", "reason", "metadata"})
    intent = get_intent(ledger, wire.text_of(form, "payment_intent"))
    charge = ledger.charge_of(intent["id"])
    if charge is None:
        raise wire.invalid(f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.", "payment_intent")
    left = charge["amount"] - charge["refunded"]
    if left == 0:
        raise wire.invalid(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    amount = wire.integer_of(form, "amount", str(left), least=1)
    if amount > left:
        raise wire.invalid(f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})", "amount",
                           "amount_too_large")
    refund = {
        "id": new_id("re"), "object": "refund", "amount": amount, "charge": charge["id"], "created": int(time.time()),
        "currency": intent["currency"], "metadata": wire.metadata_of(form), "payment_intent": intent["id"],
        "reason": form.get("reason"), "status": "succeeded",
    }
    ledger.put_refund(refund, charge)
    return refund


def get_refund(ledger, refund_id):
    row = ledger.one("SELECT body FROM refunds WHERE id = ?", refund_id)
    if row is None:
        raise wire.invalid(f"No such refund: '{refund_id}'", "id", "resource_missing", 404)
    return json.loads(row["body"])


def list_refunds(ledger, form):
    wire.only(form, {"payment_intent", "limit"})
    intent_id, limit = form.get("payment_intent"), page_of(form)
    rows = ledger.all("SELECT body FROM refunds WHERE ? IS NULL OR intent = ? ORDER BY rowid DESC LIMIT ?", intent_id, intent_id,
                      limit + 1)
    return {"object": "list", "url": "/v1/refunds", "has_more": len(rows) > limit,
            "data": [json.loads(row["body"]) for row in rows[:limit]]}


def get_event(ledger, event_id):
    row = ledger.one("SELECT body FROM events WHERE id = ?", event_id)
    if row is None:
        raise wire.invalid(f"No such event: '{event_id}'", "id", "resource_missing", 404)
    return json.loads(row["body"])


# ---- for checkers ------------------------------------------------------------------------------------------------------


def captures(ledger):
    """Every charge that took money, oldest first, with what its intent says."""
    rows = ledger.all("SELECT charges.*, intents.body FROM charges JOIN intents ON intents.id = intent ORDER BY charges.rowid")
    found = []
    for row in rows:
        intent = json.loads(row["body"])
        found.append({"id": row["id"], "payment_intent": row["intent"], "created": row["created"], "amount": row["amount"],
                      "amount_refunded": row["refunded"], "currency": intent["currency"], "metadata": intent["metadata"]})
    return {"data": found}
