"""Checks the secret that signs NexusLeads' access tokens: rejects published defaults and weak keys."""

import re
from typing import Final

PUBLISHED: Final = (
    "dev-secret-key-change-in-production",
    "your-secret-key-change-this-in-production",
    "your-secret-key-change-in-production",
    "your-secret-key-here-generate-with-openssl-rand-hex-32",
    "your-secret-key-here",
    "your-secret-key",
    "change-me",
    "changeme",
)
"""Values of `SECRET_KEY` in NexusLeads' repository and its copies: every reader can sign tokens with them."""
MINIMUM_BYTES: Final = 32
"""RFC 7518, section 3.2: an HS256 key has at least the size of the hash, 256 bits."""
MINIMUM_DIFFERENT: Final = 12
"""Of the 64 hexadecimal digits that `openssl rand -hex 32` prints, fewer are different in one of six million cases."""


def weakness(secret: str) -> str | None:
    """Return why the secret must not be used, as the end of a sentence, or None. The text never contains the secret."""
    if _letters(secret) in {_letters(each) for each in PUBLISHED}:
        return "is a published default of NexusLeads; anyone could sign a token with it"
    bare = secret.strip()
    if len(bare.encode("utf-8", "surrogatepass")) < MINIMUM_BYTES:
        return f"is shorter than {MINIMUM_BYTES} bytes; `openssl rand -hex 32` creates a good one for NexusLeads and this service"
    if len(set(bare)) < MINIMUM_DIFFERENT:
        return f"has fewer than {MINIMUM_DIFFERENT} different characters; `openssl rand -hex 32` creates a good one"
    return None


def _letters(secret: str) -> str:
    """Return the letters and digits only: a published value with other case, spaces, quotes or separators is still public."""
    return re.sub(r"[\W_]", "", secret).casefold()
