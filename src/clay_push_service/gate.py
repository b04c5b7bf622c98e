"""May this organization use Clay? A pure rule: everybody in the pilot, Enterprise once billing is on."""

from dataclasses import dataclass
from typing import Final

ENTERPRISE_REQUIRED: Final = "enterprise_required"
MESSAGE: Final = "Clay integration is available on the Enterprise plan. Contact us to upgrade."
"""Word for word from the feature document, section 7.2."""


@dataclass(frozen=True, slots=True)
class Gate:
    """`code` and `message` say why not; both are None when the organization may."""

    available: bool
    code: str | None = None
    message: str | None = None


OPEN: Final = Gate(available=True)


def gate(*, billing_enabled: bool, is_enterprise: bool) -> Gate:
    """The feature document, section 7.1. An organization without a billing row is not enterprise."""
    if not billing_enabled or is_enterprise:
        return OPEN
    return Gate(available=False, code=ENTERPRISE_REQUIRED, message=MESSAGE)
