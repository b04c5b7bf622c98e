"""Normalises e-mail addresses, phone numbers and web addresses. No network: no DNS query, no request."""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_PORT = re.compile(r"[^/:]+:\d")
"""`example.com:8080/x` has a port, not a scheme."""
_HANDLE = re.compile(r"@?([A-Za-z0-9_]{1,15})", re.ASCII)
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]", re.ASCII)
TWITTER_HOSTS = ("x.com", "twitter.com")
LETTERS_OF_REGION = 2


def email(text: str) -> str | None:
    """Returns the address with its domain in lower case, or None. Its mailbox may not exist: no DNS query is sent."""
    import email_validator  # here, because most processes and commands need no address

    try:
        found = email_validator.validate_email(text, check_deliverability=False)
    except email_validator.EmailNotValidError:
        return None
    return found.normalized


def phone(text: str, location: str | None) -> tuple[str, str]:
    """Returns the number as E.164 and its key. Without a country, and without a region in `location`, the text is unchanged."""
    import phonenumbers  # here, because its metadata takes 20 MB

    region = _region_of(location, phonenumbers.SUPPORTED_REGIONS)
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return text, _digits(text) or text.casefold()
    if not phonenumbers.is_possible_number(number):
        return text, _digits(text) or text.casefold()
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    extended = f"{written} ext. {number.extension}" if number.extension else written
    return extended, _digits(extended)


def _region_of(location: str | None, regions: Sequence[str] | frozenset[str] | set[str]) -> str | None:
    """Returns the two letters of a country at the end of a location such as `Berlin, DE`."""
    last = (location or "").rpartition(",")[2].strip().upper()
    return last if len(last) == LETTERS_OF_REGION and last in regions else None


def _digits(text: str) -> str:
    return "".join(each for each in text if each.isascii() and each.isdecimal())


def page_of(text: str, sites: Sequence[str] = ()) -> tuple[str, str] | None:
    """Returns the address as `https://host/path` and its key, or None. `sites`: the hosts that it must belong to."""
    has_scheme = _SCHEME.match(text) and not _PORT.match(text)
    try:
        parts = urlsplit(text if has_scheme else f"https://{text.lstrip('/')}")
        host = (parts.hostname or "").rstrip(".").encode("idna").decode().removeprefix("www.")
    except ValueError:  # also a UnicodeError of idna
        return None
    path = parts.path.rstrip("/")
    is_page = parts.scheme.lower() in {"http", "https"} and parts.username is None and _HOST.fullmatch(host)
    is_of_site = not sites or any(host == site or host.endswith(f".{site}") for site in sites)
    if not (is_page and is_of_site) or any(each.isspace() for each in path):
        return None
    return f"https://{host}{path}", f"{host}{path}".casefold()


def twitter_page(text: str) -> tuple[str, str] | None:
    handle = _HANDLE.fullmatch(text)
    if handle is not None:
        return f"https://x.com/{handle[1]}", f"x.com/{handle[1].casefold()}"
    found = page_of(text, TWITTER_HOSTS)
    if found is None:
        return None
    _, _, path = found[0].removeprefix("https://").partition("/")
    name = path.partition("/")[0]
    return (f"https://x.com/{name}", f"x.com/{name.casefold()}") if _HANDLE.fullmatch(name) else None
