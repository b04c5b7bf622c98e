"""roles.sql creates a role that can run the service after `migrate` and has no further rights."""

import os
import secrets
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from clay_push_service import migrations
from tests.harness.databases import TestServer
from tests.support.schema import pg_dump

FILE = Path(__file__).resolve().parents[2] / "deploy/roles.sql"
PSQL = pg_dump().with_name("psql")


def run(admin_url: str, role: str, password: str) -> None:
    """Run roles.sql with another role name, because the tests' server already has a role clay_push."""
    text = FILE.read_text().replace("clay_push", role)
    command = [str(PSQL), "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", admin_url]
    ran = subprocess.run(
        command,
        input=text,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"SERVICE_ROLE_PASSWORD": password},
    )
    assert (ran.returncode, ran.stderr) == (0, "")


def test_the_role_has_only_the_rights_that_the_service_needs(postgres: TestServer, empty_database_url: str) -> None:
    role, password = f"test_roles_{secrets.token_hex(4)}", "a password with ' and \\"
    admin_url = empty_database_url
    if postgres.embedded is not None:
        admin_url = urlsplit(postgres.embedded.admin_url)._replace(path=urlsplit(empty_database_url).path).geturl()
    run(admin_url, role, "the first password")
    run(admin_url, role, password)  # a second run sets the password
    migrations.upgrade(empty_database_url, role)
    try:
        with psycopg.connect(empty_database_url, user=role, password=password, autocommit=True) as connection:
            connection.execute("SELECT count(*) FROM clay.push_jobs")
            for refused in ("CREATE TABLE public.mine ()", "CREATE TABLE clay.mine ()", "CREATE ROLE another"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(refused)
    finally:
        with psycopg.connect(admin_url, autocommit=True) as admin:
            name = sql.Identifier(role)
            admin.execute(sql.SQL("DROP OWNED BY {}").format(name))
            admin.execute(sql.SQL("DROP ROLE {}").format(name))
