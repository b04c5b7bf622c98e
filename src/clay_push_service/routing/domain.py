"""Parses the e-mail domain of an exclusion. No network: no DNS query."""

from dataclasses import dataclass
from typing import Final

FREE_MAIL: Final = frozenset(
    {
        "126.com", "163.com", "aol.com", "fastmail.com", "free.fr", "gmail.com", "gmx.com", "gmx.de", "gmx.net",
        "googlemail.com", "hey.com", "hotmail.co.uk", "hotmail.com", "hotmail.fr", "icloud.com", "laposte.net", "libero.it",
        "live.com", "mac.com", "mail.com", "mail.ru", "me.com", "msn.com", "naver.com", "orange.fr", "outlook.com",
        "pm.me", "proton.me", "protonmail.com", "qq.com", "rediffmail.com", "rocketmail.com", "t-online.de", "tutanota.com",
        "users.noreply.github.com", "wanadoo.fr", "web.de", "yahoo.co.in", "yahoo.co.jp", "yahoo.co.uk", "yahoo.com", "yahoo.de",
        "yahoo.fr", "yandex.com", "yandex.ru", "ymail.com", "zoho.com",
    }
)  # fmt: skip
"""Domains of mail providers, whose addresses belong to unrelated people, and GitHub's own. Incomplete: used for a warning only."""


@dataclass(frozen=True, slots=True)
class Domain:
    """`name`: in lower case, as people write it. `ascii_name`: as it may also stand in an address (`xn--…`)."""

    name: str
    ascii_name: str


def parse_domain(text: str) -> Domain | None:
    """Parses `acme.com`, also written `@acme.com`. Returns None for anything else, such as an address or a name without a dot."""
    import email_validator  # here, because most processes and commands need no address

    try:
        found = email_validator.validate_email(
            f"x@{text.strip().removeprefix('@').rstrip('.')}", check_deliverability=False, test_environment=True
        )
    except email_validator.EmailNotValidError:
        return None
    return Domain(found.domain.lower(), found.ascii_domain.lower()) if "." in found.domain else None


def warning_of(domain: str | None) -> str | None:
    """Returns a warning about an exclusion of this domain; None: no warning."""
    if domain not in FREE_MAIL:
        return None
    return (
        f"{domain} belongs to a mail provider, not to a company: this exclusion keeps every lead with such an address from Clay."
        " To exclude one person, exclude the lead or the exact address instead."
    )
