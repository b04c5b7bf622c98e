"""Error output when settings or database cannot be used: one line, no traceback, and an exit code for each kind."""

import json
from pathlib import Path

import pytest
import yaml

from clay_push_service.commands import cli_errors
from tests.harness.shell import environment, shell

REPOSITORY = Path(__file__).parents[2]
NOWHERE = "postgresql://nobody:pass-word@127.0.0.1:1/nowhere"


@pytest.mark.parametrize(
    "command", [("worker",), ("serve",), ("migrate",), ("api-keys", "list"), ("secrets", "rotate")]
)
async def test_without_settings_the_message_names_the_missing_variable_and_the_demo(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    result = await shell(tmp_path, *command)
    assert result.exit_code == 2
    assert "CLAY_PUSH_DATABASE_URL: is required" in result.err
    assert "make demo" in result.err
    assert "Traceback" not in result.err


async def test_the_message_names_all_invalid_variables_and_shows_no_value(tmp_path: Path) -> None:
    env = environment(
        database_url="mysql://u:pass-word@h/d",
        port="99999",
        jwt_secret="change-me",
        log_level="loud",
        encryption_keys="k1:cGFzcy13b3Jk",
        lease_seconds="1",
    )
    result = await shell(tmp_path, "worker", env=env)
    assert result.exit_code == 2
    for name in ("DATABASE_URL", "PORT", "JWT_SECRET", "LOG_LEVEL", "ENCRYPTION_KEYS", "LEASE_SECONDS"):
        assert f"CLAY_PUSH_{name}: " in result.err
    assert "pass-word" not in result.err
    assert "cGFzcy13b3Jk" not in result.err


async def test_the_message_for_a_misspelled_setting_suggests_the_right_name(tmp_path: Path) -> None:
    env = environment(database_url=NOWHERE, billing_enabled="true", retention_day="30", qqq="1")
    (tmp_path / ".env").write_text("CLAY_PUSH_PROT=8081\n")
    result = await shell(tmp_path, "worker", env=env)
    assert result.exit_code == 2
    assert "CLAY_PUSH_BILLING_ENABLED: unknown setting; did you mean BILLING_ENABLED?" in result.err
    assert "CLAY_PUSH_RETENTION_DAY: unknown setting; did you mean CLAY_PUSH_RETENTION_DAYS?" in result.err
    assert "CLAY_PUSH_PROT: unknown setting; did you mean CLAY_PUSH_PORT?" in result.err
    assert "CLAY_PUSH_QQQ: unknown setting\n" in result.err


async def test_serve_with_a_worker_does_not_start_without_encryption_keys(tmp_path: Path) -> None:
    result = await shell(tmp_path, "serve", "--with-worker", env=environment(database_url=NOWHERE))
    assert result.exit_code == 2
    assert "CLAY_PUSH_ENCRYPTION_KEYS: is required by a worker (make a key: clay-push secrets new)" in result.err


async def test_the_message_for_missing_encryption_keys_names_the_command_that_creates_one(tmp_path: Path) -> None:
    result = await shell(tmp_path, "worker", env=environment(database_url=NOWHERE))
    assert result.exit_code == 2
    assert "CLAY_PUSH_ENCRYPTION_KEYS" in result.err
    assert "clay-push secrets new" in result.err


@pytest.mark.parametrize("command", [("migrate",), ("api-keys", "list")])
async def test_an_unreachable_database_is_reported_in_one_line(tmp_path: Path, command: tuple[str, ...]) -> None:
    result = await shell(tmp_path, *command, env=environment(database_url=NOWHERE))
    assert result.exit_code == 3
    assert result.err.startswith("The database cannot be reached")
    assert "pass-word" not in result.err
    assert len(result.err.splitlines()) == 1


@pytest.mark.parametrize("place", ["no-such-host.invalid", "localhost:1"])
async def test_an_unknown_or_refusing_database_host_is_reported_in_one_line(tmp_path: Path, place: str) -> None:
    env = environment(database_url=f"postgresql://nobody:pass-word@{place}/nowhere")
    result = await shell(tmp_path, "api-keys", "list", env=env)
    assert result.exit_code == 3
    assert result.err.startswith("The database cannot be reached: ")
    assert "pass-word" not in result.err
    assert len(result.err.splitlines()) == 1


def test_a_database_that_does_not_respond_is_reported() -> None:
    result = cli_errors.describe_error(TimeoutError())
    assert result == cli_errors.CliError(
        "The database cannot be reached: no answer in time (CLAY_PUSH_DATABASE_URL).", 3
    )


@pytest.mark.parametrize("place", ["h:port/d", "h:99999/d", "u:p@h:/d:x@y"])
async def test_an_invalid_port_in_the_database_url_is_an_invalid_setting(tmp_path: Path, place: str) -> None:
    result = await shell(tmp_path, "migrate", env=environment(database_url=f"postgresql://{place}"))
    assert result.exit_code == 2
    assert "CLAY_PUSH_DATABASE_URL: " in result.err
    assert "Traceback" not in result.err


async def test_the_api_description_is_also_printed_without_pyyaml(tmp_path: Path) -> None:
    """The image has no PyYAML, so the command prints JSON, which is valid YAML."""
    (tmp_path / "yaml.py").write_text("raise ImportError\n")
    result = await shell(tmp_path, "openapi", env=environment() | {"PYTHONPATH": str(tmp_path)})
    assert result.exit_code == 0, result.err
    assert json.loads(result.out) == yaml.safe_load((REPOSITORY / "openapi.yaml").read_text())


async def test_the_message_for_a_database_without_the_schema_names_migrate(
    tmp_path: Path, empty_database_url: str
) -> None:
    result = await shell(tmp_path, "api-keys", "list", env=environment(database_url=empty_database_url))
    assert result.exit_code == 3
    assert "clay-push migrate" in result.err


async def test_help_needs_no_settings_and_imports_no_framework(tmp_path: Path) -> None:
    result = await shell(tmp_path, "--help")
    assert result.exit_code == 0
    assert "environment variables CLAY_PUSH_" in result.out
    for command in ("serve", "worker", "migrate", "sandbox", "doctor", "demo", "push", "api-keys", "secrets"):
        assert f" {command} " in result.out


async def test_a_generated_encryption_key_can_be_used(tmp_path: Path) -> None:
    result = await shell(tmp_path, "secrets", "new")
    key = result.out.strip()
    used = await shell(tmp_path, "doctor", env=environment(database_url=NOWHERE, encryption_keys=key))
    assert "encryption key" not in used.out.lower()
    assert key not in used.out
