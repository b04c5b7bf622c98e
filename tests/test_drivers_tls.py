"""TLS to PostgreSQL with both drivers: encryption, check of the server's certificate, and client certificates."""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from ssl import SSLError
from urllib.parse import quote

import asyncpg
import psycopg
import pytest
import trustme

from clay_push_service import queue
from clay_push_service.commands import cli_errors
from clay_push_service.database.database import Database
from clay_push_service.database.drivers import Client, connect, connect_psycopg
from clay_push_service.local_database import postgres

WITH_TLS = Path("/usr/lib/postgresql/15/bin")
ENCRYPTED = "SELECT ssl, client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


@dataclass(frozen=True, slots=True)
class Tls:
    """`url` ends with `?`, so that a test can append parameters."""

    url: str
    root: Path
    other_root: Path
    certificate: Path
    key: Path

    def url_with(self, **parameters: str | Path) -> str:
        return self.url + "&".join(f"{name}={quote(str(value), safe='')}" for name, value in parameters.items())


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tls]:
    """A server that accepts only TLS."""
    if not (WITH_TLS / "postgres").exists():
        pytest.skip(f"the embedded PostgreSQL has no TLS, and Debian's is not in {WITH_TLS}")
    files = tmp_path_factory.mktemp("tls")
    authority, other = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(files / "root.crt")
    other.cert_pem.write_to_path(files / "other.crt")
    client = authority.issue_cert("crm@example.org", common_name="clay")
    client.cert_chain_pems[0].write_to_path(files / "client.crt")
    client.private_key_pem.write_to_path(files / "client.key")
    (files / "client.key").chmod(0o600)
    directory = Path(tempfile.mkdtemp(prefix="clay-push-tls-"))
    directory.chmod(0o755)
    try:
        with postgres.start(directory, durable=False, bin_directory=WITH_TLS) as server:
            server_certificate = authority.issue_cert("localhost", "127.0.0.1")
            data = server.data_directory
            server_certificate.cert_chain_pems[0].write_to_path(data / "server.crt")
            server_certificate.private_key_pem.write_to_path(data / "server.key")
            authority.cert_pem.write_to_path(data / "root.crt")
            (data / "server.key").chmod(0o600)
            owner = data.stat()
            for name in ("server.crt", "server.key", "root.crt"):
                os.chown(data / name, owner.st_uid, owner.st_gid)
            (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
            with psycopg.connect(server.admin_url, autocommit=True) as admin:
                admin.execute("ALTER SYSTEM SET ssl_ca_file = 'root.crt'")
                admin.execute("ALTER SYSTEM SET ssl = on")
                admin.execute("SELECT pg_reload_conf()")
            yield Tls(
                server.url + "?", files / "root.crt", files / "other.crt", files / "client.crt", files / "client.key"
            )
    finally:
        postgres.remove(directory)


async def shown(url: str) -> list[tuple[bool, str | None]]:
    """Returns how the server sees a connection of each kind."""
    database = Database(url, pool_size=1)
    async with database.driver() as pooled:
        one = await pooled.fetchrow(ENCRYPTED)
    listener = await database.listener()
    two = await listener.fetchrow(ENCRYPTED)
    await listener.close()
    await database.close()
    with connect_psycopg(Client(url, "test")) as threaded:
        three = threaded.execute(ENCRYPTED).fetchone()
    connector = queue.Connector(url, lambda: None)
    await connector.open_async()
    four = await connector.execute_query_one_async(ENCRYPTED)
    await connector.close_async()
    assert one is not None
    assert two is not None
    assert three is not None
    return [(row[0], row[1]) for row in (one, two, three)] + [(four["ssl"], four["client_dn"])]


async def test_connections_are_encrypted(tls: Tls) -> None:
    for url in (
        tls.url_with(sslmode="require"),
        tls.url_with(ssl="true"),
        tls.url,  # `prefer` is the default
        tls.url_with(sslmode="verify-ca", sslrootcert=tls.root),
        tls.url_with(sslmode="verify-full", sslrootcert=tls.root),
        tls.url_with(sslmode="verify-full", sslrootcert=tls.root, host="localhost"),
    ):
        assert [encrypted for encrypted, _ in await shown(url)] == [True] * 4, url


async def test_a_client_certificate_is_sent(tls: Tls) -> None:
    url = tls.url_with(sslmode="verify-full", sslrootcert=tls.root, sslcert=tls.certificate, sslkey=tls.key)
    assert [name and name.rpartition("CN=")[2] for _, name in await shown(url)] == [
        "clay"
    ] * 4  # PostgreSQL truncates a long name


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
async def test_a_server_of_another_authority_is_refused_in_one_sentence(tls: Tls, mode: str) -> None:
    client = Client(tls.url_with(sslmode=mode, sslrootcert=tls.other_root), "test")
    with pytest.raises(SSLError) as one:
        await connect(client, command_seconds=20)
    with pytest.raises(psycopg.OperationalError) as two:
        connect_psycopg(client)
    for error in (one.value, two.value):
        described = cli_errors.describe_error(error)
        assert described is not None
        assert described.message.startswith("The database cannot be reached: ")
        assert "\n" not in described.message


async def test_a_connection_without_tls_is_refused(tls: Tls) -> None:
    client = Client(tls.url_with(sslmode="disable"), "test")
    with pytest.raises(asyncpg.PostgresError):
        await connect(client, command_seconds=20)
    with pytest.raises(psycopg.OperationalError):
        connect_psycopg(client)
