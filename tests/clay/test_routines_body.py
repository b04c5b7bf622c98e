"""Bodies of Clay's public API: the documented form, and other forms that Clay and its users produce."""

import orjson
import pytest

from clay_push_service.clay.routines_body import (
    MAX_DEPTH,
    ItemResult,
    ItemStatus,
    ResultsPage,
    RunItem,
    fold,
    read_object,
    read_results,
    read_run_id,
    run_body,
)

FOUND = {"Work Email": "ada@example.com"}
DONE = ItemResult("i-1", ItemStatus.COMPLETE, FOUND)


def page(**fields: object) -> bytes:
    return orjson.dumps({"total": 1, "finished": 1, "status": "complete", "data": []} | fields)


def test_a_run_has_the_documented_form() -> None:
    body = run_body([RunItem("i-1", {"Full Name": "Ada Lovelace", "Company": None})])
    assert orjson.loads(body) == {"items": [{"id": "i-1", "inputs": {"Full Name": "Ada Lovelace", "Company": None}}]}


def test_reprs_show_no_data_of_a_person() -> None:
    shown = repr(RunItem("i-1", {"Full Name": "Ada"})) + repr(ItemResult("i-1", ItemStatus.FAILED, FOUND, "Ada failed"))
    assert "Ada" not in shown
    assert "ada@" not in shown


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"routine_run_id": "rr_1", "status": "in_progress"}, "rr_1"),
        ({"RoutineRunId": "rr_1"}, "rr_1"),
        ({"Routine Run ID": 17}, "17"),
        ({"routine-run-id": None, "ID": "rr_2"}, "rr_2"),
        ({"routine_run_id": ""}, None),
        ({"routine_run_id": ".."}, None),
        ({"routine_run_id": "two words"}, None),
        ({"routine_run_id": "line\nbreak"}, None),
        ({"routine_run_id": True}, None),
        ({"routine_run_id": "x" * 201}, None),
        ({}, None),
        ([{"routine_run_id": "rr_1"}], None),
    ],
)
def test_the_run_id_is_read_in_any_case_and_only_if_it_fits_a_path(body: object, expected: str | None) -> None:
    assert read_run_id(orjson.dumps(body)) == expected


def test_a_documented_page_of_results() -> None:
    data = [
        {"id": "i-1", "status": "complete", "result": FOUND},
        {"id": "i-2", "status": "failed", "error": "No provider"},
    ]
    found = read_results(200, page(total=3, finished=2, data=data, cursor="c2"))
    assert found == ResultsPage(
        True, 3, 2, [DONE, ItemResult("i-2", ItemStatus.FAILED, {}, "No provider")], "c2"
    )  # fmt: skip


@pytest.mark.parametrize(
    "written",
    [
        {"ID": "i-1", "Status": "Complete", "Result": FOUND},
        {"Id": "i-1", "STATUS": "COMPLETED", "output": FOUND},
        {"item_id": "i-1", "status": "complete", "outputs": FOUND},
        {"id": "i-1", "status": "complete", "RESULT": FOUND, "result": None},
    ],
)
def test_an_item_is_read_in_any_case(written: object) -> None:
    found = read_results(200, orjson.dumps({"TOTAL": "1", "Finished": "1", "Status": "Complete", "Data": [written]}))
    assert found == ResultsPage(True, 1, 1, [DONE], None)


@pytest.mark.parametrize("status", ["queued_by_provider", "in_progress", "", None, 7])
def test_an_unknown_status_is_pending(status: object) -> None:
    found = read_results(200, page(data=[{"id": "i-1", "status": status, "result": FOUND}]))
    assert found is not None
    assert found.items == [ItemResult("i-1", ItemStatus.PENDING, {})]


@pytest.mark.parametrize(
    "data",
    [[None], ["i-1"], [{}], [{"id": ""}], [{"id": "x" * 65, "status": "complete"}], [{"id": ["i"]}], None, {}, 5],
)
def test_null_items_are_omitted(data: object) -> None:
    found = read_results(200, page(data=data))
    assert found is not None
    assert found.items == []


def test_a_numeric_id_is_converted_to_text() -> None:
    found = read_results(200, page(data=[{"id": 17, "status": "failed"}]))
    assert found is not None
    assert found.items == [ItemResult("17", ItemStatus.FAILED, {})]


@pytest.mark.parametrize(
    ("status", "written", "expected"),
    [
        (200, "complete", True),
        (202, "complete", False),
        (200, "in_progress", False),
        (200, "stopped", False),
        (200, None, False),
    ],
)
def test_a_run_is_complete_only_when_status_and_body_agree(status: int, written: object, expected: bool) -> None:
    found = read_results(status, page(status=written))
    assert found is not None
    assert found.is_complete is expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [(50, 50), ("50", 50), (50.0, 50), (50.5, None), ("fifty", None), (-1, None), (True, None), ("9" * 10, None)],
)
def test_counts_may_be_strings(written: object, expected: int | None) -> None:
    found = read_results(200, page(total=written))
    assert found is not None
    assert found.total == expected


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b"<html>", b'{"data": [', b'{"a": NaN}', b"\xff", b'{"a":' * 5000 + b"1" + b"}" * 5000],
)
def test_a_body_that_is_no_object_is_not_read(body: bytes) -> None:
    assert read_object(body) is None
    assert read_results(200, body) is None
    assert read_run_id(body) is None


def test_the_depth_is_limited() -> None:
    def nested(depth: int) -> bytes:
        return b'{"a":' * depth + b"1" + b"}" * depth

    assert read_object(nested(MAX_DEPTH)) is not None
    assert read_object(nested(MAX_DEPTH + 1)) is None


def test_an_error_may_be_an_object_and_is_shortened() -> None:
    data = [{"id": "i-1", "status": "failed", "error": {"Message": "x" * 1000}}]
    found = read_results(200, page(data=data))
    assert found is not None
    assert found.items[0].error == "x" * 500


def test_keys_are_compared_without_case_blanks_and_dashes() -> None:
    assert {fold(key) for key in ("Work Email", "work_email", "WORK-EMAIL", "workEmail", " Work  Email ")} == {
        "workemail"
    }
