"""Validates NexusLeads access tokens (HS256 only) and returns their user name."""

import json
import math
from dataclasses import dataclass
from typing import Final

from jwt.algorithms import HMACAlgorithm
from jwt.api_jws import PyJWS

from clay_push_service.errors import UnauthorizedError

MAX_TOKEN_CHARACTERS: Final = 8192
"""The host's tokens have 150. The limit bounds the hashing of input from unauthenticated callers."""
MAX_USERNAME_CHARACTERS: Final = 255
LAST_SECOND: Final = 253_402_300_799
"""9999-12-31T23:59:59Z. A later `exp` is not a valid date."""


class _Hmac(HMACAlgorithm):
    """Skips PyJWT's warning, on every call, about keys under 32 bytes; `settings` enforces the minimum length."""

    def check_key_length(self, key: bytes) -> str | None:
        del key
        return None


_JWS: Final = PyJWS(algorithms=[])
_JWS.register_algorithm("HS256", _Hmac(_Hmac.SHA256))


@dataclass(frozen=True, slots=True)
class AccessToken:
    """The claims of a valid token."""

    username: str
    expires_at: float
    """Seconds since 1970."""


def username_of(token: str, secret: str, *, now: float) -> str:
    """Returns the `sub` of a valid access token, as `read_token` does."""
    return read_token(token, secret, now=now).username


def read_token(token: str, secret: str, *, now: float) -> AccessToken:
    """Raises UnauthorizedError, and nothing else, for any invalid token. `now`: seconds since 1970."""
    try:
        return _read(token, secret, now)
    except UnauthorizedError:
        raise
    except Exception:  # noqa: BLE001  # a token is untrusted input: RecursionError, UnicodeError and others mean that it is invalid
        raise _refused("The access token is not valid.") from None


def _read(token: str, secret: str, now: float) -> AccessToken:
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise _refused("The access token is not valid.")
    # PyJWT checks the signature only: its claim check accepts an `exp` that is a string, a bool or has 400 digits.
    claims = json.loads(_JWS.decode(token, secret, algorithms=["HS256"]))
    if not isinstance(claims, dict) or claims.get("type") != "access" or "aud" in claims:
        raise _refused("This is not an access token.")
    if not _is_second(claims.get("exp")) or not _is_second(claims.get("nbf", 1)):
        raise _refused("The access token is not valid.")
    if claims["exp"] <= now:
        raise _refused("The access token has expired. Sign in again.")
    if claims.get("nbf", 1) > now:
        raise _refused("The access token is not valid yet.")
    username = claims.get("sub")
    if not isinstance(username, str) or not username.strip() or len(username) > MAX_USERNAME_CHARACTERS:
        raise _refused("The access token names no user.")
    username.encode()  # PostgreSQL accepts neither a lone surrogate nor a NUL
    if "\0" in username:
        raise _refused("The access token names no user.")
    return AccessToken(username, float(claims["exp"]))


def _is_second(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and 0 < value <= LAST_SECOND if isinstance(value, float) else 0 < value <= LAST_SECOND


def _refused(detail: str) -> UnauthorizedError:
    return UnauthorizedError(detail, code="invalid_token", headers={"WWW-Authenticate": "Bearer"})
