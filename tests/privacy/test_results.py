"""Erasure and retention also cover results and enriched values: a dump of the schema contains neither address nor name."""

from datetime import timedelta
from uuid import UUID

from clay_push_service.privacy.retention import empty_old_jobs
from tests.enrichment.results import Results, results
from tests.support.dump import dump

EMAIL, NAME = "zoe@zorblatt.example", "Zorblatt"


async def erase(app: Results, lead_id: UUID) -> None:
    await app.api.call("POST", "/api/clay/erasures", {"lead_ids": [str(lead_id)]}, status=201)


async def traces(app: Results, lead_id: UUID) -> list[str]:
    stored = (await dump(app.api.database)).casefold()
    return [each for each in (EMAIL, NAME.casefold(), str(lead_id)) if each in stored]


async def bodies(app: Results) -> list[bool]:
    rows = await app.api.host.connection.fetch(
        "SELECT sealed_body IS NOT NULL AS kept FROM clay.inbound_results ORDER BY seq"
    )
    return [row["kept"] for row in rows]


async def test_an_erasure_leaves_no_value_no_result_and_no_body_of_the_person(database_url: str) -> None:
    async with results(database_url) as app:
        await app.api.push_and_drain()
        [first, second] = await app.deliveries()
        lead_id = first["contributor_id"]
        await app.send({"delivery_id": str(first["id"]), "email": EMAIL, "job_title": NAME})
        await app.send({"lead_id": str(lead_id), "phone": "+49301234567"})
        await app.send({"delivery_id": str(second["id"]), "company_name": NAME})
        await app.send({"email": EMAIL})
        await app.apply()
        await app.api.call("PUT", f"/api/clay/leads/{lead_id}/enrichment/email", {"value": EMAIL, "pinned": True})
        late = {"lead_id": str(lead_id), "email": EMAIL}
        await app.send({"delivery_id": str(first["id"]), "email": EMAIL, "row": "late"})
        await erase(app, lead_id)
        assert await bodies(app) == [False, False, True], "the last result is not applied yet"
        await app.send(late)
        await app.apply()
        assert await app.states() == [
            ("applied", None), ("unmatched", "no_id"), ("refused", "erased"), ("refused", "erased"),
        ]  # fmt: skip
        assert True not in await bodies(app)
        values = await app.api.host.connection.fetch("SELECT lead_id FROM clay.enriched_values")
        assert {row["lead_id"] for row in values} == {second["contributor_id"]}
        assert await traces(app, lead_id) == [NAME.casefold()], "the company of the other lead must remain"
        await erase(app, second["contributor_id"])
        assert await traces(app, lead_id) == []


async def test_retention_empties_bodies_after_30_days_and_deletes_replaced_values(database_url: str) -> None:
    async with results(database_url) as app:
        await app.result(email="old@example.com")
        await app.result(email="new@example.com", phone="")
        await app.send({"email": EMAIL})
        await app.apply()
        await app.send({"lead_id": str(app.lead_id), "industry": "x"})
        for days, kept in ((29, [True, True, True, True]), (31, [False, False, False, True])):
            await app.api.host.connection.execute(
                "UPDATE clay.inbound_results SET received_at = now() - $1::interval", timedelta(days)
            )
            await empty_old_jobs(app.api.database, 180)
            assert await bodies(app) == kept, "results that are not applied must be kept"
        await app.apply()
        await app.api.host.connection.execute(
            "UPDATE clay.inbound_results SET received_at = now() - interval '181 days'"
        )
        await app.api.host.connection.execute(
            "UPDATE clay.enriched_values SET received_at = now() - interval '181 days'"
        )
        await empty_old_jobs(app.api.database, 180)
        assert await app.states() == []
        rows = await app.api.host.connection.fetch("SELECT field, value FROM clay.enriched_values ORDER BY seq")
        assert [(row["field"], row["value"]) for row in rows] == [
            ("email", '"new@example.com"'),
            ("phone", None),
            ("industry", '"x"'),
        ]
        assert await app.current() == "new@example.com"
        assert (await app.field("phone"))["state"] == "not_found", "the newest search must stay"


async def test_a_withdrawn_edit_does_not_return_when_old_rows_are_deleted(database_url: str) -> None:
    async with results(database_url) as app:
        await app.edit({"value": "typed@example.com"})
        await app.edit({"value": None})
        await app.result(email="found@example.com")
        await app.api.host.connection.execute(
            "UPDATE clay.enriched_values SET received_at = now() - interval '400 days'"
        )
        await empty_old_jobs(app.api.database, 180)
        await app.result(industry="x")
        assert await app.current() == "found@example.com"
        assert (await app.field())["history_count"] == 1
