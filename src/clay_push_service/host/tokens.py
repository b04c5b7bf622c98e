"""Whose NexusLeads access token this is. Takes HS256 and nothing else; whatever is wrong, says only that it is not valid."""

import json
import math
from typing import Final

from jwt.algorithms import HMACAlgorithm
from jwt.api_jws import PyJWS

from clay_push_service.errors import UnauthorizedError

MAX_TOKEN_CHARACTERS: Final = 8192
"""The host's tokens have 150. Longer ones cost a hash over whatever a stranger sends."""
MAX_USERNAME_CHARACTERS: Final = 255
LAST_SECOND: Final = 253_402_300_799
"""9999-12-31T23:59:59Z. A later `exp` is no date but an attempt."""


class _Hmac(HMACAlgorithm):
    """The host's key may be shorter than the 32 bytes PyJWT warns of on every call; `settings` has the minimum."""

    def check_key_length(self, key: bytes) -> str | None:
        del key
        return None


_JWS: Final = PyJWS(algorithms=[])
_JWS.register_algorithm("HS256", _Hmac(_Hmac.SHA256))


def username_of(token: str, secret: str, *, now: float) -> str:
    """`now`: seconds since 1970. The `sub` of a valid access token. Raises UnauthorizedError for everything wrong, and never anything else."""
    try:
        return _username(token, secret, now)
    except UnauthorizedError:
        raise
    except Exception:  # noqa: BLE001  # a stranger wrote the token: RecursionError, UnicodeError and their kin are his doing
        raise _refused("The access token is not valid.") from None


def _username(token: str, secret: str, now: float) -> str:
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise _refused("The access token is not valid.")
    # The signature through PyJWT, the claims by hand: it takes an `exp` that is a string, a bool or has 400 digits.
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
    username.encode()  # PostgreSQL takes neither a lone surrogate nor a NUL
    if "\0" in username:
        raise _refused("The access token names no user.")
    return username


def _is_second(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and 0 < value <= LAST_SECOND if isinstance(value, float) else 0 < value <= LAST_SECOND


def _refused(detail: str) -> UnauthorizedError:
    return UnauthorizedError(detail, code="invalid_token", headers={"WWW-Authenticate": "Bearer"})
