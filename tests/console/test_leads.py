"""The leads pages as a browser without JavaScript uses them: list, preview, push, push again, a lead, a delivery."""

import re
from uuid import uuid4

from tests.harness.api import Api
from tests.harness.visitor import Visitor, visiting


def fields(api: Api, **more: str) -> dict[str, str]:
    return {"project_id": str(api.project_id), "back": f"/console/leads?project={api.project_id}"} | more


async def test_leads_of_the_only_project_are_listed_with_their_state(api: Api, owner: Visitor) -> None:
    await api.push_and_drain(api.lead_ids[:2])
    page = await owner.open("/console/leads")
    assert page.status_code == 200
    assert page.text.count('type="checkbox" name="lead_id"') == 5
    assert page.text.count("<span>In Clay</span>") == 2
    assert page.text.count("<span>Not in Clay</span>") == 3
    assert page.text.count('name="again"') == 2


async def test_several_projects_are_offered_first(api: Api, owner: Visitor) -> None:
    other = await api.host.project(api.org_id, name="Second project")
    page = await owner.open("/console/leads")
    assert f"/console/leads?project={other}" in page.text
    assert f"/console/leads?project={api.project_id}" in page.text


async def test_filters_come_from_the_url_and_an_empty_field_is_no_filter(api: Api, owner: Visitor) -> None:
    path = f"/console/leads?project={api.project_id}"
    assert (await owner.open(f"{path}&min_score=&search=&companies=")).text.count('name="lead_id"') == 5
    assert (await owner.open(f"{path}&min_score=89.75")).text.count('name="lead_id"') == 3
    assert "No lead matches" in (await owner.open(f"{path}&search=nothing-like-this")).text
    wrong = await owner.open(f"{path}&min_score=90&max_score=10")
    assert (wrong.status_code, "no lead can match" in wrong.text) == (422, True)


async def test_leads_without_email_and_never_or_long_ago_enriched_are_filtered(api: Api, owner: Visitor) -> None:
    path = f"/console/leads?project={api.project_id}"
    known = await api.host.lead(api.project_id, email="zoe@example.com", score=70)
    fresh, old = api.lead_ids[:2]
    for lead, days in ((fresh, 1), (old, 200)):
        await api.installation.fetch(
            """INSERT INTO clay.enriched_values (org_id, lead_id, field, source, confidence_basis, observed_at, received_at)
               VALUES (:org_id, :lead_id, 'email', 'routine', 'none', now(), now() - :days * interval '1 day')""",
            org_id=api.org_id, lead_id=lead, days=days,
        )  # fmt: skip
    page = (await owner.open(f"{path}&without_email=true")).text
    assert (page.count('name="lead_id"'), f'value="{known}"' in page) == (5, False)
    assert "without_email" in re.findall(r'name="filters" value="([^"]+)"', page)[0]
    never = (await owner.open(f"{path}&enrichment=never")).text
    assert (never.count('name="lead_id"'), str(fresh) in never, str(old) in never) == (4, False, False)
    stale = (await owner.open(f"{path}&enrichment=stale")).text
    assert (stale.count('name="lead_id"'), f'value="{old}"' in stale) == (1, True)


async def test_the_order_stays_on_the_next_page_of_leads(api: Api, owner: Visitor) -> None:
    for number in range(50):
        await api.host.lead(api.project_id, score=number)
    page = (await owner.open(f"/console/leads?project={api.project_id}&sort=lowest_score")).text
    assert re.search(r'<option value="lowest_score" selected>', page)
    assert "Lowest score first." in page
    [following] = re.findall(r'href="([^"]+)">Next leads', page)
    scores = re.compile(r'data-label="Score"><div>([\d.]+)')
    assert [float(each) for each in scores.findall(page)] == [float(each) for each in range(50)]
    following_page = (await owner.open(following.replace("&amp;", "&"))).text
    assert [float(each) for each in scores.findall(following_page)] == sorted(
        float(each) for each in scores.findall(following_page)
    )
    assert float(scores.findall(following_page)[0]) > 49
    enriched = (await owner.open(f"/console/leads?project={api.project_id}&sort=highest_enrichment_score")).text
    assert enriched.count("Not enriched") == 50


