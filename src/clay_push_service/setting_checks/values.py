"""Checks of single settings, as validators call them: each raises ValueError with the end of a sentence. No I/O but files."""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from pydantic import SecretStr

from clay_push_service.setting_checks.api_key_form import malformation

LONGEST_PORT = 65_535
HOST_RULE = re.compile(r"(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?(?::([0-9]{1,5}))?|\[[0-9a-f:.]+\](?::([0-9]{1,5}))?")


def check_host_rules(parts: Sequence[str]) -> None:
    for part in parts:
        found = HOST_RULE.fullmatch(part.lower())
        port = next(filter(None, found.groups()), None) if found else None
        if found is None or (port is not None and not 1 <= int(port) <= LONGEST_PORT):
            raise ValueError(f"{part!r} is not a host; write clay.com, *.clay.com, or either with :port")


def api_key(value: SecretStr) -> SecretStr:
    if (reason := malformation(value.get_secret_value())) is not None:
        raise ValueError(reason)
    return value


def api_url(url: str) -> str:
    """The address without a slash at its end. The guard checks its host before each request, as that of a webhook."""
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in {"https", "http"} and bool(parts.hostname) and parts.username is None
    except ValueError:
        is_usable = False
    if not is_usable or "?" in url or "#" in url or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("is not an address such as https://api.clay.com/public/v0")
    return url.rstrip("/")


def certificate_file(path: str) -> str:
    import ssl  # here, because most commands do not need it

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except OSError:
        raise ValueError(f"{path} is not a readable PEM file with certificates") from None
    return path
