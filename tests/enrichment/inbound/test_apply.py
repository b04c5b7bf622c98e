"""Results become values of the lead that they name, in any order, once; what matches nothing is kept and can be applied later."""

import asyncio
import json
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

from clay_push_service.destinations.reseal import reseal
from clay_push_service.destinations.secret_box import SecretBox, generate_key
from clay_push_service.enrichment.inbound import apply
from clay_push_service.enrichment.inbound.read_result import read_result
from tests.enrichment.results import results
from tests.support.dump import dump


async def test_a_result_is_matched_by_its_delivery_and_confirms_it(database_url: str) -> None:
    async with results(database_url) as r:
        job = await r.api.push_and_drain()
        [first, second] = await r.deliveries()
        answer = await r.send({"_meta": {"Delivery-ID": str(first["id"])}, "email": "ada@example.com"})
        assert answer["known"]
        await r.apply()
        page = await r.api.call("GET", f"/api/clay/jobs/{job['id']}/leads")
        confirmed = {each["delivery_id"]: each["confirmed_at"] for each in page["leads"]}
        assert confirmed[str(first["id"])] is not None
        assert confirmed[str(second["id"])] is None
        leads = await r.api.call("GET", f"/api/clay/leads?project_id={r.api.project_id}")
        shown = {each["id"]: each["clay"]["confirmed_at"] for each in leads["leads"]}
        assert shown[str(first["contributor_id"])] == confirmed[str(first["id"])]
        assert shown[str(second["contributor_id"])] is None
        at = (await r.deliveries())[0]["confirmed_at"].isoformat()
        lead = await r.lead(first["contributor_id"])
        assert lead["badge"]["enriched"]
        csv = await r.api.get(f"/api/clay/jobs/{job['id']}/leads.csv", "owner")
        assert csv.text.splitlines()[0].endswith("confirmed_at")
        await r.verify()
        again = await r.send({"delivery_id": str(first["id"]), "phone": "+4930123456"})
        assert again["known"]
        await r.apply()
        assert (await r.deliveries())[0]["confirmed_at"].isoformat() == at
        assert await r.states() == [("applied", None)] * 2


async def test_the_delivery_decides_before_the_lead(database_url: str) -> None:
    async with results(database_url) as r:
        await r.api.push_and_drain()
        [first, second] = await r.deliveries()
        body = {"delivery_id": str(first["id"]), "lead_id": str(second["contributor_id"]), "email": "ada@example.com"}
        await r.send(body)
        await r.apply()
        [row] = await r.api.host.connection.fetch("SELECT lead_id FROM clay.enriched_values")
        assert row["lead_id"] == first["contributor_id"]


async def test_unmatched_results_are_kept_and_applied_later(database_url: str) -> None:
    async with results(database_url) as r:
        await r.send({"email": "ada@example.com"})
        later, foreign = uuid4(), uuid4()
        await r.send({"lead_id": str(later), "email": "ada@example.com"})
        await r.send({"delivery_id": str(foreign), "email": "eve@example.com"})
        await r.apply()
        assert await r.states() == [("unmatched", "no_id"), ("unmatched", "unknown_id"), ("unmatched", "unknown_id")]
        page = await r.api.call("GET", "/api/clay/results?state=unmatched&limit=2", who="member")
        rest = await r.api.call("GET", f"/api/clay/results?state=unmatched&limit=2&cursor={page['next_cursor']}")
        found = [*page["results"], *rest["results"]]
        assert [each["cause"] for each in found] == ["unknown_id", "unknown_id", "no_id"]
        assert [each["lead_id"] for each in found] == [None, str(later), None]
        assert found[0]["delivery_id"] == str(foreign)
        assert all(each["fields"] == ["email"] and each["explanation"] for each in found)
        result_id = found[1]["id"]
        path = f"/api/clay/results/{result_id}/apply"
        assert (await r.api.call("POST", path, who="member"))["state"] == "unmatched", "still no such lead"
        await r.api.host.lead(r.api.project_id, lead_id=later)
        applied = await r.api.call("POST", path, who="member")
        assert (applied["state"], applied["lead_id"], applied["cause"]) == ("applied", str(later), None)
        assert (await r.lead(later))["badge"]["enriched"]
        assert (await r.api.call("POST", path, status=409))["code"] == "result_applied"
        missing = await r.api.call("POST", f"/api/clay/results/{uuid4()}/apply", status=404)
        assert missing["code"] == "result_not_found"


async def test_a_result_that_matched_nothing_is_tried_again_when_it_is_sent_again(database_url: str) -> None:
    async with results(database_url) as r:
        body = {"lead_id": str(uuid4()), "email": "ada@example.com"}
        await r.send(body)
        await r.apply()
        assert await r.states() == [("unmatched", "unknown_id")]
        await r.api.host.lead(r.api.project_id, lead_id=UUID(body["lead_id"]))
        await r.send(body)
        assert await r.states() == [("stored", None)]
        await r.apply()
        assert await r.states() == [("applied", None)]


