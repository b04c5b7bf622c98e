"""`--token` and `--cap`: for sources that exist, too, and `none` means none."""

from pathlib import Path

import pytest

from clay_push_service.sandbox.__main__ import make_parser
from clay_push_service.sandbox.server import DEFAULT_SOURCE, NOT_GIVEN
from tests.support.sandbox import SandboxProcess


async def sources(directory: Path, *arguments: str) -> dict[str, tuple[bool, int | None]]:
    """What a sandbox that is started so serves: each source, whether it wants a token, and its cap."""
    async with SandboxProcess(directory, *arguments) as sandbox:
        found = (await sandbox.admin.get("/sandbox/sources")).json()["sources"]
    return {each["id"]: (each["has_token"], each["cap"]) for each in found}


async def test_token_and_cap_act_on_sources_that_exist(tmp_path: Path) -> None:
    assert await sources(tmp_path) == {DEFAULT_SOURCE: (False, 50_000)}
    assert await sources(tmp_path, "--token", "s3cret", "--cap", "7") == {DEFAULT_SOURCE: (True, 7)}
    assert await sources(tmp_path) == {DEFAULT_SOURCE: (True, 7)}
    assert await sources(tmp_path, "--token", "none", "--cap", "none") == {DEFAULT_SOURCE: (False, None)}


async def test_token_and_cap_are_for_the_named_sources_where_some_are_named(tmp_path: Path) -> None:
    await sources(tmp_path, "--source", "one", "--source", "two")
    assert await sources(tmp_path, "--source", "one", "--token", "s3cret", "--cap", "3") == {
        "one": (True, 3),
        "two": (False, 50_000),
    }
    assert (await sources(tmp_path, "--cap", "9"))["two"] == (False, 9)


async def test_a_token_called_none_is_no_token(tmp_path: Path) -> None:
    for word in ("none", "None", "NONE"):
        assert await sources(tmp_path, "--token", word) == {DEFAULT_SOURCE: (False, 50_000)}


def test_what_was_not_given_is_not_changed() -> None:
    given = make_parser().parse_args(["--directory", "x"])
    assert (given.token, given.cap) == (NOT_GIVEN, NOT_GIVEN)


@pytest.mark.parametrize("arguments", [("--token", ""), ("--token", "é"), ("--token", "x" * 501), ("--cap", "-1")])
def test_what_no_header_and_no_meter_can_hold_is_refused(
    arguments: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        make_parser().parse_args(["--directory", "x", *arguments])
    assert "none" in capsys.readouterr().err
