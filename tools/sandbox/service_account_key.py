"""The key that signs service account tokens, so that tests can have expired tokens.

The standard library has no elliptic curves, and P-256 takes few lines. This code is not constant-time: use it only for
the sandbox.
"""

import base64
import hashlib
import json
import secrets
from typing import Any

# NIST P-256 (FIPS 186-5; SEC 2, section 2.4.2): y^2 = x^3 - 3x + b over the field of PRIME, with a base point of ORDER.
PRIME = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
BASE = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
SIZE = 32

# RFC 5915: SEQUENCE { INTEGER 1, OCTET STRING (32 bytes: the key), [0] OBJECT IDENTIFIER prime256v1 }
DER_BEFORE_KEY = bytes.fromhex("30310201010420")
DER_AFTER_KEY = bytes.fromhex("a00a06082a8648ce3d030107")

Point = tuple[int, int]


class ServiceAccountKey:
    """A new ECDSA key on P-256."""

    def __init__(self) -> None:
        self._secret = 1 + secrets.randbelow(ORDER - 1)

    def pem(self) -> str:
        """Returns the private key as PEM (RFC 5915)."""
        der = DER_BEFORE_KEY + self._secret.to_bytes(SIZE, "big") + DER_AFTER_KEY
        return f"-----BEGIN EC PRIVATE KEY-----\n{base64.encodebytes(der).decode()}-----END EC PRIVATE KEY-----\n"

    def token(self, claims: dict[str, Any]) -> str:
        """Returns a signed JSON Web Token (RFC 7515, algorithm ES256) with these claims."""
        head = {"alg": "ES256", "typ": "JWT"}
        signed = ".".join(_base64url(json.dumps(part).encode()) for part in (head, claims))
        return f"{signed}.{_base64url(self._sign(signed.encode()))}"

    def _sign(self, message: bytes) -> bytes:
        digest = int.from_bytes(hashlib.sha256(message).digest(), "big")
        nonce = 1 + secrets.randbelow(ORDER - 1)
        r = _multiply(nonce, BASE)[0] % ORDER
        s = pow(nonce, -1, ORDER) * (digest + r * self._secret) % ORDER
        return r.to_bytes(SIZE, "big") + s.to_bytes(SIZE, "big")


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _add(a: Point, b: Point) -> Point:
    slope = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, PRIME) if a == b else (b[1] - a[1]) * pow(b[0] - a[0], -1, PRIME)
    x = (slope * slope - a[0] - b[0]) % PRIME
    return x, (slope * (a[0] - x) - a[1]) % PRIME


def _multiply(factor: int, point: Point) -> Point:
    result: Point | None = None
    while factor:
        if factor & 1:
            result = point if result is None else _add(result, point)
        point = _add(point, point)
        factor >>= 1
    if result is None:
        raise ValueError("a factor must be positive")
    return result
