"""What goes over the wire: form-encoded requests with names like metadata[order_id], Stripe's error objects, its signature.

The one idea: what is not understood is refused with 400, as Stripe does; a client's mistake must not pass here and fail there.
"""

import hashlib
import hmac
import json
import re
import urllib.parse

_NAME = re.compile(r"^([a-z_0-9]+)((?:\[[^\[\]]*\])*)$")


class Refusal(Exception):
    """An answer that is an error object. One that `is_kept` is given again for the same key, as a result would be."""

    def __init__(self, status, kind, message, *, is_kept=False, **more):
        super().__init__(message)
        self.status = status
        self.is_kept = is_kept
        self.body = {"error": {"type": kind, "message": message, **more}}


def invalid(message, parameter=None, code=None, status=400):
    more = {"param": parameter} if parameter else {}
    if code:
        more["code"] = code
    return Refusal(status, "invalid_request_error", message, **more)


def parse_form(text):
    """"a=1&metadata[k]=v&types[]=card" as {"a": "1", "metadata": {"k": "v"}, "types": ["card"]}."""
    form = {}
    try:
        pairs = urllib.parse.parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), errors="strict")
    except ValueError as error:
        raise invalid(f"Invalid form: {error}") from None
    for name, value in pairs:
        match = _NAME.match(name)
        keys = re.findall(r"\[([^\[\]]*)\]", match[2]) if match else []
        if not match or len(keys) > 1:
            raise invalid(f"Invalid parameter name: {name}", name)
        if not keys:
            form[match[1]] = value
            continue
        group = form.setdefault(match[1], [] if keys[0] == "" else {})
        if isinstance(group, list) and keys[0] == "":
            group.append(value)
        elif isinstance(group, dict) and keys[0] != "":
            group[keys[0]] = value
        else:
            raise invalid(f"Invalid parameter: {name}", name)
    return form


def only(form, known):
    for name in form:
        if name not in known:
            raise invalid(f"Received unknown parameter: {name}", name, "parameter_unknown")


def text_of(form, name, default=None):
    value = form.get(name, default)
    if value is None:
        raise invalid(f"Missing required param: {name}.", name, "parameter_missing")
    if not isinstance(value, str):
        raise invalid(f"Invalid string: {name}", name)
    return value


def integer_of(form, name, default=None, least=None, most=None):
    text = text_of(form, name, default)
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise invalid(f"Invalid integer: {text}", name, "parameter_invalid_integer")
    value = int(text)
    if (least is not None and value < least) or (most is not None and value > most):
        raise invalid(f"This value must be between {least} and {most}.", name, "parameter_invalid_integer")
    return value


def flag_of(form, name):
    value = text_of(form, name, "false")
    if value not in ("true", "false"):
        raise invalid(f"Invalid boolean: {value}", name)
    return value == "true"


def metadata_of(form):
    metadata = form.get("metadata", {})
    if not isinstance(metadata, dict):
        raise invalid("Invalid hash", "metadata")
    if len(metadata) > 50 or any(len(key) > 40 or len(value) > 500 for key, value in metadata.items()):
        raise invalid("Metadata has at most 50 keys, of 40 characters, with values of 500.", "metadata")
    return metadata


def encode(value):
    return json.dumps(value, separators=(",", ":")).encode()


def sign(body, secrets, at):
    """The Stripe-Signature field: HMAC-SHA256 of "time.body", one v1 for each secret."""
    marks = (hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest() for secret in secrets)
    return ",".join([f"t={at}", *(f"v1={mark}" for mark in marks)])
