"""A lead's enrichment as members see and change it: badge, score, sources, history, pins, edits, and the host's own values."""

import json
from datetime import timedelta

import pytest

from tests.enrichment.results import results


async def test_a_lead_without_results_was_not_searched_for(database_url: str) -> None:
    async with results(database_url) as app:
        lead = await app.lead()
        assert lead["badge"] == {"enriched": False, "enriched_at": None, "stale": False}
        assert lead["score"] == {"confidence": None, "band": "not_given", "basis": "none"}
        assert len(lead["fields"]) == 11
        assert {each["state"] for each in lead["fields"]} == {"not_searched"}
        assert {each["current"] for each in lead["fields"]} == {None}


async def test_the_view_shows_source_provider_confidence_times_and_history(database_url: str) -> None:
    async with results(database_url) as app:
        await app.result(
            email="ada@example.com", email_status="valid", provider="Hunter", phone="", phone_confidence="0.5", industry="Software",
            industry_confidence=71, observed_at="2026-01-02T03:04:05Z",
        )  # fmt: skip
        lead = await app.lead()
        fields = {each["field"]: each for each in lead["fields"]}
        email = fields["email"]
        assert (email["state"], email["chosen_because"], email["host_value"]) == ("found", "newest", None)
        shown = email["current"]
        assert (shown["value"], shown["source"], shown["provider"]) == ("ada@example.com", "table", "Hunter")
        assert (shown["confidence"], shown["band"], shown["basis"], shown["email_status"]) == (
            95,
            "very_high",
            "derived",
            "valid",
        )
        assert shown["observed_at"] == "2026-01-02T03:04:05Z" != shown["received_at"]
        assert email["history"] == [shown]
        assert fields["phone"]["state"] == "not_found"
        assert fields["phone"]["history"][0]["confidence"] is None, "nothing found has no confidence"
        assert fields["location"]["state"] == "not_searched"
        assert fields["industry"]["current"]["basis"] == "reported"
        assert lead["score"] == {"confidence": 83, "band": "high", "basis": "derived"}
        assert lead["badge"]["enriched"]
        assert not lead["badge"]["stale"]


async def test_values_are_stale_after_six_months(database_url: str) -> None:
    async with results(database_url) as app:
        await app.result(email="ada@example.com")
        for days, stale in ((182, False), (184, True)):
            await app.api.host.connection.execute(
                "UPDATE clay.enriched_values SET received_at = now() - $1::interval", timedelta(days)
            )
            lead = await app.lead()
            assert (lead["badge"]["stale"], (await app.field())["stale"]) == (stale, stale)


async def test_an_empty_result_erases_nothing_and_shows_the_search(database_url: str) -> None:
    async with results(database_url) as app:
        await app.result(email="ada@example.com")
        await app.result(email="")
        field = await app.field()
        assert (field["current"]["value"], field["state"], field["history_count"]) == (
            "ada@example.com",
            "not_found",
            2,
        )


async def test_the_hosts_own_value_is_shown_beside_and_chosen_until_a_person_decides(database_url: str) -> None:
    async with results(database_url) as app:
        await app.api.host.connection.execute(
            f"UPDATE {app.api.host.name('leads')} SET email = 'Own@Example.com', company = 'Acme' WHERE id = $1",
            app.lead_id,
        )
        await app.result(email="ada@example.com", company_name="Acme Inc.")
        field = await app.field()
        assert (field["host_value"], field["chosen_because"]) == ("Own@example.com", "host")
        assert (field["current"]["source"], field["current"]["id"]) == ("host", None)
        assert (await app.field("company_name"))["host_value"] == "Acme"
        await app.edit({"value_id": field["history"][0]["id"]})
        assert await app.current() == "ada@example.com"
        await app.edit({"pinned": False})
        assert await app.current() == "Own@example.com"
        row = await app.api.host.connection.fetchrow(
            f"SELECT email FROM {app.api.host.name('leads')} WHERE id = $1", app.lead_id
        )
        assert row is not None
        assert row["email"] == "Own@Example.com", "nothing is written into the host"


