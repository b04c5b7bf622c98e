"""Session settings of every PostgreSQL connection; they override the defaults of the database and the role.

They are set by SET statements after connecting, not as startup parameters: pgbouncer refuses unknown startup parameters.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

SCHEMA = "clay"
"""The schema of this service. Statements qualify every name: NexusLeads has its own `clay_push_log` in `public`."""

PINNED: Mapping[str, str] = MappingProxyType({
    "quote_all_identifiers": "off",  # first: it changes how PostgreSQL writes the values after it
    # Text formats: psycopg transfers some values as text, and payloads and messages contain text that PostgreSQL formats.
    "client_encoding": "UTF8",
    "datestyle": "ISO, MDY",
    "intervalstyle": "postgres",
    "timezone": "UTC",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "lc_monetary": "C",
    "lc_numeric": "C",
    "lc_time": "C",
    # Parsing of statements.
    "search_path": f"{SCHEMA}, pg_catalog",  # procrastinate's functions name their tables unqualified
    "standard_conforming_strings": "on",
    "escape_string_warning": "on",
    "transform_null_equals": "off",
    "array_nulls": "on",
    "check_function_bodies": "on",
    "row_security": "on",
    "exit_on_error": "off",
    # Transactions: the second check of a push needs READ COMMITTED; marking before sending, and recording, need synchronous_commit.
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "default_transaction_deferrable": "off",
    "synchronous_commit": "on",
    # Timeouts. A statement that needs another value uses SET LOCAL.
    "statement_timeout": "30s",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "10s",  # only a frozen process stays idle in a transaction, and its locks block the sweep
    "idle_session_timeout": "0",  # pooled connections and LISTEN are idle for long
    "transaction_timeout": "0",
    "jit": "off",  # compiling a plan takes longer than any statement of this service
})  # fmt: skip
"""Name and value. Settings that only tune plans and memory (work_mem, enable_…) are left to the administrator."""

SINCE: Mapping[str, int] = MappingProxyType({"transaction_timeout": 17})
"""The PostgreSQL major version that introduced a setting, for settings newer than 15 (the oldest supported version)."""


def set_statements(server_major: int, changes: Mapping[str, str]) -> str:
    """Return SET statements as one text, for one round trip. `changes`: overrides and further settings."""
    return "; ".join(_statements(server_major, {**PINNED, **changes}))


def _statements(server_major: int, settings: Mapping[str, str]) -> Iterator[str]:
    for name, value in settings.items():
        if SINCE.get(name, 0) <= server_major:
            listed = value if name in {"search_path", "datestyle"} else "'" + value.replace("'", "''") + "'"
            quoted_name = ".".join(f'"{part}"' for part in name.split("."))
            yield f"SET {quoted_name} = {listed}"
