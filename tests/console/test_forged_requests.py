"""Unsafe requests of the console: another origin, a missing or foreign form token, and routes that would not check it."""

from collections.abc import Mapping

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute

from clay_push_service.console.routes import ROUTERS
from clay_push_service.console.session.form_token import is_form_token, make_form_token
from clay_push_service.console.session.origin import SAFE_METHODS
from clay_push_service.console.session.route import ConsoleRoute, SignInRoute
from tests.harness.api import Api
from tests.harness.visitor import FORM, SAME_ORIGIN, Visitor, visiting

OTHER_ORIGINS: tuple[Mapping[str, str], ...] = (
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://clay-push.test"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "https://elsewhere.example"},
    {"Origin": "null"},
    {},
)
"""The last: a client that reports nothing about the page that sends the form."""


UNSAFE_PATHS = [
    route.path
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute) and not SAFE_METHODS.issuperset(route.methods or ())
]


@pytest.mark.parametrize("headers", OTHER_ORIGINS)
async def test_every_form_of_another_origin_is_refused(api: Api, owner: Visitor, headers: Mapping[str, str]) -> None:
    job_id = await api.queue()
    await owner.open("/console/jobs")
    assert len(UNSAFE_PATHS) >= 5
    for path in UNSAFE_PATHS:
        answer = await owner.submit(path.replace("{job_id}", job_id), headers=headers)
        assert (answer.status_code, "does not come from a page of this console" in answer.text) == (403, True), path
    assert (await api.job(job_id))["status"] == "pending"


async def test_a_form_without_the_token_of_this_session_is_refused(api: Api, owner: Visitor) -> None:
    job_id = await api.queue()
    async with visiting(api, "admin") as other:
        await other.open("/console/jobs")
        foreign = other.form_token
    for path in UNSAFE_PATHS:
        for body in ("", "form_token=", "form_token=x", f"form_token={foreign}"):
            answer = await owner.http.post(
                path.replace("{job_id}", job_id), content=body, headers={"Content-Type": FORM, **SAME_ORIGIN}
            )
            assert (answer.status_code, "no longer valid" in answer.text) == (403, True), (path, body)
    assert (await api.job(job_id))["status"] == "pending"


async def test_origin_is_enough_where_the_browser_sends_no_fetch_metadata(api: Api, owner: Visitor) -> None:
    job_id = await api.queue()
    await owner.open("/console/jobs")
    answer = await owner.submit(f"/console/jobs/{job_id}/cancel", headers={"Origin": "http://clay-push.test"})
    assert answer.status_code == 303


async def test_a_body_that_is_no_form_or_too_large_is_refused(api: Api, owner: Visitor) -> None:
    job_id = await api.queue()
    path = f"/console/jobs/{job_id}/cancel"
    json = await owner.http.post(path, json={}, headers=SAME_ORIGIN)
    assert json.status_code == 415
    large = await owner.http.post(path, content=b"a=" + b"x" * 2_300_000, headers={"Content-Type": FORM, **SAME_ORIGIN})
    assert large.status_code == 413


@pytest.mark.parametrize("kind", [ConsoleRoute, SignInRoute])
def test_a_route_that_does_not_check_its_form_cannot_be_declared(kind: type[APIRoute]) -> None:
    router = APIRouter(route_class=kind)

    async def change() -> None:
        """Changes something."""

    with pytest.raises(TypeError):
        router.add_api_route("/console/change", change, methods=["POST"])


def test_form_tokens_differ_on_each_page_and_fit_one_secret() -> None:
    first, second = make_form_token("secret"), make_form_token("secret")
    assert first != second
    assert is_form_token("secret", first)
    assert is_form_token("secret", second)
    assert not is_form_token("other", first)
    assert not is_form_token("", make_form_token(""))
