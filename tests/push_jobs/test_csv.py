"""Deliveries as a CSV file: with a byte order mark for Excel, and without cells that a spreadsheet evaluates as formulas."""

import csv
import io
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clay_push_service.push_jobs.media_types import prefers_csv
from clay_push_service.push_jobs.queries.deliveries import csv_text, escape_cell
from tests.harness.api import run_api_with_leads

FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
SEPARATORS = (",", ";", "\t", "|")
CELLS = (
    "=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1+1", " =1+1", "x;=cmd", "x,=cmd", "x\t=cmd", "x|=cmd", "x\n=cmd", "x\r=cmd",
    "x; =cmd", 'x";=cmd', 'x;"=cmd', ";=cmd", "\uff1d1+1", "x;\uff1d1", "\ufeff=1", "\xa0=1", "a;b;=c;-d", "'=1", "\x0b=1",
)  # fmt: skip


def fields(line: str) -> Iterator[str]:
    """Returns the fields as spreadsheets split a line: at each separator, with and without respect for quotes."""
    for separator in SEPARATORS:
        for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE):
            for row in csv.reader(io.StringIO(line, newline=""), delimiter=separator, quoting=quoting):
                yield from row
        for part in line.replace("\r", "\n").split("\n"):
            yield from part.split(separator)


def begins_a_formula(field: str) -> bool:
    return field.lstrip("\ufeff\u200b\"' \t\xa0").startswith(FORMULA) and not field.lstrip(
        '\ufeff\u200b" \t\xa0'
    ).startswith("'")


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_is_no_formula_with_any_separator(cell: str) -> None:
    line = csv_text([("id", cell, "end")])
    assert [field for field in fields(line) if begins_a_formula(field)] == []


@given(st.text(alphabet="=+-@;,|\t\n\r \"'ax\uff1d", max_size=12))
def test_arbitrary_text_is_no_formula(cell: str) -> None:
    assert [field for field in fields(csv_text([("id", cell, "end")])) if begins_a_formula(field)] == []


def test_text_without_a_formula_is_unchanged() -> None:
    for cell in ("Ada Lovelace", "a-b", "C++", "ada@example.com", "1=1", "x; y", "", "O'Neil, Jr."):
        assert escape_cell(cell) == cell


@pytest.mark.parametrize(
    ("accept", "is_csv"),
    [
        ("text/csv", True), ("TEXT/CSV; charset=utf-8", True), ("text/csv, */*;q=0.1", True), ("text/*", True),
        ("application/json", False), ("*/*", False), ("", False), ("text/csv;q=0", False), ("text/csv;q=x", False),
        ("application/json, text/csv;q=0.5", False), ("text/csv, application/json", False), ("image/png", False),
    ],
)  # fmt: skip
def test_the_accept_header_selects_csv(accept: str, is_csv: bool) -> None:
    assert prefers_csv(accept) == is_csv


async def test_the_list_of_deliveries_is_a_csv_file_if_csv_is_accepted(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=3) as p:
        await p.host.connection.execute(f"UPDATE {p.host.name('leads')} SET full_name = 'Žofie;=cmd'")
        job_id = await p.queue()
        path = f"/api/clay/jobs/{job_id}/leads"
        listed = await p.get(path, "owner", headers={"Accept": "text/csv"})
        as_file = await p.get(f"{path}.csv", "owner")
        assert listed.content == as_file.content
        assert listed.content.startswith(b"\xef\xbb\xbf" + b"delivery_id,")
        assert listed.headers["content-type"] == "text/csv; charset=utf-8"
        assert listed.headers["vary"] == "Accept"
        rows = list(csv.DictReader(io.StringIO(listed.content.decode("utf-8-sig"), newline="")))
        assert [row["lead_id"] for row in rows] == [str(each) for each in p.lead_ids]
        assert {row["full_name"] for row in rows} == {"Žofie;'=cmd"}
        none = await p.get(f"{path}?status=failed", "owner", headers={"Accept": "text/csv"})
        assert len(none.text.splitlines()) == 1
        refused = await p.get(f"{path}?limit=1", "owner", headers={"Accept": "text/csv"})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "limit")
