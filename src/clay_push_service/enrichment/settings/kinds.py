"""The kinds of enrichment, and what the guide requires and estimates for each. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Kind(StrEnum):
    FULL = "full"
    EMAIL = "email"


@dataclass(frozen=True, slots=True)
class Amount:
    """A range of credits or actions. `high` None: no upper limit is known."""

    low: Decimal
    high: Decimal | None

    def times(self, count: int) -> "Amount":
        return Amount(self.low * count, None if self.high is None else self.high * count)


@dataclass(frozen=True, slots=True)
class Price:
    """The estimated price of one lead. Clay reports no cost per run, so no figure is more than an estimate."""

    credits: Amount
    actions: Amount
    is_of_guide: bool
    """Whether any of the figures comes from the guide, because the organization has set none."""


AT_LEAST_ONE_ACTION: Final = Amount(Decimal(1), None)
"""Clay charges one action per step of a routine; the number of steps is not known here."""
GUIDE_CREDITS: Final[Mapping[Kind, Amount]] = MappingProxyType(
    {
        Kind.EMAIL: Amount(Decimal(1), Decimal(2)),
        Kind.FULL: Amount(Decimal(5), Decimal(10)),
    }
)
"""Credits per lead: enrichment guide, "Pricing & Credits"."""
CALLED_ESTIMATE: Final = "An estimate: Clay reports no cost per run."
GUIDE_NOTES: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        Kind.EMAIL: "Figures of the enrichment guide: set the price of your routine for a better estimate.",
        Kind.FULL: "Figures of the enrichment guide: set the price of your routine for a better estimate. Clay's own"
        " documentation names 6 to 20 credits for a fully enriched record.",
    }
)


def price_of(kind: Kind, set_credits: Amount | None, set_actions: Amount | None) -> Price:
    """Returns the price that the organization has set, with the guide's figures for missing parts."""
    return Price(
        credits=set_credits or GUIDE_CREDITS[kind],
        actions=set_actions or AT_LEAST_ONE_ACTION,
        is_of_guide=set_credits is None,
    )


def notes_of(kind: Kind, price: Price) -> list[str]:
    return [CALLED_ESTIMATE, *([GUIDE_NOTES[kind]] if price.is_of_guide else [])]