async def test_one_lead_is_queued_at_once_with_the_message_of_the_feature_document(api: Api, owner: Visitor) -> None:
    await owner.open("/console/leads")
    lead = str(api.lead_ids[0])
    page = await owner.submit_and_follow("/console/leads/push-one", fields(api, one=lead, key=str(uuid4())))
    assert "Pushing 1 lead to Clay..." in page.text
    jobs = (await api.call("GET", "/api/clay/jobs"))["jobs"]
    assert [job["lead_count"] for job in jobs] == [1]


async def test_a_second_click_pushes_no_second_time(api: Api, owner: Visitor) -> None:
    await owner.open("/console/leads")
    wanted = fields(api, one=str(api.lead_ids[0]), key="same")
    for _ in range(2):
        assert (await owner.submit("/console/leads/push-one", wanted)).status_code == 303
    assert len((await api.call("GET", "/api/clay/jobs"))["jobs"]) == 1


async def test_preview_repeats_the_number_and_queues_nothing(api: Api, owner: Visitor) -> None:
    await api.push_and_drain(api.lead_ids[:2])
    await owner.open("/console/leads")
    preview = await owner.submit("/console/leads/preview", fields(api, what="filtered"))
    assert preview.status_code == 200
    assert "Push 3 leads</button>" in preview.text
    assert "2: Already in your Clay table." in preview.text
    assert len((await api.call("GET", "/api/clay/jobs"))["jobs"]) == 1
    owner.page = preview
    job = await owner.submit_and_follow("/console/leads/push", fields(api, what="filtered"))
    assert "Pushing 3 leads to Clay..." in job.text


async def test_filters_of_the_page_reach_the_push(api: Api, owner: Visitor) -> None:
    page = await owner.open(f"/console/leads?project={api.project_id}&min_score=89.75")
    [filters] = re.findall(r'name="filters" value="([^"]+)"', page.text)
    wanted = fields(api, what="filtered", filters=filters.replace("&#34;", '"'))
    await owner.submit_and_follow("/console/leads/push", wanted)
    [job] = (await api.call("GET", "/api/clay/jobs"))["jobs"]
    assert (job["lead_count"], job["push_mode"]) == (3, "filtered")


async def test_push_again_is_previewed_and_sends_a_lead_that_is_in_clay(api: Api, owner: Visitor) -> None:
    await api.push_and_drain(api.lead_ids[:1])
    await owner.open("/console/leads")
    lead = str(api.lead_ids[0])
    preview = await owner.submit("/console/leads/preview", fields(api, again=lead))
    assert "Clay adds a second row" in preview.text
    owner.page = preview
    wanted = fields(api, lead_id=lead, what="selected", push_again="true")
    assert (await owner.submit("/console/leads/push", wanted)).status_code == 303
    await api.drain()
    assert api.receiver.leads[lead] == 2


async def test_nothing_selected_is_refused_in_words(api: Api, owner: Visitor) -> None:
    await owner.open("/console/leads")
    answer = await owner.submit("/console/leads/preview", fields(api, what="selected"))
    assert (answer.status_code, "Select at least one lead." in answer.text) == (422, True)


async def test_lead_page_shows_deliveries_and_a_value_can_be_entered_and_pinned(api: Api, owner: Visitor) -> None:
    await api.push_and_drain(api.lead_ids[:1])
    path = f"/console/leads/{api.lead_ids[0]}"
    page = await owner.open(path)
    assert page.status_code == 200
    assert "In the Clay table <bdi" in page.text
    entered = await owner.submit_and_follow(
        f"{path}/fields/email", {"action": "enter", "value": "zoe@example.com", "pinned": "true"}
    )
    assert "zoe@example.com" in entered.text
    assert "Pinned by owner" in entered.text
    unpinned = await owner.submit_and_follow(f"{path}/fields/email", {"action": "unpin"})
    assert "Pinned by owner" not in unpinned.text
    invalid = await owner.submit(f"{path}/fields/email", {"action": "enter", "value": "no address"})
    assert invalid.status_code == 422


