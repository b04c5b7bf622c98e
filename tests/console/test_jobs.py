"""The list of jobs, a job's page, its cancel and its retry, as a browser without JavaScript uses them."""

from tests.harness.api import Api
from tests.harness.visitor import Visitor


async def test_list_shows_each_job_in_one_sentence(api: Api, owner: Visitor) -> None:
    job = await api.push_and_drain()
    page = await owner.open("/console/jobs")
    assert page.status_code == 200
    assert "Of 5 leads, 5 are in Clay." in page.text
    assert f'href="/console/jobs/{job["id"]}"' in page.text


async def test_job_page_shows_every_lead(api: Api, owner: Visitor) -> None:
    job = await api.push_and_drain()
    page = await owner.open(f"/console/jobs/{job['id']}")
    assert page.text.count("<tr>") == 6


async def test_the_choice_of_all_states_is_an_empty_value(api: Api, owner: Visitor) -> None:
    await api.push_and_drain()
    assert "Of 5 leads, 5 are in Clay." in (await owner.open("/console/jobs?status=")).text
    assert (await owner.open("/console/enrichment?status=")).status_code == 200
    assert (await owner.open("/console/jobs?status=other")).status_code == 422
