"""The output of the demo and its check of the sandbox's rows."""

import io
import re
from pathlib import Path
from uuid import uuid4

import pytest
from rich.console import Console

from clay_push_service.demo.host_database import DemoProject
from clay_push_service.demo.output import DemoOutput
from clay_push_service.demo.sandbox_check import ArrivalCounts
from clay_push_service.host.columns import Vintage
from tests.harness.api import Api

LEAD = uuid4()
PROJECT = DemoProject(uuid4(), uuid4(), "Acme", "Platform", [LEAD], Vintage.TODAY, all_leads=1, is_new=True)
THERE, ABSENT, TWICE = ArrivalCounts(1, [], 0), ArrivalCounts(0, [LEAD], 0), ArrivalCounts(0, [], 1)


@pytest.mark.parametrize(
    ("before", "after", "is_good"),
    [(ABSENT, THERE, True), (THERE, THERE, True), (ABSENT, ABSENT, False), (THERE, TWICE, False), (TWICE, TWICE, True)],
    ids=["first run", "second run", "nothing came", "doubled by this run", "pushed again on request, earlier"],
)
def test_only_leads_of_this_run_can_make_the_demo_fail(
    before: ArrivalCounts, after: ArrivalCounts, is_good: bool
) -> None:
    assert after.is_complete_since(before) is is_good


def printed(output: DemoOutput) -> str:
    assert isinstance(output.console.file, io.StringIO)
    return output.console.file.getvalue()


def test_leads_that_were_pushed_again_on_request_are_reported_and_no_failure() -> None:
    output = DemoOutput(Console(file=io.StringIO()))
    output.outcome(PROJECT, TWICE, 0, is_good=True)
    assert "1 of them repeatedly, as requested earlier" in printed(output)


async def test_every_printed_link_exists(app_client: Api) -> None:
    output = DemoOutput(Console(file=io.StringIO()))
    output.where("http://api", "http://sandbox", "token", PROJECT, Path(".data"))
    paths = re.findall(r"http://api(/\S+)", printed(output))
    assert len(paths) >= 3
    for path in paths:
        assert (await app_client.get(path)).status_code != 404, path
