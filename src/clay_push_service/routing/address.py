"""Parses the e-mail address of an exclusion. No network: no DNS query. The address itself is never stored or logged."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Address:
    """`forms`: the address with its domain as people write it, and in the encoded form that may also be stored (`xn--…`)."""

    forms: tuple[str, ...] = field(repr=False)


def parse_address(text: str) -> Address | None:
    """Returns None for anything that is not one address."""
    import email_validator  # here, because most processes and commands need no address

    try:
        found = email_validator.validate_email(text.strip(), check_deliverability=False, test_environment=True)
    except email_validator.EmailNotValidError:
        return None
    forms = (f"{found.local_part}@{found.domain}", f"{found.local_part}@{found.ascii_domain}")
    return Address(tuple(dict.fromkeys(each.lower() for each in forms)))
