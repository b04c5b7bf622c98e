"""A browser without JavaScript, over HTTP in this process. It keeps cookies, sends same-origin headers, and submits forms."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html import unescape
from urllib.parse import urlencode

import httpx

from tests.harness.api import Api
from tests.harness.settings import access_token

SAME_ORIGIN: Mapping[str, str] = {"Sec-Fetch-Site": "same-origin"}
TOKEN = re.compile(r'name="form_token" value="([^"]+)"')
FORM = "application/x-www-form-urlencoded"


@dataclass
class Visitor:
    http: httpx.AsyncClient
    page: httpx.Response | None = None
    """The page that is open."""

    @property
    def form_token(self) -> str:
        assert self.page is not None, "open a page first"
        found = TOKEN.search(self.page.text)
        assert found, self.page.text
        return unescape(found[1])

    async def open(self, path: str, **headers: str) -> httpx.Response:
        """GET a page and follow redirects."""
        self.page = await self.http.get(path, headers=headers, follow_redirects=True)
        return self.page

    async def submit(
        self, path: str, fields: Mapping[str, str] | None = None, *, headers: Mapping[str, str] = SAME_ORIGIN
    ) -> httpx.Response:
        """POST a form with the CSRF token of the open page. Does not follow the redirect."""
        body = urlencode({"form_token": self.form_token} | dict(fields or {}))
        return await self.http.post(path, content=body, headers={"Content-Type": FORM, **headers})

    async def submit_and_follow(self, path: str, fields: Mapping[str, str] | None = None) -> httpx.Response:
        answer = await self.submit(path, fields)
        assert answer.status_code == 303, answer.text
        return await self.open(answer.headers["location"])

    async def sign_in(self, credential: str, org_id: object = "") -> httpx.Response:
        """Submit the sign-in form. Returns the response, with any status."""
        await self.open("/console/sign-in")
        return await self.submit("/console/session", {"credential": credential, "org_id": str(org_id)})


@asynccontextmanager
async def visiting(api: Api, who: str | None = "owner", org_id: object = "") -> AsyncIterator[Visitor]:
    """A visitor who is signed in as the user `who`, or is not signed in (None)."""
    transport = httpx.ASGITransport(api.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://clay-push.test") as http:
        visitor = Visitor(http)
        if who is not None:
            answer = await visitor.sign_in(api.credentials.get(who) or access_token(who), org_id)
            assert answer.status_code == 303, answer.text
        yield visitor
