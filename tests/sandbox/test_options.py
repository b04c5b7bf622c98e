"""`--token` and `--cap` also apply to existing sources, and `none` means none."""

from pathlib import Path

import pytest

from clay_push_service.sandbox.__main__ import make_parser
from clay_push_service.sandbox.server import DEFAULT_SOURCE, NOT_GIVEN
from tests.support.sandbox import SandboxProcess


async def sources(directory: Path, *arguments: str) -> dict[str, tuple[bool, int | None]]:
    """Start a sandbox with these options. Returns for each source whether it requires a token, and its cap."""
    async with SandboxProcess(directory, *arguments) as sandbox:
        found = (await sandbox.admin.get("/sandbox/sources")).json()["sources"]
    return {each["id"]: (each["has_token"], each["cap"]) for each in found}


async def test_token_and_cap_apply_to_existing_sources(tmp_path: Path) -> None:
    assert await sources(tmp_path) == {DEFAULT_SOURCE: (False, 50_000)}
    assert await sources(tmp_path, "--token", "s3cret", "--cap", "7") == {DEFAULT_SOURCE: (True, 7)}
    assert await sources(tmp_path) == {DEFAULT_SOURCE: (True, 7)}
    assert await sources(tmp_path, "--token", "none", "--cap", "none") == {DEFAULT_SOURCE: (False, None)}


async def test_token_and_cap_apply_only_to_the_named_sources(tmp_path: Path) -> None:
    await sources(tmp_path, "--source", "one", "--source", "two")
    assert await sources(tmp_path, "--source", "one", "--token", "s3cret", "--cap", "3") == {
        "one": (True, 3),
        "two": (False, 50_000),
    }
    assert (await sources(tmp_path, "--cap", "9"))["two"] == (False, 9)


async def test_token_none_means_no_token(tmp_path: Path) -> None:
    for word in ("none", "None", "NONE"):
        assert await sources(tmp_path, "--token", word) == {DEFAULT_SOURCE: (False, 50_000)}


def test_omitted_options_change_nothing() -> None:
    given = make_parser().parse_args(["--directory", "x"])
    assert (given.token, given.cap) == (NOT_GIVEN, NOT_GIVEN)


@pytest.mark.parametrize("arguments", [("--token", ""), ("--token", "é"), ("--token", "x" * 501), ("--cap", "-1")])
def test_invalid_tokens_and_caps_are_refused(arguments: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        make_parser().parse_args(["--directory", "x", *arguments])
    assert "none" in capsys.readouterr().err
