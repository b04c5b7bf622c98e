"""Form of a Clay API key: refuses what is pasted around a key, and masks it. Pure; no message contains the key."""

from typing import Final

BULLET: Final = "•"
"""Occurs in masked keys only."""
MAX_CHARACTERS: Final = 512
SHOWN_CHARACTERS: Final = 4
QUOTES: Final = frozenset("\"'`“”‘’«»")
ADVICE: Final = "Ensure there are no extra spaces or quotes."
"""Word for word from the enrichment guide."""


def malformation(key: str) -> str | None:
    """Return why the key cannot be used, as the end of a sentence with its remedy; None for a key that can be tried."""
    if not key:
        return f"is empty. {ADVICE}"
    if key != key.strip() or key[0] in QUOTES or key[-1] in QUOTES:
        return f"has spaces or quotes around it. {ADVICE}"
    if len(key) > MAX_CHARACTERS:
        return f"is longer than {MAX_CHARACTERS} characters. Paste the key alone."
    if ("=" in key[:20] and key.upper().startswith("CLAY_API_KEY")) or key.lower().startswith(
        ("clay-api-key", "bearer ")
    ):
        return "begins with a name. Paste the key alone, without the name of a variable or header."
    if not key.isascii() or not key.isprintable() or " " in key:
        return f"has spaces inside, or characters that no key has. {ADVICE}"
    return None


def mask_key(key: str) -> str:
    """`••••abcd`: enough to tell two keys apart, too little to use one. A short key shows nothing."""
    return BULLET * 4 + (key[-SHOWN_CHARACTERS:] if len(key) >= 4 * SHOWN_CHARACTERS else "")
