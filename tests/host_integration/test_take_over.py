"""The service uses the settings of NexusLeads' page at first and after a change. Invalid ones are reported and not used."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from clay_push_service.host.columns import Vintage
from tests.harness.api import OTHER_WEBHOOK, WEBHOOK, Api, run_api
from tests.host_integration.host_settings import CONFIG, audited_actions, config, push, versions, write_host_settings


@pytest.fixture(params=list(Vintage), ids=str)
async def app(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[Api]:
    async with run_api(database_url, vintage=Vintage(request.param)) as made:
        yield made


async def test_the_settings_of_the_host_are_used_at_first(app: Api) -> None:
    await write_host_settings(app, webhook_url=f" {WEBHOOK} ", table_name="Platform leads", rate_limit_ms="350")
    assert await push(app) == 202
    seen = await config(app)
    assert (seen["configured"], seen["webhook_url"]) == (True, "https://api.clay.com/v3/…/••••950e")
    assert (seen["table_name"], seen["rate_limit_ms"]) == ("Platform leads", 350)
    assert (seen["source"], seen["changed_by"], seen["problem"]) == ("host", "host:org_settings", None)
    assert (await audited_actions(app))[0] == ("host:org_settings", "config.changed")


async def test_the_url_is_stored_only_encrypted(app: Api) -> None:
    await write_host_settings(app, webhook_url=WEBHOOK)
    await config(app)
    for table in ("destinations", "destination_versions", "audit_log"):
        rows = await app.host.connection.fetch(f"SELECT * FROM clay.{table}")
        assert rows
        assert WEBHOOK not in str(rows)
        assert WEBHOOK.encode() not in b"".join(value for row in rows for value in row if isinstance(value, bytes))


async def test_a_second_synchronisation_changes_nothing(app: Api) -> None:
    await write_host_settings(app, webhook_url=WEBHOOK, rate_limit_ms="350")
    first = await config(app)
    rows = await app.host.connection.fetch("SELECT * FROM clay.destinations")
    for _ in range(3):
        assert await config(app) == first
    assert await app.host.connection.fetch("SELECT * FROM clay.destinations") == rows
    assert (await versions(app), len(await audited_actions(app))) == (1, 1)


async def test_twenty_pushes_and_two_sweeps_at_the_same_time_store_the_settings_once(app: Api) -> None:
    await write_host_settings(app, webhook_url=WEBHOOK)
    lead = await app.host.lead(await app.host.project(app.org_id))
    pushes = (app.send("POST", "/api/clay/push", "member", json={"lead_ids": [str(lead)]}) for _ in range(20))
    *answers, _, _ = await asyncio.gather(*pushes, app.sweep_host_settings(), app.sweep_host_settings())
    assert {answer.status_code for answer in answers if isinstance(answer, httpx.Response)} == {202}
    assert (await versions(app), (await audited_actions(app)).count(("host:org_settings", "config.changed"))) == (1, 1)


async def test_a_changed_pace_in_the_host_wakes_waiting_push_jobs(app: Api) -> None:
    await write_host_settings(app, webhook_url=WEBHOOK, rate_limit_ms="60000")
    assert await push(app) == 202
    await app.host.connection.execute("SET search_path = public, clay")  # for procrastinate's trigger
    await app.host.connection.execute("UPDATE procrastinate_jobs SET scheduled_at = now() + interval '30 seconds'")
    await write_host_settings(app, rate_limit_ms="350")
    await config(app)
    assert await app.host.connection.fetchval("SELECT count(*) FROM procrastinate_jobs WHERE scheduled_at IS NULL") == 1


async def test_an_old_value_in_the_host_does_not_replace_a_newer_one_here(app: Api) -> None:
    await write_host_settings(app, webhook_url=WEBHOOK, table_name="One")
    answer = await app.put(CONFIG, "owner", {"webhook_url": OTHER_WEBHOOK})
    assert answer.json()["source"] == "api"
    seen = await config(app)
    assert (seen["webhook_url"], seen["source"]) == ("https://api.clay.com/v3/…/••••0ae7", "api")
    # The host's table name has changed, so it is used. Its URL has not changed, so it is not used.
    await write_host_settings(app, table_name="Two")
    seen = await config(app)
    assert (seen["webhook_url"], seen["table_name"]) == ("https://api.clay.com/v3/…/••••0ae7", "Two")
    # a later change of the host's URL is pending
    await write_host_settings(app, webhook_url=WEBHOOK + "1")
    seen = await config(app)
    assert (seen["source"], seen["pending"] is not None) == ("api", True)


async def test_a_webhook_removed_here_stays_removed_while_the_host_still_has_it(app: Api) -> None:
    await write_host_settings(app, webhook_url=WEBHOOK)
    assert (await app.send("DELETE", CONFIG, "owner")).json()["removed"] is True
    assert (await config(app))["configured"] is False
    assert await push(app) == 409


async def test_removing_the_webhook_in_the_host_keeps_a_webhook_that_was_saved_here(app: Api) -> None:
    await write_host_settings(app, webhook_url=WEBHOOK)
    await app.put(CONFIG, "owner", {"webhook_url": OTHER_WEBHOOK})
    await write_host_settings(app, webhook_url=None)
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
async def test_an_invalid_url_in_the_host_is_refused_and_reported(database_url: str, url: str) -> None:
    async with run_api(database_url) as app:
        await write_host_settings(app, webhook_url=url, table_name="One")
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
        assert [act for _, act in await audited_actions(app)].count("config.refused") == 1
        await write_host_settings(app, webhook_url=WEBHOOK)
        seen = await config(app)
        assert (seen["configured"], seen["problem"]) == (True, None)


async def test_an_invalid_url_in_the_host_leaves_the_valid_one_in_use(app: Api) -> None:
    await write_host_settings(app, webhook_url=WEBHOOK)
    await config(app)
    await write_host_settings(app, webhook_url="https://evil.example/x")
    seen = await config(app)
    assert (seen["configured"], seen["webhook_url"]) == (True, "https://api.clay.com/v3/…/••••950e")
    assert seen["problem"] is not None


@pytest.mark.parametrize(
    ("written", "rate", "report"),
    [("100", 100, False), ("60000", 60000, False), ("60001", 200, True), ("-1", 200, True),
     ("fast", 200, True), ("1e3", 200, True), ("٣٠٠", 200, True), ("9" * 5000, 200, True)],
    ids=lambda value: str(value)[:10],
)  # fmt: skip
async def test_only_a_valid_pace_of_the_host_is_used(database_url: str, written: str, rate: int, report: bool) -> None:
    async with run_api(database_url) as app:
        await write_host_settings(app, webhook_url=WEBHOOK, rate_limit_ms=written)
        for _ in range(2):
            seen = await config(app)
            assert (seen["rate_limit_ms"], seen["problem"] is not None) == (rate, report)


@pytest.mark.parametrize("url_there", [True, False])
@pytest.mark.parametrize("written", ["0", "1", "50", "99"])
async def test_a_delay_in_the_host_below_the_limit_of_clay_is_raised_with_a_warning(
    database_url: str, capsys: pytest.CaptureFixture[str], written: str, *, url_there: bool
) -> None:
    async with run_api(database_url) as app:
        if url_there:
            await write_host_settings(app, webhook_url=WEBHOOK, rate_limit_ms=written)
        else:
            await app.put(CONFIG, "owner", {"webhook_url": WEBHOOK, "rate_limit_ms": 300})
            await write_host_settings(app, rate_limit_ms=written)
        await config(app)
        seen = await config(app)
        assert seen["rate_limit_ms"] == 100
        assert "10 requests/s per workspace" in str(seen["problem"])
        assert (await app.get("/api/clay/status", "owner")).json()["problem"] == seen["problem"]
        assert "host_settings.rate_raised" in capsys.readouterr().out


async def test_an_internal_webhook_of_the_host_may_have_a_shorter_delay(database_url: str) -> None:
    async with run_api(database_url, allowed_webhook_hosts="10.1.2.3", allowed_webhook_networks="10.1.2.0/24") as app:
        await write_host_settings(app, webhook_url="https://10.1.2.3/in", rate_limit_ms="0")
        seen = await config(app)
        assert (seen["rate_limit_ms"], seen["problem"]) == (0, None)


async def test_a_table_name_in_the_host_without_a_url_is_used_when_a_url_is_saved_here(app: Api) -> None:
    await write_host_settings(app, table_name="Named \tthere", rate_limit_ms="500")
    seen = (await app.put(CONFIG, "owner", {"webhook_url": WEBHOOK})).json()
    assert (seen["table_name"], seen["rate_limit_ms"], seen["source"]) == ("Named there", 500, "api")


async def test_without_an_encryption_key_the_webhook_is_not_used_and_the_problem_is_reported(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with run_api(database_url, encryption_keys="") as app:
        await write_host_settings(app, webhook_url=WEBHOOK)
        seen = await config(app)
        assert seen["configured"] is False
        assert "The NexusLeads operator must complete the setup." in str(seen["problem"])
        assert "CLAY_PUSH_ENCRYPTION_KEYS" in capsys.readouterr().out
        assert await versions(app) == 0


async def test_settings_of_another_organization_are_not_used(app: Api) -> None:
    await app.host.add("org_settings", org_id=app.other_org_id, key="CLAY_WEBHOOK_URL", value=WEBHOOK)
    assert (await config(app))["configured"] is False
    assert (await app.get(CONFIG, "other_owner")).json()["configured"] is True
