"""Service keys in the database: creation, look-up, use and revocation."""

from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from clay_push_service.callers.api_keys import create_key, find_key, record_use, revoke_key
from clay_push_service.callers.caller import Scope
from clay_push_service.database.database import Database
from clay_push_service.errors import InvalidError, NotFoundError

ORG = UUID(int=1)


async def made(database: Database, name: str = "nightly", org_ids: Sequence[UUID] = (ORG,)) -> tuple[UUID, str, str]:
    """Create a key. Returns its id, its prefix and the key."""
    async with database.transaction() as connection:
        new = await create_key(connection, name, org_ids, [Scope.READ], "operator")
    return new.key.id, new.key.prefix, new.plain


async def value(database: Database, column: str, key_id: UUID) -> object:
    async with database.transaction() as connection:
        return (
            await connection.execute(text(f"SELECT {column} FROM clay.api_keys WHERE id = :id"), {"id": key_id})
        ).scalar_one()


async def test_a_key_is_found_only_by_its_whole_text(database: Database) -> None:
    _, prefix, plain = await made(database)
    async with database.transaction() as connection:
        found = await find_key(connection, plain)
        assert found is not None
        assert found.prefix == prefix
        assert await find_key(connection, plain[:-1] + ("A" if plain[-1] != "A" else "B")) is None
        assert await find_key(connection, plain[:13] + "A" * 43) is None
        assert await find_key(connection, plain + "é") is None


async def test_a_revoked_key_is_not_found_and_keeps_its_revocation_time(database: Database) -> None:
    key_id, prefix, plain = await made(database)
    async with database.transaction() as connection:
        await revoke_key(connection, prefix, "operator")
    first = await value(database, "revoked_at", key_id)
    assert first is not None
    async with database.transaction() as connection:
        assert await find_key(connection, plain) is None
        with pytest.raises(NotFoundError):
            await revoke_key(connection, prefix, "operator")
    assert await value(database, "revoked_at", key_id) == first


async def test_the_time_of_last_use_is_written_once_a_minute(database: Database) -> None:
    key_id, _, plain = await made(database)
    await record_use(database, key_id)
    first = await value(database, "last_used_at", key_id)
    assert first is not None
    await record_use(database, key_id)
    assert await value(database, "last_used_at", key_id) == first
    async with database.transaction() as connection:
        found = await find_key(connection, plain)
        assert found is not None
        assert not found.should_record_use
        await connection.execute(text("UPDATE clay.api_keys SET last_used_at = last_used_at - interval '2 minutes'"))
    await record_use(database, key_id)
    assert await value(database, "last_used_at >= now() - interval '1 minute'", key_id) is True


@pytest.mark.parametrize(
    ("name", "org_ids", "scopes"),
    [
        ("nightly", [ORG], []),
        ("nightly", [], [Scope.READ]),
        ("nightly", [], [Scope.OPS, Scope.PUSH]),
        ("", [ORG], [Scope.READ]),
        ("  ", [ORG], [Scope.READ]),
        ("a" * 101, [ORG], [Scope.READ]),
        ("line\nbreak", [ORG], [Scope.READ]),
    ],
)
async def test_a_key_without_a_name_a_scope_or_an_organization_is_refused(
    database: Database, name: str, org_ids: Sequence[UUID], scopes: Sequence[Scope]
) -> None:
    async with database.transaction() as connection:
        with pytest.raises(InvalidError):
            await create_key(connection, name, org_ids, scopes, "operator")


async def test_a_key_with_only_the_operations_scope_needs_no_organization(database: Database) -> None:
    async with database.transaction() as connection:
        new = await create_key(connection, "a" * 100, [], [Scope.OPS], "operator")
    assert new.key.org_ids == ()
    assert new.plain not in repr(new)


async def test_a_repeated_organization_is_stored_once(database: Database) -> None:
    other = uuid4()
    async with database.transaction() as connection:
        new = await create_key(connection, " nightly ", [ORG, other, ORG], [Scope.PUSH], "operator")
    assert new.key.org_ids == (ORG, other)
    assert new.key.name == "nightly"
