"""Tokens for tests: HS256, because it takes nothing but the standard library."""

import base64
import hashlib
import hmac
import json
import time

SECRET = b"a secret of exactly 32 bytes, yes"
ISSUER, AUDIENCE = "https://id.example", "callers"


def encode(data):
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def key_set(secret=SECRET, kid="k1"):
    return json.dumps({"keys": [{"kty": "oct", "kid": kid, "alg": "HS256", "use": "sig", "k": encode(secret)}]})


def token(scope="", subject="u1", secret=SECRET, header=None, **claims):
    """A good token, unless an argument says otherwise; a claim of None is left out."""
    header = {"alg": "HS256", "typ": "JWT", "kid": "k1"} if header is None else header
    said = {"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "exp": int(time.time()) + 300, "scope": scope, **claims}
    text = f"{encode(header)}.{encode({name: value for name, value in said.items() if value is not None})}"
    return f"{text}.{encode(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"
