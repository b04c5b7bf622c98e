"""An invalid cursor of any form gives 400, never 500."""

import base64
import json
from urllib.parse import quote
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clay_push_service import pagination as cursor
from clay_push_service.errors import BadRequestError
from tests.harness.api import Api, run_api_with_leads

ID = str(UUID("0192f0c1-aaaa-4bbb-8ccc-ddddeeeeffff"))


def encoded(*keys: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(keys, separators=(",", ":")).encode()).decode().rstrip("=")


INVALID = [
    "x" * 501, "é", "=", "====", "W10", "bnVsbA", encoded(), encoded(None), encoded(None, None), encoded(None, None, None),
    encoded(-1), encoded(2**63), encoded(2**64), encoded(True), encoded(1.5), encoded("1"), encoded(1, 1), encoded([[]]),
    encoded("0001-01-01T00:00:00+14:00", ID), encoded("9999-12-31T23:59:59-14:00", ID), encoded("2026-01-01", ID),
    encoded("2026-01-01T00:00:00", ID), encoded("2026-01-01T00:00:00+00:00", "x"), encoded("1e999999", ID),
    encoded("1E+999999999", ID), encoded("NaN", ID), encoded("Infinity", ID), encoded("sNaN", ID), encoded("1_0", ID),
    encoded("\u0661", ID), encoded(1, ID), encoded("1", ID.upper()), encoded("1", "{" + ID + "}"), encoded("\ud800", ID),
    encoded(0, "1e999999", ID), encoded(2, "1", ID), encoded(True, "1", ID), encoded(0, None, ID), encoded(0, "1", None),
    base64.urlsafe_b64encode(b"\xff\xfe").decode(), base64.urlsafe_b64encode(b"[" * 300).decode(),
]  # fmt: skip


@pytest.mark.parametrize("path", ["jobs", f"jobs/{ID}/leads", "leads", "audit", "auto-export"])
async def test_an_invalid_cursor_is_400_on_every_list(database_url: str, path: str) -> None:
    async with run_api_with_leads(database_url, leads=1) as p:
        project = p.project_id
        place = {
            "leads": f"leads?project_id={project}&", "auto-export": f"projects/{project}/auto-export/preview?",
            f"jobs/{ID}/leads": f"jobs/{await p.queue()}/leads?",
        }.get(path, f"{path}?")  # fmt: skip
        for cursor_text in [*INVALID, "\0", "a\0"]:
            answer = await p.get(f"/api/clay/{place}cursor={quote(cursor_text)}", "owner")
            assert answer.status_code == 400 or _is_valid_cursor(path, cursor_text), (
                f"{cursor_text!r}: {answer.status_code} {answer.text}"
            )


def _is_valid_cursor(path: str, cursor_text: str) -> bool:
    """Returns whether this list or another one issues cursors of this form."""
    return (path, cursor_text) == ("leads", encoded(None, ID))


KEYS = st.lists(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40), max_size=4)
TEXTS = (
    st.text(max_size=60)
    | KEYS.map(lambda keys: encoded(*keys))
    | st.binary(max_size=60).map(lambda raw: base64.urlsafe_b64encode(raw).decode())
)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=TEXTS, count=st.integers(1, 3))
def test_only_encoded_cursors_are_decoded(text: str, count: int) -> None:
    try:
        keys = cursor.decode(text, count)
    except BadRequestError:
        return
    assert cursor.encode(*keys) == text
    for read in (cursor.serial, cursor.identifier, cursor.moment, cursor.number):
        for key in keys:
            try:
                read(key)
            except BadRequestError:
                continue


@given(st.datetimes().map(lambda moment: f"{moment.isoformat()}+14:00") | st.datetimes().map(str))
def test_a_time_that_is_not_in_utc_is_an_invalid_cursor(text: str) -> None:
    with pytest.raises(BadRequestError):
        cursor.moment(text)


async def test_an_issued_cursor_is_accepted(app_client: Api) -> None:
    for name in "ab":
        await app_client.put(
            "/api/clay/config", "owner", {"webhook_url": "https://api.clay.com/v3/x", "table_name": name}
        )
    first = (await app_client.get("/api/clay/audit?limit=1", "owner")).json()
    second = await app_client.get(f"/api/clay/audit?limit=1&cursor={first['next_cursor']}", "owner")
    assert second.status_code == 200
    assert second.json()["entries"] != first["entries"]
