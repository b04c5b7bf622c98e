"""Case-insensitive, Unicode-normalized text search with the same result in every database locale, including C.

PostgreSQL's lower() and ILIKE depend on the locale (in C they handle ASCII only), and no Unicode collation exists everywhere: the
embedded server has no ICU, PostgreSQL 15 no built-in one. So Python lists the case variants, and PostgreSQL compares characters.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from functools import cache

from sqlalchemy import ColumnElement, Text, case, cast, collate, func, literal

_BASE_PLANE = 0xFFFF


def fold(value: str) -> str:
    """The form used for comparison: canonical composition (NFC) of the case-folded text."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", value).casefold())


def contains(value: ColumnElement[str], words: str) -> ColumnElement[bool]:
    """Whether `value` contains `words`; null for a null value."""
    # Text with one byte per character needs no composition: it is ASCII, or in an encoding for which normalize() fails.
    plain = func.octet_length(value) == func.char_length(value)
    is_unicode = func.getdatabaseencoding() == literal("UTF8", Text())
    composed = case((plain, value), (is_unicode, func.normalize(value)), else_=value)
    # The pattern lists every variant, so no locale is needed; the host's own collation may not support patterns.
    return collate(cast(composed, Text()), "C").regexp_match(pattern(words))


def pattern(words: str) -> str:
    """An ASCII regular expression for PostgreSQL that matches these words in NFC text."""
    folded = fold(words)
    variants, longest = _variants()
    parts: list[str] = []
    position = 0
    while position < len(folded):
        pieces = (folded[position : position + length] for length in range(longest, 1, -1))
        piece = next((each for each in pieces if each in variants), folded[position])
        parts.append(_alternatives(piece, variants))
        position += len(piece)
    return "".join(parts)


def _alternatives(piece: str, variants: Mapping[str, str]) -> str:
    """`ss` also matches ß and ẞ; a single character matches its case variants."""
    spelled = "".join(f"[{_escaped(each + variants.get(each, ''))}]" for each in piece)
    if len(piece) == 1:
        return spelled
    return f"(?:{spelled}|[{_escaped(variants[piece])}])"


def _escaped(characters: str) -> str:
    return "".join(
        each
        if re.match(r"[A-Za-z0-9]", each)
        else (f"\\u{ord(each):04x}" if ord(each) <= _BASE_PLANE else f"\\U{ord(each):08x}")
        for each in characters
    )


@cache
def _variants() -> tuple[Mapping[str, str], int]:
    """Folded text → the other characters that fold to it; and the length of the longest such text. Built once per process (0.5 s)."""
    found: defaultdict[str, str] = defaultdict(str)
    for number in range(0x110000):
        each = chr(number)
        if each.isascii() and not each.isupper():
            continue
        folded = each.casefold()
        if folded != each:
            found[unicodedata.normalize("NFC", folded)] += each
    return found, max(map(len, found))