async def test_ids_of_another_organization_match_nothing_and_get_the_same_answer(database_url: str) -> None:
    async with results(database_url) as r:
        app, host = r.api, r.api.host
        theirs = await host.lead(await host.project(app.other_org_id))
        await r.api.push_and_drain()
        [first, _] = await r.deliveries()
        token = await r.api.call("POST", "/api/clay/results-tokens", status=201, who="stranger")
        headers = {"X-Clay-Push-Token": token["token"]}
        bodies = ({"delivery_id": str(first["id"])}, {"delivery_id": str(uuid4())})
        answers = [(await r.post(body, headers, path=token["path"])).json() for body in bodies]
        assert [{**each, "result_id": None} for each in answers] == [{**answers[0], "result_id": None}] * 2
        await r.send({"lead_id": str(theirs), "email": "eve@example.com"})
        await r.apply()
        assert {state for state, _ in await r.states()} == {"unmatched"}
        assert (await r.deliveries())[0]["confirmed_at"] is None
        assert await r.api.host.connection.fetch("SELECT 1 FROM clay.enriched_values") == []
        denied = await app.get(f"/api/clay/leads/{theirs}/enrichment", "owner")
        assert denied.json()["code"] == "lead_not_found"


async def test_a_body_without_a_picked_column_is_refused_with_the_explanation(database_url: str) -> None:
    async with results(database_url) as r:
        answer = await r.send({"delivery_id": "/delivery_id", "email": "/Work Email"})
        assert "pick the column" in answer["message"]
        await r.send(["x"])
        await r.apply()
        assert await r.states() == [("refused", "column_not_picked"), ("refused", "not_an_object")]
        [row, _] = await r.api.host.connection.fetch("SELECT sealed_body, id FROM clay.inbound_results ORDER BY seq")
        assert row["sealed_body"] is None
        gone = await r.api.call("POST", f"/api/clay/results/{row['id']}/apply", status=409)
        assert gone["code"] == "result_not_applicable"


async def test_a_result_that_raises_an_error_stops_no_other(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with results(database_url) as r:
        for number in range(5):
            await r.send({"lead_id": str(r.lead_id), "industry": f"number {number}"})
        read = read_result

        def failing(body: object, *rest: object) -> object:
            if "number 2" in str(body):
                raise RuntimeError("a defect of this test")
            return read(body, *rest)  # type: ignore[arg-type]  # as it was called

        monkeypatch.setattr(apply, "read_result", failing)
        await r.apply()
        assert await r.states() == [("applied", None)] * 2 + [("unmatched", "error")] + [("applied", None)] * 2
        monkeypatch.undo()
        [row] = await r.api.host.connection.fetch("SELECT id FROM clay.inbound_results WHERE state = 'unmatched'")
        assert (await r.api.call("POST", f"/api/clay/results/{row['id']}/apply"))["state"] == "applied"


async def test_two_workers_apply_each_result_once(database_url: str) -> None:
    async with results(database_url) as r:
        for number in range(40):
            await r.send({"lead_id": str(r.api.lead_ids[number % 2]), "industry": f"number {number}"})
        assert sum(await asyncio.gather(*(r.apply() for _ in range(4)))) == 40
        assert await r.states() == [("applied", None)] * 40
        rows = await r.api.host.connection.fetch("SELECT count(*) AS values FROM clay.enriched_values")
        assert rows[0]["values"] == 40


async def test_custom_fields_are_allowed_by_an_owner(database_url: str) -> None:
    async with results(database_url) as r:
        path = "/api/clay/enrichment/custom-fields"
        assert (await r.api.call("PUT", path, {"names": ["stage"]}, status=403, who="member"))[
            "code"
        ] == "role_required"
        for bad in (["Stage"], ["email"], ["a_b", "ab"], [""], [f"x{number}" for number in range(51)]):
            await r.api.call("PUT", path, {"names": bad}, status=422)
        await r.api.call("PUT", path, {"names": ["stage", *(f"x{number}" for number in range(49))]})
        await r.result(stage="Series A", other="x")
        assert await r.current("custom.stage") == "Series A"
        assert len((await r.lead())["fields"]) == 11 + 50
        assert (await r.api.call("GET", path, who="member"))["names"][0] == "stage"
        assert "custom.stage" in json.dumps(await r.edit({"value": "Series B"}, "custom.stage"))
        assert (await r.edit({"value": "x"}, "custom.other", status=404))["code"] == "field_not_found"


async def test_a_key_that_is_missing_leaves_the_result_in_quarantine(database_url: str) -> None:
    async with results(database_url) as r:
        await r.send({"lead_id": str(r.lead_id), "email": "ada@example.com"})
        await r.api.host.connection.execute(
            "UPDATE clay.inbound_results SET sealed_body = substring(sealed_body FOR 60)"
        )
        await r.apply()
        assert await r.states() == [("unmatched", "secret_unreadable")]
        page = await r.api.call("GET", "/api/clay/results")
        assert page["results"][0]["fields"] is None


async def test_nothing_of_a_result_is_stored_in_clear_outside_the_values(database_url: str) -> None:
    async with results(database_url) as r:
        await r.result(email="zorblatt@example.com", foo="zorblatt")
        lines = (await dump(r.api.database)).splitlines()
        assert {line.partition(":")[0] for line in lines if "zorblatt" in line} == {"enriched_values"}


async def test_a_rotation_of_keys_reaches_stored_results(database_url: str) -> None:
    async with results(database_url) as r:
        await r.send({"lead_id": str(r.lead_id), "email": "ada@example.com"})
        app = r.api
        new = generate_key()
        both = SecretBox((SecretStr(new), *app.app.state.settings.encryption_keys))
        assert (await reseal(app.database, both)).resealed >= 1
        app.app.state.box = SecretBox((SecretStr(new),))
        await r.apply()
        assert await r.states() == [("applied", None)]
