"""Confidence of a value, 0 to 100: as reported, derived from another figure by a fixed table, or none.

The derived figures are this service's own: the status words and PDL's likelihood scale are known, their percentages are not.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class ConfidenceBasis(StrEnum):
    """Where the figure comes from."""

    REPORTED = "reported"
    DERIVED = "derived"
    NONE = "none"


class ConfidenceBand(StrEnum):
    """The bands of the enrichment guide. A missing confidence is not a low one."""

    VERY_HIGH = "very_high"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    NOT_GIVEN = "not_given"


class EmailCheck(StrEnum):
    """What an e-mail check found; Clay's five words."""

    VALID = "valid"
    CATCH_ALL = "catch_all"
    ROLE = "role"
    UNKNOWN = "unknown"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Confidence:
    percent: int | None = None
    basis: ConfidenceBasis = ConfidenceBasis.NONE


NOT_GIVEN = Confidence()
BANDS = (
    (90, ConfidenceBand.VERY_HIGH),
    (70, ConfidenceBand.HIGH),
    (50, ConfidenceBand.MEDIUM),
    (0, ConfidenceBand.LOW),
)
OF_STATUS: Mapping[EmailCheck, int | None] = MappingProxyType(
    {EmailCheck.VALID: 95, EmailCheck.CATCH_ALL: 60, EmailCheck.ROLE: 50, EmailCheck.UNKNOWN: 40, EmailCheck.INVALID: None}
)  # fmt: skip
"""An invalid address is stored and never chosen, so it has no confidence."""
OF_LIKELIHOOD: Mapping[int, int] = MappingProxyType({10: 98, 9: 95, 8: 90, 7: 80, 6: 70, 5: 60, 4: 50})
"""People Data Labs' likelihood of a match, 1 to 10: a logarithmic scale, so not ten times the figure."""
LEAST_LIKELIHOOD, LEAST_LIKELY_PERCENT = 1, 30
STATUS_WORDS: Mapping[str, EmailCheck] = MappingProxyType(
    {
        "valid": EmailCheck.VALID, "verified": EmailCheck.VALID, "deliverable": EmailCheck.VALID,
        "catchall": EmailCheck.CATCH_ALL, "acceptall": EmailCheck.CATCH_ALL, "validcatchall": EmailCheck.CATCH_ALL,
        "role": EmailCheck.ROLE, "rolebased": EmailCheck.ROLE,
        "unknown": EmailCheck.UNKNOWN, "unverified": EmailCheck.UNKNOWN,
        "invalid": EmailCheck.INVALID, "undeliverable": EmailCheck.INVALID,
    }
)  # fmt: skip

_NUMBER = re.compile(r"(\d{1,3}(?:[.,]\d{1,20})?)\s*(%?)", re.ASCII)
HIGHEST = 100


def band(percent: int | None) -> ConfidenceBand:
    return ConfidenceBand.NOT_GIVEN if percent is None else next(found for least, found in BANDS if percent >= least)


def read_percent(written: str) -> int | None:
    """Reads a reported confidence: `0.92`, `92` and `92 %` are 92. Returns None for anything that is not 0 to 100.

    Up to 1 without a percent sign it is a fraction: a confidence of 1 on the scale to 100 does not occur in practice.
    """
    found = _NUMBER.fullmatch(written.strip())
    if found is None:
        return None
    number = float(found[1].replace(",", "."))
    percent = number * HIGHEST if number <= 1 and not found[2] else number
    return round(percent) if percent <= HIGHEST else None


def of_likelihood(written: str) -> int | None:
    """Returns None for anything that is not a whole number from 1 to 10."""
    if not (written.strip().isascii() and written.strip().isdecimal()):
        return None
    likelihood = int(written.strip()[:3])
    if likelihood in OF_LIKELIHOOD:
        return OF_LIKELIHOOD[likelihood]
    return LEAST_LIKELY_PERCENT if LEAST_LIKELIHOOD <= likelihood < min(OF_LIKELIHOOD) else None


def read_status(written: str) -> EmailCheck | None:
    return STATUS_WORDS.get("".join(letter for letter in written.lower() if letter.isalpha()))


def confidence_of(
    reported: str | None = None, likelihood: str | None = None, status: EmailCheck | None = None
) -> Confidence:
    """The first that can be read: the reported figure, the likelihood of the match, the status of the e-mail address."""
    if reported is not None and (percent := read_percent(reported)) is not None:
        return Confidence(percent, ConfidenceBasis.REPORTED)
    if likelihood is not None and (percent := of_likelihood(likelihood)) is not None:
        return Confidence(percent, ConfidenceBasis.DERIVED)
    if status is not None and (percent := OF_STATUS[status]) is not None:
        return Confidence(percent, ConfidenceBasis.DERIVED)
    return NOT_GIVEN
