"""The session settings that every connection to PostgreSQL has, whatever the database or the role has as its defaults.

They are set by SET statements after connecting, not as startup parameters: pgbouncer refuses unknown startup parameters.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

SCHEMA = "clay"
"""Ours. Every name in a statement is qualified: the host has a `clay_push_log` of its own in `public`."""

PINNED: Mapping[str, str] = MappingProxyType({
    "quote_all_identifiers": "off",  # first: PostgreSQL also writes the values of later settings by it
    # Values as text: psycopg reads and writes some as text, and payloads and messages hold what PostgreSQL formats.
    "client_encoding": "UTF8",
    "datestyle": "ISO, MDY",
    "intervalstyle": "postgres",
    "timezone": "UTC",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "lc_monetary": "C",
    "lc_numeric": "C",
    "lc_time": "C",
    # How statements are read.
    "search_path": f"{SCHEMA}, pg_catalog",  # procrastinate's functions name their tables unqualified
    "standard_conforming_strings": "on",
    "escape_string_warning": "on",
    "transform_null_equals": "off",
    "array_nulls": "on",
    "check_function_bodies": "on",
    "row_security": "on",
    "exit_on_error": "off",
    # Transactions: second looks need the first, "marked before any byte leaves" and "recorded" need synchronous_commit.
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "default_transaction_deferrable": "off",
    "synchronous_commit": "on",
    # Times. A statement that needs another says so with SET LOCAL.
    "statement_timeout": "30s",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "10s",  # only a frozen process is idle here; its locks stop the sweep
    "idle_session_timeout": "0",  # pooled connections and LISTEN are idle for long
    "transaction_timeout": "0",
    "jit": "off",  # compiling a plan costs more than any statement here runs
})  # fmt: skip
"""Name and value. What only tunes plans and memory (work_mem, enable_…) stays the administrator's."""

SINCE: Mapping[str, int] = MappingProxyType({"transaction_timeout": 17})
"""PostgreSQL's major version that brought a setting newer than 15, the oldest that is supported."""


def set_statements(server_major: int, changes: Mapping[str, str]) -> str:
    """One text of SET statements, sent in one round trip. `changes`: other values, or further settings."""
    return "; ".join(_statements(server_major, {**PINNED, **changes}))


def _statements(server_major: int, settings: Mapping[str, str]) -> Iterator[str]:
    for name, value in settings.items():
        if SINCE.get(name, 0) <= server_major:
            listed = value if name in {"search_path", "datestyle"} else "'" + value.replace("'", "''") + "'"
            quoted_name = ".".join(f'"{part}"' for part in name.split("."))
            yield f"SET {quoted_name} = {listed}"
