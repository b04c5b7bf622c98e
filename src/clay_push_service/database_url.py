"""Parses a PostgreSQL URL as libpq does, for both drivers, and rejects parameters that one of them does not support.

An error names the part or the parameter, never its value: a password may be in the wrong place.
"""

import difflib
import os
import pwd
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from urllib.parse import unquote_to_bytes

from clay_push_service.session_settings import PINNED

SCHEMES = ("postgresql://", "postgres://")
DEFAULT_PORT = 5432
HIGHEST_PORT = 65_535
DEFAULT_HOSTS = ("/var/run/postgresql", "/tmp", "localhost")  # noqa: S108 - where PostgreSQL's own socket is, by build
"""Without a host: the socket directories of Debian's and of PostgreSQL's own builds, then TCP. Both drivers get the same list."""
HOST_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?|[0-9A-Fa-f:.]+(%[A-Za-z0-9_.-]+)?", re.ASCII)
PLAIN_PLACE = re.compile(r"[^:@/?#]*(:[0-9]*)?(,[^:@/?#]*(:[0-9]*)?)*|\[.*", re.ASCII)
"""A host list before the path: `host:5432`, without user and password."""

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
TLS_VERSIONS = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
WRITABLE = ("any", "read-write", "primary")
FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl", "passfile")
TLS = (*FILES, "sslpassword")
"""Passed on unchanged: both drivers support these names."""
NUMBERS: Mapping[str, tuple[int, int]] = MappingProxyType({
    "connect_timeout": (1, 60),  # seconds; 0 of libpq would wait without limit
    "keepalives": (0, 1),
    "keepalives_idle": (1, 7200),  # seconds
    "keepalives_interval": (1, 600),  # seconds
    "keepalives_count": (1, 100),
    "tcp_user_timeout": (1000, 600_000),  # milliseconds
})  # fmt: skip
NO_EFFECT: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "client_encoding": ("utf8", "utf-8", "unicode", "auto"),
    "gssencmode": ("disable", "prefer"),
    "channel_binding": ("disable", "prefer"),
})  # fmt: skip
"""Accepted only with these values, which equal the default behavior."""
PLACE = ("host", "port", "user", "password", "dbname")
CHOICES: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "sslmode": SSL_MODES,
    "ssl": SSL_MODES,
    "ssl_min_protocol_version": TLS_VERSIONS,
    "ssl_max_protocol_version": TLS_VERSIONS,
    "target_session_attrs": WRITABLE,
    **NO_EFFECT,
})  # fmt: skip
SUPPORTED = (*PLACE, *TLS, *CHOICES, *NUMBERS, "application_name", "options")
NOT_A_URL = "not a valid URL (postgresql://user:password@host:port/database)"
OPTION = re.compile(r"(?:-c\s*|--)([A-Za-z_][\w.-]*)=(\S*)", re.ASCII)


class DatabaseUrlError(ValueError):
    """The URL is unusable; the message names the part, without its value."""


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    hosts: tuple[tuple[str, int], ...]
    """In the order in which they are tried; a host that begins with `/` is the directory of a Unix socket."""
    role: str
    password: str | None = field(repr=False)
    """None: the drivers read PGPASSWORD and the password file."""
    database: str
    application_name: str | None
    """None: each kind of process has its own default."""
    target_session_attrs: str
    connect_timeout_seconds: int | None
    """For one host; None: each kind of process has its own default."""
    keepalives: bool
    keepalives_idle_seconds: int
    keepalives_interval_seconds: int
    keepalives_count: int
    tcp_user_timeout_ms: int
    tls: Mapping[str, str] = field(repr=False)
    """The given TLS parameters, by libpq's names."""
    settings: Mapping[str, str]
    """Session settings of `options=-c name=value`."""

    @property
    def files(self) -> Iterator[tuple[str, str]]:
        """Parameters that name a file, with its path."""
        return ((name, self.tls[name]) for name in FILES if self.tls.get(name))


@cache
def parse(url: str) -> DatabaseUrl:
    """Parse a URL. Raises DatabaseUrlError."""
    if not url.startswith(SCHEMES):
        raise DatabaseUrlError("must begin with postgresql://")
    credentials, place, path, query = _split(url.partition("://")[2])
    given = _parameters(query)
    user, _, password = credentials.partition(":")
    role = given.get("user") or _decoded(user, "the user") or _own_name()
    places = [_host_and_port(each) for each in place.split(",")] if place else []
    ports = given.get("port") or ",".join(port for _, port in places)
    hosts = [host for host, _ in places]
    hosts = given["host"].split(",") if given.get("host") else hosts
    number = {name: _number(given, name) for name in NUMBERS}
    return DatabaseUrl(
        hosts=_hosts(hosts or [""], ports.split(",")),
        role=role,
        password=given.get("password") or _decoded(password, "the password") or None,
        database=given.get("dbname") or _decoded(path, "the database's name") or role,
        application_name=given.get("application_name") or None,
        target_session_attrs=given.get("target_session_attrs") or "any",
        connect_timeout_seconds=number["connect_timeout"],
        keepalives=number["keepalives"] != 0,
        keepalives_idle_seconds=number["keepalives_idle"] or 10,
        keepalives_interval_seconds=number["keepalives_interval"] or 5,
        keepalives_count=number["keepalives_count"] or 3,
        tcp_user_timeout_ms=number["tcp_user_timeout"] or 10_000,
        tls=MappingProxyType({name: given[name] for name in (*TLS, *CHOICES) if given.get(name)
                              and name not in NO_EFFECT and name != "target_session_attrs"}),
        settings=MappingProxyType(dict(_options(given.get("options", "")))),
    )  # fmt: skip