async def test_a_pinned_value_is_unchanged_by_twenty_other_results(database_url: str) -> None:
    async with results(database_url) as app:
        await app.result(email="ada@example.com", email_confidence=50)
        pinned = (await app.edit({"pinned": True}))["fields"][0]
        assert (pinned["chosen_because"], pinned["pinned_by"]) == ("pinned", "user:owner")
        for number in range(20):
            await app.result(email=f"other{number}@example.com", email_confidence=99)
        field = await app.field()
        assert (field["current"]["value"], field["history_count"]) == ("ada@example.com", 21)
        await app.edit({"pinned": False})
        field = await app.field()
        assert (field["current"]["value"], field["pinned_by"]) == ("other19@example.com", None)


async def test_a_person_enters_pins_and_withdraws_a_value(database_url: str) -> None:
    async with results(database_url) as app:
        await app.result(email="ada@example.com")
        edited = (await app.edit({"value": " Typed@Example.com "}, who="member"))["fields"][0]
        assert (edited["current"]["value"], edited["chosen_because"]) == ("Typed@example.com", "edited")
        assert (edited["current"]["source"], edited["current"]["entered_by"]) == ("person", "user:member")
        await app.result(email="newer@example.com", email_confidence=100)
        assert await app.current() == "Typed@example.com"
        assert (await app.edit({"value": None}))["fields"][0]["current"]["value"] == "newer@example.com"
        await app.edit({"value": "again@example.com", "pinned": True})
        field = await app.field()
        assert (field["current"]["value"], field["chosen_because"], field["pinned_by"]) == (
            "again@example.com",
            "pinned",
            "user:owner",
        )
        assert await app.edit({"value": ["Go", "AWS"]}, "technologies")
        assert await app.current("technologies") == ["Go", "AWS"]
        audit = await app.api.call("GET", "/api/clay/audit?limit=200")
        actions = [each["action"] for each in audit["entries"]]
        assert {"enriched_value.entered", "enriched_value.withdrawn"} <= set(actions)
        assert "Typed" not in json.dumps(audit)
        assert str(app.lead_id) not in json.dumps(audit)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422), ({"value": "x", "value_id": "d1c7f7d4-3e5b-4e8e-9d5a-7f0f1b8c2a66"}, 422), ({"value": None, "pinned": True}, 422),
        ({"value_id": "d1c7f7d4-3e5b-4e8e-9d5a-7f0f1b8c2a66", "pinned": False}, 422), ({"value": "not an address"}, 422),
        ({"value": " "}, 422), ({"other": 1}, 422), ({"pinned": True}, 409),
        ({"value_id": "d1c7f7d4-3e5b-4e8e-9d5a-7f0f1b8c2a66"}, 404), ({"pinned": False}, 200),
    ],
)  # fmt: skip
async def test_an_invalid_edit_changes_nothing(database_url: str, body: object, status: int) -> None:
    async with results(database_url) as app:
        await app.edit(body, status=status)
        assert await app.api.host.connection.fetch("SELECT 1 FROM clay.enriched_values") == []


async def test_a_value_of_another_field_or_lead_cannot_be_pinned(database_url: str) -> None:
    async with results(database_url) as app:
        await app.result(email="ada@example.com", phone="")
        [email, phone] = [(await app.field(name))["history"][0]["id"] for name in ("email", "phone")]
        assert (await app.edit({"value_id": email}, "industry", status=404))["code"] == "value_not_found"
        assert (await app.edit({"value_id": phone}, "phone", status=404))["code"] == "value_not_found", (
            "nothing was found"
        )
        other = f"/api/clay/leads/{app.api.lead_ids[1]}/enrichment/email"
        assert (await app.api.call("PUT", other, {"value_id": email}, status=404))["code"] == "value_not_found"
        assert (await app.edit({"value": "x"}, "nope", status=404))["code"] == "field_not_found"
