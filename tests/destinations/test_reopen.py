"""When a worker starts, it opens destinations that this service closed for a reason that no longer applies."""

import pytest
from pydantic import SecretStr

from clay_push_service.destinations.guard import Policy
from clay_push_service.destinations.reopen import reopen_destinations
from clay_push_service.destinations.secret_box import SecretBox, generate_key
from tests.harness.installation import Installation, install

URL = "https://api.clay.com/v3/sources/webhook/x"
OTHER_RING = SecretBox([SecretStr(generate_key())])
CLOSE = "UPDATE clay.destination_versions SET state = 'closed', state_reason = :reason, refusals = 3"


async def reopened(w: Installation, box: SecretBox, hosts: tuple[str, ...] = ("clay.com", "*.clay.com")) -> str:
    policy = Policy.of(w.settings.model_copy(update={"allowed_webhook_hosts": hosts}))
    async with w.database.transaction() as connection:
        await reopen_destinations(connection, box, policy)
    [version] = await w.fetch("SELECT state, refusals FROM clay.destination_versions")
    assert version.state == "closed" or version.refusals == 0
    return str(version.state)


async def test_a_restored_encryption_key_opens_the_destination(database_url: str) -> None:
    async with install(database_url, leads=1) as w:
        await w.configure(URL, token="secret")
        await w.fetch(CLOSE, reason="secret_unreadable")
        assert await reopened(w, OTHER_RING) == "closed"
        assert await reopened(w, w.secret_box) == "open"


async def test_a_host_that_is_allowed_again_opens_the_destination(database_url: str) -> None:
    async with install(database_url, leads=1) as w:
        await w.configure(URL)
        await w.fetch(CLOSE, reason="blocked")
        assert await reopened(w, w.secret_box, ("elsewhere.example.com",)) == "closed"
        assert await reopened(w, w.secret_box) == "open"


@pytest.mark.parametrize("reason", ["unauthorized", "quota_exhausted", "webhook_gone"])
async def test_a_destination_that_clay_closed_stays_closed(database_url: str, reason: str) -> None:
    async with install(database_url, leads=1) as w:
        await w.configure(URL)
        await w.fetch(CLOSE, reason=reason)
        assert await reopened(w, w.secret_box) == "closed"
