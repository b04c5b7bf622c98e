"""What NexusLeads' own settings page writes: taken over at first use and when it changes; what is bad is said and not sent to."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from clay_push_service.host.columns import Vintage
from tests.support.app import OTHER_WEBHOOK, WEBHOOK, AppClient, running_app

CONFIG = "/api/clay/config"


@pytest.fixture(params=list(Vintage), ids=str)
async def app(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[AppClient]:
    async with running_app(database_url, vintage=Vintage(request.param)) as made:
        yield made


async def say(app: AppClient, **values: str | None) -> None:
    """As the host's settings page writes them; None removes."""
    for name, value in values.items():
        key = f"CLAY_{name.upper()}"
        await app.host.connection.execute("DELETE FROM org_settings WHERE org_id = $1 AND key = $2", app.org_id, key)
        if value is not None:
            await app.host.add("org_settings", org_id=app.org_id, key=key, value=value)


async def config(app: AppClient) -> dict[str, object]:
    """After a sweep, as the settings are within seconds of a change."""
    await app.sweep_host_settings()
    answer = await app.get(CONFIG, "member")
    assert answer.status_code == 200, answer.text
    assert WEBHOOK not in answer.text
    found: dict[str, object] = answer.json()
    return found


async def versions(app: AppClient) -> int:
    found: int = await app.host.connection.fetchval("SELECT count(*) FROM clay.destination_versions")
    return found


async def acts(app: AppClient) -> list[tuple[str, str]]:
    rows = await app.host.connection.fetch("SELECT actor, action FROM clay.audit_log ORDER BY id")
    return [(row["actor"], row["action"]) for row in rows]


async def push(app: AppClient) -> int:
    lead = await app.host.lead(await app.host.project(app.org_id))
    return (await app.call("POST", "/api/clay/push", "member", json={"lead_ids": [str(lead)]})).status_code


async def test_what_stands_there_is_used_at_first_sight(app: AppClient) -> None:
    await say(app, webhook_url=f" {WEBHOOK} ", table_name="Platform leads", rate_limit_ms="350")
    assert await push(app) == 202
    seen = await config(app)
    assert (seen["configured"], seen["webhook_url"]) == (True, "https://api.clay.com/v3/…/••••950e")
    assert (seen["table_name"], seen["rate_limit_ms"]) == ("Platform leads", 350)
    assert (seen["source"], seen["changed_by"], seen["problem"]) == ("host", "host:org_settings", None)
    assert (await acts(app))[0] == ("host:org_settings", "config.changed")


async def test_the_url_is_nowhere_in_clear_on_our_side(app: AppClient) -> None:
    await say(app, webhook_url=WEBHOOK)
    await config(app)
    for table in ("destinations", "destination_versions", "audit_log"):
        rows = await app.host.connection.fetch(f"SELECT * FROM clay.{table}")
        assert rows
        assert WEBHOOK not in str(rows)
        assert WEBHOOK.encode() not in b"".join(value for row in rows for value in row if isinstance(value, bytes))


async def test_looking_again_changes_nothing(app: AppClient) -> None:
    await say(app, webhook_url=WEBHOOK, rate_limit_ms="350")
    first = await config(app)
    rows = await app.host.connection.fetch("SELECT * FROM clay.destinations")
    for _ in range(3):
        assert await config(app) == first
    assert await app.host.connection.fetch("SELECT * FROM clay.destinations") == rows
    assert (await versions(app), len(await acts(app))) == (1, 1)


async def test_twenty_pushes_and_two_sweeps_at_the_same_time_store_it_once(app: AppClient) -> None:
    await say(app, webhook_url=WEBHOOK)
    lead = await app.host.lead(await app.host.project(app.org_id))
    pushes = (app.call("POST", "/api/clay/push", "member", json={"lead_ids": [str(lead)]}) for _ in range(20))
    *answers, _, _ = await asyncio.gather(*pushes, app.sweep_host_settings(), app.sweep_host_settings())
    assert {answer.status_code for answer in answers if isinstance(answer, httpx.Response)} == {202}
    assert (await versions(app), (await acts(app)).count(("host:org_settings", "config.changed"))) == (1, 1)


async def test_a_pace_that_is_changed_there_wakes_what_waits_for_the_old_one(app: AppClient) -> None:
    await say(app, webhook_url=WEBHOOK, rate_limit_ms="60000")
    assert await push(app) == 202
    await app.host.connection.execute("SET search_path = public, clay")  # for the trigger of procrastinate's
    await app.host.connection.execute("UPDATE procrastinate_jobs SET scheduled_at = now() + interval '30 seconds'")
    await say(app, rate_limit_ms="350")
    await config(app)
    assert await app.host.connection.fetchval("SELECT count(*) FROM procrastinate_jobs WHERE scheduled_at IS NULL") == 1


async def test_what_was_set_here_is_not_undone_by_an_old_value_there(app: AppClient) -> None:
    await say(app, webhook_url=WEBHOOK, table_name="One")
    answer = await app.put(CONFIG, "owner", {"webhook_url": OTHER_WEBHOOK})
    assert answer.json()["source"] == "api"
    seen = await config(app)
    assert (seen["webhook_url"], seen["source"]) == ("https://api.clay.com/v3/…/••••0ae7", "api")
    # Another table name there is news; the URL beside it is not.
    await say(app, table_name="Two")
    seen = await config(app)
    assert (seen["webhook_url"], seen["table_name"]) == ("https://api.clay.com/v3/…/••••0ae7", "Two")
    # And a URL that is written there afterwards waits.
    await say(app, webhook_url=WEBHOOK + "1")
    seen = await config(app)
    assert (seen["source"], seen["pending"] is not None) == ("api", True)


