"""Schedules over the API: what is saved and shown, who may change it, run now, preview, and bad input that saves nothing."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from clay_push_service.callers.caller import Scope
from tests.harness.api import Api, run_api_with_leads
from tests.schedules.planned import make_due, sweep

PATH = "/api/clay/schedules"
DAILY = {"name": "Morning", "kind": "daily", "at": "09:00", "time_zone": "Europe/Berlin"}


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[Api]:
    async with run_api_with_leads(database_url, leads=3) as made:
        yield made


def body(api: Api, **changes: object) -> dict[str, object]:
    made = {**DAILY, "project_id": str(api.project_id), **changes}
    return {name: value for name, value in made.items() if value is not None}


async def create(api: Api, **changes: object) -> Any:
    return await api.call("POST", PATH, body(api, **changes), status=201)


async def test_a_schedule_is_shown_in_words_with_its_next_five_runs(api: Api) -> None:
    made = await create(api, filters={"min_score": 70, "classifications": ["CHAMPION"]}, max_leads=10)
    assert made["words"] == "Every day at 09:00 Europe/Berlin"
    runs = [datetime.fromisoformat(each) for each in made["next_runs"]]
    assert len(runs) == 5
    for text, run in zip(made["next_runs"], runs, strict=True):
        assert text.endswith(("T09:00:00+01:00", "T09:00:00+02:00"))
        assert (run.date() - runs[0].date()).days == runs.index(run)
    assert 0 <= made["spread_seconds"] <= 60
    assert (made["paused_because"], made["last_run"], made["created_by"]) == (None, None, "user:owner")
    assert made["filters"]["min_score"] == 70
    assert await api.call("GET", f"{PATH}/{made['id']}") == made
    assert (await api.call("GET", PATH))["schedules"] == [made]


KINDS: list[tuple[dict[str, object], str]] = [
    ({"kind": "weekly", "days": ["friday", "monday"]}, "Every Monday and Friday at 09:00 Europe/Berlin"),
    ({"kind": "monthly", "day": "last"}, "The last day of every month at 09:00 Europe/Berlin"),
    ({"kind": "monthly", "day": 28}, "Day 28 of every month at 09:00 Europe/Berlin"),
    (
        {"kind": "interval", "at": None, "every_minutes": 90, "anchor": "2026-01-01T09:00:00+01:00"},
        "Every 90 minutes, counted from 2026-01-01 08:00 UTC",
    ),
    ({"kind": "cron", "at": None, "cron": " 0 9 *  * 1-5 "}, "At 09:00 on Monday through Friday, Europe/Berlin (cron 0 9 * * 1-5)"),
]  # fmt: skip


async def test_every_kind_is_stored_as_it_was_set(api: Api) -> None:
    for changes, words in KINDS:
        await _check_kind(api, changes, words)


async def _check_kind(api: Api, changes: dict[str, object], words: str) -> None:
    made = await create(api, **changes)
    assert made["words"] == words
    shown = await api.call("GET", f"{PATH}/{made['id']}")
    assert shown == made
    again = {
        name: made[name] for name in ("at", "days", "day", "every_minutes", "anchor", "cron") if made[name] is not None
    }
    changed = await api.call("PUT", f"{PATH}/{made['id']}", body(api, **changes) | again)
    assert (changed["words"], changed["next_runs"]) == (words, made["next_runs"])


BAD: list[tuple[dict[str, object], str, str]] = [
    ({"time_zone": "Europe/Berlim"}, "time_zone", "did you mean `Europe/Berlin`"),
    ({"time_zone": "europe/berlin"}, "time_zone", "did you mean `Europe/Berlin`"),
    ({"time_zone": "Mars/Olympus"}, "time_zone", "is not an IANA time zone"),
    ({"kind": "cron", "at": None, "cron": "0 0 31 2 *"}, "cron", "never runs"),
    ({"kind": "cron", "at": None, "cron": "*/5 * * * *"}, "cron", "more often than every 15 minutes"),
    ({"kind": "cron", "at": None, "cron": "0 25 * * *"}, "cron", "the field hour is not valid"),
    ({"kind": "interval", "at": None, "every_minutes": 14}, "every_minutes", "at least 15"),
    ({"kind": "interval", "at": None, "every_minutes": 60, "anchor": "2026-01-01T09:00:00"}, "anchor", "timezone"),
    ({"kind": "monthly", "day": 31}, "day", "from 1 to 28, which every month has, or `last`"),
    ({"kind": "monthly"}, "day", "is required with kind `monthly`"),
    ({"cron": "0 9 * * *"}, "cron", "is not used with kind `daily`"),
    ({"at": "25:00"}, "at", "match"),
    ({"at": None}, "at", "is required with kind `daily`"),
    ({"kind": "weekly", "days": []}, "days", "at least 1"),
    ({"filters": {"min_skore": 3}}, "filters.min_skore", "did you mean `min_score`"),
    ({"max_leads": 0}, "max_leads", "at least 1"),
    ({"kind": "hourly"}, "kind", "must be one of"),
    ({"name": " "}, "name", "at least 1"),
]  # fmt: skip


async def test_invalid_input_is_refused_with_its_field_and_not_saved(api: Api) -> None:
    for changes, field, message in BAD:
        for path in (PATH, f"{PATH}/preview"):
            problem = await api.call("POST", path, body(api, **changes), status=422)
            assert problem["code"] == "invalid_request"
            [error] = [each for each in problem["errors"] if each["field"] == field]
            assert message in error["message"], (field, error)
    assert (await api.call("GET", PATH))["schedules"] == []


async def test_an_unknown_project_or_destination_is_404(api: Api) -> None:
    problem = await api.call("POST", PATH, body(api, project_id=str(uuid4())), status=404)
    assert problem["code"] == "project_not_found"
    problem = await api.call("POST", PATH, body(api, destination_id=str(uuid4())), status=404)
    assert (problem["code"], problem["errors"][0]["field"]) == ("destination_not_found", "destination_id")
    other = await api.host.project(api.other_org_id, "Of others")
    assert (await api.call("POST", PATH, body(api, project_id=str(other)), status=404))["code"] == "project_not_found"
    assert (await api.call("GET", PATH))["schedules"] == []


async def test_a_schedule_of_another_destination_pushes_there_and_prevents_its_archiving(api: Api) -> None:
    second = await api.call(
        "POST", "/api/clay/destinations", {"name": "Second", "webhook_url": f"{api.receiver.url}-second"}
    )
    made = await create(api, destination_id=second["id"])
    one = f"{PATH}/{made['id']}"
    preview = await api.call("POST", f"{one}/preview")
    assert (preview["to_send"], preview["push"]["to_send"]) == (3, 3)
    run = await api.call("POST", f"{one}/run", status=202)
    [job] = await api.host.connection.fetch("SELECT destination_id FROM clay.push_jobs")
    assert str(job["destination_id"]) == second["id"]
    assert run["lead_count"] == 3
    problem = await api.call("DELETE", f"/api/clay/destinations/{second['id']}", status=409)
    assert [use["kind"] for use in problem["used_by"]] == ["schedule"]


async def test_roles_and_scopes(api: Api) -> None:
    made = await create(api)
    one = f"{PATH}/{made['id']}"
    changes = [("POST", PATH, body(api)), ("PUT", one, body(api)), ("DELETE", one, None), ("POST", f"{one}/pause", None),
               ("POST", f"{one}/resume", None)]  # fmt: skip
    reader, pusher = await api.key(Scope.READ), await api.key(Scope.PUSH)
    for method, path, sent in changes:
        assert (await api.call(method, path, sent, who="member", status=403))["code"] == "role_required"
        assert (await api.call(method, path, sent, who=pusher, status=403))["code"] == "scope_required"
    for who in ("member", reader):
        await api.call("GET", PATH, who=who)
        await api.call("POST", f"{one}/preview", who=who)
        await api.call("POST", f"{PATH}/preview", body(api), who=who)
    await api.call("POST", f"{one}/run", who=reader, status=403)
    await api.call("POST", f"{one}/run", who=pusher, status=202)


async def test_run_now_pushes_once_and_then_gives_the_reason(api: Api) -> None:
    made = await create(api)
    one = f"{PATH}/{made['id']}"
    run = await api.call("POST", f"{one}/run", who="member", status=202)
    assert (run["outcome"], run["lead_count"], run["started_by"], run["late"]) == ("queued", 3, "user:member", False)
    assert (await api.call("POST", f"{one}/run", who="member"))["outcome"] == "overlap"
    await api.drain()
    assert (await api.call("POST", f"{one}/run", who="member"))["outcome"] == "nothing_new"
    shown = await api.call("GET", one)
    assert shown["last_run"]["outcome"] == "nothing_new"
    assert shown["next_runs"] == made["next_runs"]
    job = await api.call("GET", f"/api/clay/jobs/{run['job_ids'][0]}")
    assert job["created_by"] == "user:member"


async def test_the_preview_equals_the_run(api: Api) -> None:
    made = await create(api, max_leads=2)
    one = f"{PATH}/{made['id']}"
    preview = await api.call("POST", f"{one}/preview")
    assert (preview["outcome"], preview["to_send"], preview["lead_count"]) == ("queued", 2, 3)
    assert preview["message"] == "2 leads are being pushed to Clay."
    assert preview["push"]["to_send"] == 2
    assert preview["push"]["sample"]["_meta"]
    assert preview["next_runs"] == made["next_runs"]
    assert (await api.call("POST", f"{one}/run", status=202))["lead_count"] == 2
    assert (await api.call("POST", f"{one}/preview"))["outcome"] == "overlap"
    await api.drain()
    preview = await api.call("POST", f"{one}/preview")
    assert (preview["to_send"], preview["left_out"][0]["clause"]) == (1, "already_in_clay")
    unsaved = await api.call("POST", f"{PATH}/preview", body(api, filters={"min_score": 99}))
    assert (unsaved["outcome"], unsaved["to_send"]) == ("nothing_new", 0)
    assert {each["clause"]: each["count"] for each in unsaved["left_out"]} == {"already_in_clay": 2, "filters": 1}


async def test_a_preview_without_a_webhook_gives_the_reason(database_url: str) -> None:
    async with run_api_with_leads(database_url) as api:
        await api.call("DELETE", "/api/clay/config")
        preview = await api.call("POST", f"{PATH}/preview", body(api))
        assert (preview["outcome"], preview["to_send"], preview["push"]) == ("clay_not_configured", 3, None)


async def test_pause_and_resume(api: Api) -> None:
    made = await create(api)
    one = f"{PATH}/{made['id']}"
    paused = await api.call("POST", f"{one}/pause")
    assert (paused["paused_because"], paused["next_runs"]) == ("user", [])
    assert (await api.call("POST", f"{one}/pause"))["paused_at"] == paused["paused_at"]
    assert (await api.call("PUT", one, body(api, at="10:00")))["paused_because"] == "user"
    resumed = await api.call("POST", f"{one}/resume")
    assert resumed["paused_because"] is None
    assert all("T10:00:00" in each for each in resumed["next_runs"])
    actions = [
        row["action"] for row in await api.host.connection.fetch("SELECT action FROM clay.audit_log ORDER BY id")
    ]
    assert actions[-4:] == ["schedule.created", "schedule.paused", "schedule.changed", "schedule.resumed"]


async def test_the_history_in_pages_and_after_a_deletion(api: Api) -> None:
    made = await create(api, kind="interval", at=None, every_minutes=15, anchor="2026-01-01T00:00:00Z")
    schedule_id, one = made["id"], f"{PATH}/{made['id']}"
    await make_due(api.installation, schedule_id, late=timedelta(minutes=80))
    await sweep(api.installation)
    seen: list[Any] = []
    cursor = ""
    while True:
        page = await api.call("GET", f"{one}/runs?limit=2{cursor}")
        seen += page["runs"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert [run["outcome"] for run in seen] == ["queued"] + ["missed"] * (len(seen) - 1)
    assert len(seen) >= 5
    assert [run["due_at"] for run in seen] == sorted((run["due_at"] for run in seen), reverse=True)
    assert len({run["due_at"] for run in seen}) == len(seen)
    assert (await api.call("GET", f"{one}/runs?cursor=x", status=400))["code"] == "cursor_invalid"
    await api.call("DELETE", one)
    assert (await api.call("GET", f"{one}/runs", status=404))["code"] == "schedule_not_found"
    assert len((await api.call("GET", "/api/clay/jobs"))["jobs"]) == 1


async def test_a_hundred_schedules_are_the_limit(api: Api) -> None:
    made = await create(api)
    await api.host.connection.execute(
        "INSERT INTO clay.schedules SELECT (jsonb_populate_record(schedule, jsonb_build_object('id', gen_random_uuid()))).*"
        " FROM clay.schedules AS schedule, generate_series(1, 99)"
    )
    assert (await api.call("POST", PATH, body(api), status=409))["code"] == "too_many_schedules"
    await api.call("DELETE", f"{PATH}/{made['id']}")
    await create(api)
