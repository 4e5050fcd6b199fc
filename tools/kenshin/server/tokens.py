"""Service codes and upload tokens.

A token is 256 random bits, printed once and kept only as its SHA-256. A fast hash is right here:
nobody can guess 256 random bits, so there is nothing for a slow one to slow down.
"""

import hashlib
import hmac
import secrets

# No i, l, o, 0, 1: a code is read aloud and typed.
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
PREFIX = "psw"
PREFIXES = (PREFIX, "pss", "tpm", "tps")

_LONGEST = 200


def new_code() -> str:
    """A service code: `psw` and eight letters or digits that cannot be mistaken."""
    return PREFIX + "".join(secrets.choice(ALPHABET) for _ in range(8))


def is_code(text: str) -> bool:
    """Whether this has the form of a service code: a known prefix and 8 letters or digits."""
    return (
        len(text) == 11
        and text.isascii()
        and text.isalnum()
        and text == text.lower()
        and text[:3] in PREFIXES
    )


def new_token() -> str:
    """An upload token: 256 random bits in 43 characters that need no escaping."""
    return secrets.token_urlsafe(32)


def sha256(token: str) -> str:
    """What is stored of a token: 64 hexadecimal digits."""
    return hashlib.sha256(token.encode()).hexdigest()


def same(a: str, b: str) -> bool:
    """Whether two hashes are equal, in a time that does not depend on where they differ."""
    return hmac.compare_digest(a.encode(), b.encode())


def bearer(authorization: str | None) -> str | None:
    """The token of an Authorization header; None when it is absent or not a bearer token."""
    scheme, _, token = (authorization or "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not 0 < len(token) <= _LONGEST:
        return None
    return token
