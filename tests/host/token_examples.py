"""Access tokens with changed claims."""

import base64
import hashlib
import hmac
import json

SECRET = "a-secret-of-the-host"  # shorter than 32 bytes: the host's secret may be short


NOW = 1_770_000_000


GOOD = {"sub": "johndoe", "exp": NOW + 900, "type": "access"}


def signed(claims: str, header: str = '{"alg":"HS256","typ":"JWT"}', secret: str = SECRET) -> str:
    """Sign the token without a library, because a library refuses to create most of these tokens."""
    parts = [base64.urlsafe_b64encode(part.encode()).rstrip(b"=") for part in (header, claims)]
    signature = hmac.new(secret.encode(), b".".join(parts), hashlib.sha256).digest()
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


def with_claims(**changed: object) -> str:
    return signed(json.dumps({**GOOD, **changed}))


def without(claim: str) -> str:
    return signed(json.dumps({key: value for key, value in GOOD.items() if key != claim}))


def raw_exp(text: str) -> str:
    return signed('{"sub":"johndoe","type":"access","exp":' + text + "}")
