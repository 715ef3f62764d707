"""Tokens for tests: HS256, because it takes nothing but the standard library; and RS256, for keys that others may see."""

import base64
import hashlib
import hmac
import json
import subprocess
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


def openssl(*words, given=None):
    """What the command says; `given` is its input."""
    done = subprocess.run(["openssl", *map(str, words)], input=given, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


class SigningKey:
    """An issuer's RSA key: signs tokens, and shows its public half."""

    def __init__(self, folder, kid):
        self.kid, self.path = kid, folder / f"{kid}.pem"
        openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", self.path)
        modulus = openssl("rsa", "-in", self.path, "-noout", "-modulus").decode().strip().removeprefix("Modulus=")
        self.public = {"kty": "RSA", "kid": kid, "alg": "RS256", "use": "sig", "e": "AQAB", "n": encode(bytes.fromhex(modulus))}

    def token(self, claims, **header):
        text = f"{encode({'alg': 'RS256', 'kid': self.kid, **header})}.{encode(claims)}"
        return f"{text}.{encode(openssl('dgst', '-sha256', '-sign', self.path, given=text.encode()))}"


def public_set(*keys):
    """The JWK Set of SigningKeys, as bytes."""
    return json.dumps({"keys": [key.public for key in keys]}).encode()
