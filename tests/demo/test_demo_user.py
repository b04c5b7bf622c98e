"""The demo's user prints the message of a refused request. The tests replace the network."""

from uuid import uuid4

import httpx
import pytest
import respx

from clay_push_service.demo.demo_user import DemoUser
from clay_push_service.demo.home import DemoError
from clay_push_service.demo.host_database import DemoProject
from clay_push_service.host.columns import Vintage

API = "http://api.example.com"


@pytest.fixture
def demo_project() -> DemoProject:
    return DemoProject(uuid4(), uuid4(), "Acme", "Platform", [], Vintage.TODAY, all_leads=0, is_new=True)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (httpx.Response(409, json={"detail": "Configure your Clay webhook URL."}), "Configure your Clay webhook URL."),
        (httpx.Response(502, text="<html>Bad gateway</html>"), "502"),
        (httpx.Response(500, json=["no problem document"]), "500"),
    ],
)
async def test_the_message_of_a_refusal_is_printed(
    respx_mock: respx.MockRouter, demo_project: DemoProject, answer: httpx.Response, message: str
) -> None:
    respx_mock.post(f"{API}/api/clay/push-filtered").mock(return_value=answer)
    async with httpx.AsyncClient(base_url=API) as api:
        with pytest.raises(DemoError, match=message):
            await DemoUser(api, "token", demo_project).push()


async def test_every_call_names_the_organization_and_carries_the_token(
    respx_mock: respx.MockRouter, demo_project: DemoProject
) -> None:
    job_id = uuid4()
    answer = {"job_id": str(job_id), "lead_count": 2, "skipped_count": 0, "message": "Clay push job queued", "jobs": []}
    route = respx_mock.post(f"{API}/api/clay/push-filtered").mock(return_value=httpx.Response(202, json=answer))
    async with httpx.AsyncClient(base_url=API) as api:
        assert (await DemoUser(api, "a-token", demo_project).push()).job_id == job_id
    sent = route.calls.last.request
    assert sent.headers["authorization"] == "Bearer a-token"
    assert sent.headers["x-org-id"] == str(demo_project.org_id)