async def test_delivery_page_and_its_api_show_the_row_and_whether_it_changed(api: Api, owner: Visitor) -> None:
    job = await api.push_and_drain(api.lead_ids[:1])
    [delivery] = (await api.call("GET", f"/api/clay/jobs/{job['id']}/leads"))["leads"]
    path = f"/jobs/{job['id']}/leads/{delivery['delivery_id']}"
    found = await api.call("GET", f"/api/clay{path}")
    assert (found["payload_state"], found["payload"]["_meta"]["delivery_id"]) == ("same", delivery["delivery_id"])
    page = await owner.open(f"/console{path}")
    assert "The lead has not changed since this push" in page.text
    assert "Clay accepted the lead." in page.text
    lead_id = api.installation.name("leads")
    await api.host.connection.execute(
        f"UPDATE {lead_id} SET company = 'Another company' WHERE id = $1", api.lead_ids[0]
    )
    assert (await api.call("GET", f"/api/clay{path}"))["payload_state"] == "changed"
    assert "The lead has changed since this push" in (await owner.open(f"/console{path}")).text


async def test_leads_and_deliveries_of_another_organization_are_not_found(api: Api) -> None:
    job = await api.push_and_drain(api.lead_ids[:1])
    [delivery] = (await api.call("GET", f"/api/clay/jobs/{job['id']}/leads"))["leads"]
    async with visiting(api, "other_owner") as other_owner:
        for path in (
            f"/leads?project={api.project_id}", f"/leads/{api.lead_ids[0]}", f"/jobs/{job['id']}/leads/{delivery['delivery_id']}",
        ):  # fmt: skip
            assert (await other_owner.open(f"/console{path}")).status_code == 404, path
        await other_owner.open("/console/jobs")
        for path, more in (
            ("preview", {"what": "filtered"}), ("push", {"what": "filtered"}), ("push-one", {"one": str(api.lead_ids[0])}),
            (f"{api.lead_ids[0]}/fields/email", {"action": "enter", "value": "a@example.com"}),
        ):  # fmt: skip
            assert (await other_owner.submit(f"/console/leads/{path}", fields(api, **more))).status_code in {
                404,
                409,
            }, path
    assert len((await api.call("GET", "/api/clay/jobs"))["jobs"]) == 1


async def test_a_lead_and_several_are_queued_for_enrichment(api: Api, owner: Visitor) -> None:
    routine = {"routine_id": "r", "inputs": {"Name": "full_name", "Company": "company"}, "outputs": {"email": "Email"}}
    config = {"api_key": "clay_key_of_owner", "routines": {"email": routine}}
    await api.call("PUT", "/api/clay/enrichment/config", config)
    named = [await api.host.lead(api.project_id, full_name=f"Lead {n}", company="Acme") for n in range(3)]
    await owner.open(f"/console/leads/{named[0]}")
    wanted = {"kind": "email", "basis": "consent", "key": "one"}
    page = await owner.submit_and_follow(f"/console/leads/{named[0]}/enrich", wanted)
    assert "Queued for enrichment" in page.text
    await owner.open("/console/leads")
    both = fields(api, kind="email", basis="legitimate_interest", lead_id=str(named[1]))
    page = await owner.submit_and_follow("/console/leads/enrich", both)
    assert "Queued for enrichment" in page.text
    jobs = (await api.call("GET", "/api/clay/enrichment/jobs"))["jobs"]
    assert [job["lead_count"] for job in jobs] == [1, 1]
    await owner.open("/console/leads")
    none = await owner.submit("/console/leads/enrich", fields(api, kind="email", basis="consent"))
    assert (none.status_code, "Select 1 to 50 leads" in none.text) == (422, True)