async def test_removing_it_here_lasts_although_it_stands_there(app: AppClient) -> None:
    await say(app, webhook_url=WEBHOOK)
    assert (await app.call("DELETE", CONFIG, "owner")).json()["removed"] is True
    assert (await config(app))["configured"] is False
    assert await push(app) == 409


async def test_removing_it_there_leaves_what_was_set_here(app: AppClient) -> None:
    await say(app, webhook_url=WEBHOOK)
    await app.put(CONFIG, "owner", {"webhook_url": OTHER_WEBHOOK})
    await say(app, webhook_url=None)
    assert (await config(app))["webhook_url"] == "https://api.clay.com/v3/…/••••0ae7"


@pytest.mark.parametrize(
    "url",
    [
        "http://api.clay.com/v3/x", "https://clay.com.evil.io/v3/x", "https://169.254.169.254/latest/meta-data",
        "https://127.0.0.1/x", "https://user:pass@api.clay.com/x", "file:///etc/passwd", "nonsense", "https://",
        "https://api.clay.com/" + "x" * 3000, "https://api.clay.com:22/x",
    ],
    ids=lambda url: url[:30],
)  # fmt: skip
async def test_a_bad_url_there_is_refused_and_said(database_url: str, url: str) -> None:
    async with running_app(database_url) as app:
        await say(app, webhook_url=url, table_name="One")
        problem = ""
        for _ in range(3):
            seen = await config(app)
            assert (seen["configured"], seen["table_name"]) == (False, "One")
            problem = str(seen["problem"])
            assert problem.startswith("The webhook URL in NexusLeads' settings is not used: ")
            assert url not in problem
        assert (await app.get("/api/clay/status", "member")).json()["problem"] == problem
        page = (await app.get("/api/integrations/clay/config", "member")).json()
        assert (page["connected"], page["problem"]) == (False, problem)
        assert await push(app) == 409
        assert [act for _, act in await acts(app)].count("config.refused") == 1
        await say(app, webhook_url=WEBHOOK)
        seen = await config(app)
        assert (seen["configured"], seen["problem"]) == (True, None)


async def test_a_bad_url_there_leaves_the_good_one_in_use(app: AppClient) -> None:
    await say(app, webhook_url=WEBHOOK)
    await config(app)
    await say(app, webhook_url="https://evil.example/x")
    seen = await config(app)
    assert (seen["configured"], seen["webhook_url"]) == (True, "https://api.clay.com/v3/…/••••950e")
    assert seen["problem"] is not None


@pytest.mark.parametrize(
    ("written", "rate", "said"),
    [("100", 100, False), ("60000", 60000, False), ("60001", 200, True), ("-1", 200, True),
     ("fast", 200, True), ("1e3", 200, True), ("٣٠٠", 200, True), ("9" * 5000, 200, True)],
    ids=lambda value: str(value)[:10],
)  # fmt: skip
async def test_a_pace_there_is_taken_where_it_is_one(database_url: str, written: str, rate: int, said: bool) -> None:
    async with running_app(database_url) as app:
        await say(app, webhook_url=WEBHOOK, rate_limit_ms=written)
        for _ in range(2):
            seen = await config(app)
            assert (seen["rate_limit_ms"], seen["problem"] is not None) == (rate, said)


@pytest.mark.parametrize("url_there", [True, False])
@pytest.mark.parametrize("written", ["0", "1", "50", "99"])
async def test_a_delay_there_below_clays_limit_is_raised_to_it_with_a_warning(
    database_url: str, capsys: pytest.CaptureFixture[str], written: str, *, url_there: bool
) -> None:
    async with running_app(database_url) as app:
        if url_there:
            await say(app, webhook_url=WEBHOOK, rate_limit_ms=written)
        else:
            await app.put(CONFIG, "owner", {"webhook_url": WEBHOOK, "rate_limit_ms": 300})
            await say(app, rate_limit_ms=written)
        await config(app)
        seen = await config(app)
        assert seen["rate_limit_ms"] == 100
        assert "10 requests/s per workspace" in str(seen["problem"])
        assert (await app.get("/api/clay/status", "owner")).json()["problem"] == seen["problem"]
        assert "host_settings.rate_raised" in capsys.readouterr().out


async def test_an_internal_webhook_from_there_may_have_a_shorter_delay(database_url: str) -> None:
    async with running_app(
        database_url, allowed_webhook_hosts="10.1.2.3", allowed_webhook_networks="10.1.2.0/24"
    ) as app:
        await say(app, webhook_url="https://10.1.2.3/in", rate_limit_ms="0")
        seen = await config(app)
        assert (seen["rate_limit_ms"], seen["problem"]) == (0, None)


async def test_a_table_name_there_without_a_url_waits_for_one_here(app: AppClient) -> None:
    await say(app, table_name="Named \tthere", rate_limit_ms="500")
    seen = (await app.put(CONFIG, "owner", {"webhook_url": WEBHOOK})).json()
    assert (seen["table_name"], seen["rate_limit_ms"], seen["source"]) == ("Named there", 500, "api")


async def test_without_a_key_to_seal_it_with_it_is_not_taken_over_and_said(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running_app(database_url, encryption_keys="") as app:
        await say(app, webhook_url=WEBHOOK)
        seen = await config(app)
        assert seen["configured"] is False
        assert "The NexusLeads operator must complete the setup." in str(seen["problem"])
        assert "CLAY_PUSH_ENCRYPTION_KEYS" in capsys.readouterr().out
        assert await versions(app) == 0


async def test_another_organizations_settings_are_not_taken(app: AppClient) -> None:
    await app.host.add("org_settings", org_id=app.other_org_id, key="CLAY_WEBHOOK_URL", value=WEBHOOK)
    assert (await config(app))["configured"] is False
    assert (await app.get(CONFIG, "stranger")).json()["configured"] is True
