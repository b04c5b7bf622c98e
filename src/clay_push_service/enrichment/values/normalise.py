"""Normalises the value of a field: the form that is stored, and the key by which two values are compared. Pure."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from clay_push_service.enrichment.values import contacts
from clay_push_service.enrichment.values.fields import Field

MAX_CHARACTERS = 2_000
"""Longest stored value. Values come from web pages; a longer one is cut."""
MAX_WORDS = 100
"""Most entries of one list."""
ABSENT = frozenset({"", "null", "undefined"})
"""Texts that stand for an empty cell."""
NOT_PICKED = re.compile(r"/[A-Za-z][\w .()-]{0,100}")
"""A column's name that was typed into the body instead of picked from Clay's list: `/Work Email`."""
SIZES = ((1, "1"), (10, "2-10"), (50, "11-50"), (200, "51-200"), (500, "201-500"), (1_000, "501-1000"),
         (5_000, "1001-5000"), (10_000, "5001-10000"))  # fmt: skip
"""Upper bounds of the ranges of employees, as LinkedIn has them."""
LARGEST = "10001+"
_NUMBER = re.compile(r"\d+")
_THOUSANDS = re.compile(r"(?<=\d)[,.' ](?=\d{3}(?!\d))")
_THOUSAND = re.compile(r"(?<=\d)\s*k\b", re.IGNORECASE)
_LIST = re.compile(r"[,;|\n]")

Value = str | tuple[str, ...]
Raw = str | Sequence[str]


class Refusal(StrEnum):
    """Why a value is not stored."""

    COLUMN_NOT_PICKED = "column_not_picked"
    NOT_AN_EMAIL = "not_an_email"
    NOT_A_URL = "not_a_url"
    NOT_A_SIZE = "not_a_size"


EXPLANATIONS: Mapping[Refusal, str] = MappingProxyType(
    {
        Refusal.COLUMN_NOT_PICKED: "The body holds the name of a column as text. In Clay, type / and pick the column from the list.",
        Refusal.NOT_AN_EMAIL: "This is not an e-mail address.",
        Refusal.NOT_A_URL: "This is not a web address of the expected site.",
        Refusal.NOT_A_SIZE: "This is not a number or a range of employees.",
    }
)


@dataclass(frozen=True, slots=True)
class Normalised:
    value: Value
    key: str


def clean(text: str) -> str:
    """Composed Unicode, one blank between words, no control characters or lone surrogates, at most MAX_CHARACTERS."""
    printable = "".join(" " if unicodedata.category(each) in {"Cc", "Cs", "Zl", "Zp"} else each for each in text)
    return " ".join(unicodedata.normalize("NFC", printable).split())[:MAX_CHARACTERS].rstrip()


def is_absent(raw: Raw) -> bool:
    if isinstance(raw, str):
        return clean(raw).lower() in ABSENT
    return all(is_absent(each) for each in raw)


def normalise(field: str, raw: Raw, location: str | None = None) -> Normalised | Refusal | None:
    """Returns None for an empty value. `location`: the lead's, for a phone number without a country."""
    if is_absent(raw):
        return None
    if isinstance(raw, str) and NOT_PICKED.fullmatch(raw.strip()):
        return Refusal.COLUMN_NOT_PICKED
    if field == Field.TECHNOLOGIES:
        return _words(raw)
    text = clean(raw if isinstance(raw, str) else ", ".join(raw))
    if field == Field.PHONE:
        return Normalised(*contacts.phone(text, location))
    rule = RULES.get(field)
    return Normalised(text, text.casefold()) if rule is None else rule(text)


def _email(text: str) -> Normalised | Refusal:
    address = contacts.email(text)
    return Refusal.NOT_AN_EMAIL if address is None else Normalised(address, address.casefold())


def _linkedin(text: str) -> Normalised | Refusal:
    return _page(contacts.page_of(text, ("linkedin.com",)))


def _twitter(text: str) -> Normalised | Refusal:
    """Converts a handle or an address to an address on x.com."""
    return _page(contacts.twitter_page(text))


def _website(text: str) -> Normalised | Refusal:
    return _page(contacts.page_of(text))


def _page(found: tuple[str, str] | None) -> Normalised | Refusal:
    return Refusal.NOT_A_URL if found is None else Normalised(*found)


def _size(text: str) -> Normalised | Refusal:
    """Returns the range that contains the number. A range counts by its upper bound; `500+` is the range above 500."""
    plain = _THOUSAND.sub("000", _THOUSANDS.sub("", text))
    numbers = [int(each[:9]) for each in _NUMBER.findall(plain)][:2]
    if not numbers or max(numbers) < 1:
        return Refusal.NOT_A_SIZE
    number = max(numbers) + (1 if "+" in plain else 0)
    size = next((name for most, name in SIZES if number <= most), LARGEST)
    return Normalised(size, size)


def _words(raw: Raw) -> Normalised | None:
    parts = _LIST.split(raw) if isinstance(raw, str) else raw
    words: dict[str, str] = {}
    for part in parts:
        if word := clean(part):
            words.setdefault(word.casefold(), word)
    chosen = list(words.items())[:MAX_WORDS]
    if not chosen:
        return None
    return Normalised(tuple(word for _, word in chosen), "\n".join(sorted(key for key, _ in chosen)))


RULES: Mapping[str, Callable[[str], Normalised | Refusal]] = MappingProxyType(
    {
        Field.EMAIL: _email,
        Field.LINKEDIN_URL: _linkedin,
        Field.TWITTER_URL: _twitter,
        Field.COMPANY_WEBSITE: _website,
        Field.COMPANY_SIZE: _size,
    }
)
"""The other fields are plain text."""
