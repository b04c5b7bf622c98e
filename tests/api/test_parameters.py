"""A route refuses query parameters that it does not declare. If it ignored a misspelled `dry_run`, it would push leads."""

import re
from collections.abc import Iterator
from uuid import UUID

import httpx
import pytest

from clay_push_service.callers.caller import Scope
from tests.harness.api import Api, run_api_with_leads
from tests.harness.settings import access_token
from tests.support.description import described

SEGMENT = re.compile(r"\{\w+\}")
SOME_ID = str(UUID(int=1))
DESCRIBED = described()
IGNORING = re.compile(
    r"/(healthz|readyz|metrics|api/integrations/.*|api/clay/results/\{endpoint_id\}|.*/run-finished/\{endpoint_id\})"
)
"""Routes for load balancers, Prometheus, the host's frontend and Clay. They ignore unknown parameters or refuse the request for another reason."""


def routes() -> Iterator[tuple[str, str]]:
    for path, methods in DESCRIBED["paths"].items():
        yield from ((method.upper(), path) for method in methods if method in {"get", "post", "put", "delete"})


def message(answer: httpx.Response) -> str:
    assert answer.status_code == 422, answer.text
    problem = answer.json()
    assert problem["code"] == "invalid_request"
    return str(problem["detail"])


@pytest.mark.parametrize(("method", "path"), list(routes()))
async def test_every_route_refuses_an_undeclared_query_parameter(app_client: Api, method: str, path: str) -> None:
    who = await app_client.key(*Scope)
    answer = await app_client.send(method, f"{SEGMENT.sub(SOME_ID, path)}?nonsense=1", who)
    if IGNORING.fullmatch(path):
        assert "nonsense" not in answer.text
    else:
        assert message(answer).startswith("nonsense: is not a query parameter of this request")


@pytest.mark.parametrize(
    ("query", "report"),
    [
        ("dryrun=true", "dryrun: is not a query parameter of this request; did you mean `dry_run`?"),
        ("Dry_Run=true", "Dry_Run: is not a query parameter of this request; did you mean `dry_run`?"),
        ("dry-run=true", "dry-run: is not a query parameter of this request; did you mean `dry_run`?"),
        ("test=true", "test: is not a query parameter of this request; known are `dry_run`."),
        ("dry_run=true&dry_run=false", "dry_run: is sent more than once, but accepts one value."),
        ("dryrun=1&wait=1", "dryrun: is not a query parameter of this request; did you mean `dry_run`? (1 more)."),
    ],
)
async def test_a_push_with_a_misspelled_parameter_queues_nothing(database_url: str, query: str, report: str) -> None:
    async with run_api_with_leads(database_url, leads=1) as p:
        body = {"lead_ids": [str(p.lead_ids[0])]}
        assert message(await p.send("POST", f"/api/clay/push?{query}", "owner", json=body)) == report
        assert await p.host.connection.fetchval("SELECT count(*) FROM clay.push_jobs") == 0


async def test_the_message_names_an_unknown_filter_of_a_list(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=1) as p:
        query = f"project_id={p.project_id}&min_skore=1&classifications=A&classifications=B"
        report = message(await p.get(f"/api/clay/leads?{query}", "owner"))
        assert report == "min_skore: is not a query parameter of this request; did you mean `min_score`?"
        good = await p.call("GET", f"/api/clay/leads?project_id={p.project_id}&companies=A&companies=B")
        assert good["leads"] == []


async def test_a_repeated_single_value_header_is_refused(app_client: Api) -> None:
    org_ids = [("X-Org-Id", str(app_client.org_id)), ("X-Org-Id", str(app_client.other_org_id))]
    headers = [("Authorization", f"Bearer {access_token('both')}"), *org_ids]
    answer = await app_client.http.get("/api/clay/config", headers=headers)
    assert message(answer) == "X-Org-Id: is sent more than once, but accepts one value."


async def test_authentication_comes_before_the_check_of_parameters(app_client: Api) -> None:
    assert (await app_client.get("/api/clay/config?nonsense=1")).status_code == 401


@pytest.mark.parametrize("name", ["=", "x" * 5000, "dry_run[]", "%ff", "DRY_RUN%20"])
async def test_the_response_to_unusual_parameter_names_is_short(app_client: Api, name: str) -> None:
    answer = await app_client.send("POST", f"/api/clay/push?{name}=1", "owner", json={"lead_ids": [SOME_ID]})
    message(answer)
    assert len(answer.content) < 1000


async def test_the_response_to_many_unknown_parameters_is_short(app_client: Api) -> None:
    crowd = "&".join(f"name{number}=1" for number in range(2000))
    assert len((await app_client.get(f"/api/clay/config?{crowd}", "owner")).content) < 5000
