"""Parses the e-mail domain of an exclusion. No network: no DNS query."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Domain:
    """`name`: in lower case, as people write it. `ascii_name`: as it may also stand in an address (`xn--…`)."""

    name: str
    ascii_name: str


def parse_domain(text: str) -> Domain | None:
    """`acme.com`, also written `@acme.com`; None for anything else, such as an address or a name without a dot."""
    import email_validator  # here, because most processes and commands need no address

    try:
        found = email_validator.validate_email(
            f"x@{text.strip().removeprefix('@').rstrip('.')}", check_deliverability=False, test_environment=True
        )
    except email_validator.EmailNotValidError:
        return None
    return Domain(found.domain.lower(), found.ascii_domain.lower()) if "." in found.domain else None