def _split(rest: str) -> tuple[str, str, str, str]:
    """Return credentials, hosts, path and query. As in libpq, credentials end at the first `@`.

    libpq treats an earlier `/` as the start of the path. Earlier releases accepted a password with a plain `/`; it is still
    accepted unless the text before it is a host list.
    """
    before, at, after = rest.partition("@")
    place, slash, _ = before.partition("/")
    if at and not (slash and PLAIN_PLACE.fullmatch(place)):
        credentials, rest = before, after
    else:
        credentials = ""
    rest, _, query = rest.partition("?")
    place, _, path = rest.partition("/")
    if "@" in place or "@" in path:
        raise DatabaseUrlError("contains more than one @; in a password write %40 for @ and %2F for /")
    return credentials, place, path, query


def _hosts(hosts: Sequence[str], ports: Sequence[str]) -> tuple[tuple[str, int], ...]:
    """`ports`: one for all or one for each; an empty one is the default."""
    if len(ports) > 1 and len(ports) != len(hosts):
        raise DatabaseUrlError("parameter port: needs one port, or as many as there are hosts")
    found = []
    for index, host in enumerate(hosts):
        if host and not host.startswith("/") and not HOST_NAME.fullmatch(host):
            raise DatabaseUrlError(
                f"is {NOT_A_URL}: the host is no name or address (in a password write %40 for @, %2F for /, %23 for #)"
            )
        found.append((host, _port(ports[index if len(ports) > 1 else 0])))
    if len(found) == 1 and not found[0][0]:
        return tuple((host, found[0][1]) for host in DEFAULT_HOSTS)
    return tuple((host or "localhost", port) for host, port in found)


def _host_and_port(place: str) -> tuple[str, str]:
    """Split `host:port`, `[address]:port`, either without a port, or a directory with %2F."""
    if place.startswith("["):
        host, closed, rest = place[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")):
            raise DatabaseUrlError("has an IPv6 address without the closing ]")
        port = rest[1:]
    else:
        host, _, port = place.partition(":")
    return _decoded(host, "a host"), port


def _port(text: str) -> int:
    if not text:
        return DEFAULT_PORT
    if not (text.isascii() and text.isdigit()) or len(text) > 9:  # noqa: PLR2004 - int() of a long text is slow
        raise DatabaseUrlError(f"is {NOT_A_URL}: the port must be a number")
    if not 1 <= int(text) <= HIGHEST_PORT:
        raise DatabaseUrlError(f"has port {int(text)}; a port is 1 to {HIGHEST_PORT}")
    return int(text)


def _decoded(text: str, what: str) -> str:
    """Decode percent codes; a `%` that begins no code is kept."""
    try:
        decoded = unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise DatabaseUrlError(f"has {what} that is not UTF-8") from None
    if "\0" in decoded:
        raise DatabaseUrlError(f"has {what} with a NUL character")
    return decoded


def _parameters(query: str) -> Mapping[str, str]:
    """Return the parameters. Raises DatabaseUrlError for one that is unknown or has a value that a driver does not support."""
    given: dict[str, str] = {}
    for part in filter(None, query.split("&")):
        raw_name, equals, raw = part.partition("=")
        name = _decoded(raw_name, "a parameter's name")
        if not equals or name not in SUPPORTED:
            close = difflib.get_close_matches(name, SUPPORTED, n=1)
            meant = f"; did you mean {close[0]}?" if close and name not in SUPPORTED else ""
            shown = name if re.fullmatch(r"[A-Za-z_]{1,40}", name) else "(name not shown)"
            raise DatabaseUrlError(
                f"parameter {shown}: has no value" if name in SUPPORTED
                else f"parameter {shown}: is not supported{meant}"
            )  # fmt: skip
        value = _decoded(raw, f"a parameter {name}")
        if name == "ssl":  # JDBC's and asyncpg's name, which libpq accepts for sslmode
            value = {"true": "require", "false": "disable"}.get(value, value)
        choices = CHOICES.get(name)
        if choices is not None and value and (value.lower() if name in NO_EFFECT else value) not in choices:
            raise DatabaseUrlError(f"parameter {name}: must be {', '.join(choices[:-1])} or {choices[-1]}")
        given["sslmode" if name == "ssl" else name] = value
    if given.get("sslrootcert") == "system":
        raise DatabaseUrlError("parameter sslrootcert: must name a file (such as /etc/ssl/certs/ca-certificates.crt)")
    return given


def _number(given: Mapping[str, str], name: str) -> int | None:
    text = given.get(name, "")
    if not text:
        return None
    least, most = NUMBERS[name]
    if not (text.isascii() and text.isdigit()) or len(text) > 9 or not least <= int(text) <= most:  # noqa: PLR2004
        raise DatabaseUrlError(f"parameter {name}: must be a whole number from {least} to {most}")
    return int(text)


def _options(text: str) -> Iterator[tuple[str, str]]:
    """Yield each `-c name=value` of `options`. Raises DatabaseUrlError for settings that the service sets itself."""
    rest = text.strip()
    while rest:
        match = OPTION.match(rest)
        if match is None or "\\" in match[2]:
            raise DatabaseUrlError("parameter options: write -c name=value, without spaces or backslashes in the value")
        name = match[1].lower().replace("-", "_")
        if name in PINNED:
            raise DatabaseUrlError(f"parameter options: {name} is set by the service itself")
        yield name, match[2]
        rest = rest[match.end() :].strip()


def _own_name() -> str:
    """Return the user of the operating system: the default of libpq."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise DatabaseUrlError(f"is {NOT_A_URL}: the user is missing") from None
