"""The commands for service keys and encryption keys."""

import asyncio
import re
from pathlib import Path

from pydantic import SecretStr
from sqlalchemy import text

from clay_push_service.callers.api_keys import find_key
from clay_push_service.destinations.reseal import Resealed, reseal
from clay_push_service.destinations.secret_box import SecretBox, generate_key
from tests.harness.installation import Installation, install
from tests.harness.settings import KEY
from tests.harness.shell import command_environment, shell

URL = "https://api.clay.com/v3/sources/webhook/pull-in-data-from-a-webhook-1234"


async def test_a_service_key_is_shown_once_and_refused_after_its_revocation(database_url: str, tmp_path: Path) -> None:
    async with install(database_url, leads=1) as installation:
        [org] = await installation.fetch(
            "SELECT name, slug FROM public.organizations WHERE id = :id", id=installation.org_id
        )
        env = command_environment(installation.settings)
        made = await shell(
            tmp_path, "api-keys", "create", "--name", "nightly", "--scope", "push", "--scope", "read", "--org", org.name,
            env=env,
        )  # fmt: skip
        assert made.exit_code == 0, made.err
        plain = made.out.strip()
        async with installation.database.transaction() as connection:
            key = await find_key(connection, plain)
        assert key is not None
        assert key.org_ids == (installation.org_id,)
        assert {*key.scopes} == {"push", "read"}
        listed = await shell(tmp_path, "api-keys", "list", env=env)
        assert key.prefix in listed.out
        assert "nightly" in listed.out
        assert plain not in listed.out
        revoked = await shell(tmp_path, "api-keys", "revoke", key.prefix, env=env)
        assert revoked.exit_code == 0
        async with installation.database.transaction() as connection:
            assert await find_key(connection, plain) is None
        again = await shell(tmp_path, "api-keys", "revoke", key.prefix, env=env)
        assert again.exit_code == 1
        assert re.fullmatch(r"No active service key has this prefix\.\n", again.err)


async def test_a_key_for_an_unknown_organization_or_scope_is_not_created(database_url: str, tmp_path: Path) -> None:
    async with install(database_url, leads=1) as installation:
        env = command_environment(installation.settings)
        create = ("api-keys", "create", "--name", "n")
        unknown_org = await shell(tmp_path, *create, "--scope", "push", "--org", "nobody", env=env)
        unknown_scope = await shell(
            tmp_path, *create, "--scope", "everything", "--org", str(installation.org_id), env=env
        )
        assert (unknown_org.exit_code, unknown_scope.exit_code) == (1, 1)
        assert "nobody" in unknown_org.err
        assert "push, read, config, erase, ops" in unknown_scope.err
        assert await installation.fetch("SELECT 1 FROM clay.api_keys") == []


async def test_rotation_encrypts_all_secrets_with_the_first_key_and_prints_the_count(
    database_url: str, tmp_path: Path
) -> None:
    async with install(database_url, leads=1) as installation:
        first = await installation.configure(URL, token="t-1")
        second = await installation.configure(f"{URL}5")
        ring = (new := generate_key(), KEY)
        env = command_environment(installation.settings) | {"CLAY_PUSH_ENCRYPTION_KEYS": ",".join(ring)}
        result = await shell(tmp_path, "secrets", "rotate", env=env)
        assert result.exit_code == 0, result.err
        assert "2 secrets stored: 2 re-encrypted" in result.out
        [act] = await installation.fetch("SELECT actor, details FROM clay.audit_log WHERE action = 'secrets.rotated'")
        assert act.actor.startswith("shell")
        assert act.details == {"key_id": new.partition(":")[0], "resealed": 2, "unreadable": 0, "due": 0}
        box = SecretBox((SecretStr(new),))  # the old key is no longer needed
        opened = await _opened(installation, box)
        assert opened == {first: (URL, "t-1"), second: (f"{URL}5", None)}
        again = await shell(tmp_path, "secrets", "rotate", env=env)
        assert "0 re-encrypted" in again.out
        assert "2 used it already" in again.out


async def test_rotation_skips_secrets_that_it_cannot_decrypt_and_fails(database_url: str, tmp_path: Path) -> None:
    async with install(database_url, leads=1) as installation:
        await installation.configure(URL)
        before = await installation.fetch("SELECT sealed_url FROM clay.destination_versions")
        env = command_environment(installation.settings) | {"CLAY_PUSH_ENCRYPTION_KEYS": generate_key()}
        result = await shell(tmp_path, "secrets", "rotate", env=env)
        assert result.exit_code == 1
        assert "1 cannot be decrypted" in result.out
        assert await installation.fetch("SELECT sealed_url FROM clay.destination_versions") == before


async def test_rotation_skips_a_locked_row_and_repeats_it(database_url: str) -> None:
    """A sender has locked the row of the version. The pass skips the row, and the next pass rotates it."""
    async with install(database_url, leads=1) as installation:
        version = await installation.configure(URL)
        box = SecretBox((SecretStr(generate_key()), SecretStr(KEY)))
        async with installation.database.transaction() as sender:
            await sender.execute(text("UPDATE clay.destination_versions SET refusals = refusals + 1"))
            async with asyncio.timeout(60):
                assert await reseal(installation.database, box) == Resealed(resealed=0, unreadable=0)
        assert await reseal(installation.database, box) == Resealed(resealed=1, unreadable=0)
        assert await _opened(installation, box) == {version: (URL, None)}
        [row] = await installation.fetch("SELECT refusals FROM clay.destination_versions")
        assert row.refusals == 1


async def _opened(installation: Installation, box: SecretBox) -> dict[object, tuple[str, str | None]]:
    return {
        row.id: (
            box.open(row.sealed_url, row.org_id, row.id),
            box.open(row.sealed_token, row.org_id, row.id) if row.sealed_token else None,
        )
        for row in await installation.fetch(
            "SELECT id, org_id, sealed_url, sealed_token FROM clay.destination_versions"
        )
    }
