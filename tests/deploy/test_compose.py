"""docker-compose.yml: the command line accepts its commands, and the settings accept its environment."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from clay_push_service import settings
from clay_push_service.cli import app
from clay_push_service.commands.serve.command import END_SECONDS
from clay_push_service.sandbox.__main__ import make_parser as sandbox_parser
from tests.harness.settings import JWT_SECRET, KEY

FOLDER = Path(__file__).resolve().parents[2] / "deploy"
SECRETS = {
    "SERVICE_ROLE_PASSWORD": "one",
    "NEXUSLEADS_PASSWORD": "two",
    "CLAY_PUSH_ENCRYPTION_KEYS": KEY,
    "CLAY_PUSH_JWT_SECRET": JWT_SECRET,
}


def interpolated(text: str) -> str:
    """Replace variables as compose does: ${NAME:-default} and ${NAME:?message}."""
    return re.sub(r"\$\{(\w+):(-|\?)(.*?)\}", lambda found: SECRETS.get(found[1], found[3]), text)


COMPOSE: dict[str, Any] = yaml.safe_load(interpolated((FOLDER / "docker-compose.yml").read_text()))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {"migrate", "web", "worker", "sandbox"}


def test_compose_runs_the_database_and_all_processes_of_the_service() -> None:
    assert SERVICES.keys() == OURS | {"postgres"}
    for name, service in SERVICES.items():
        assert set(service.get("depends_on", {})) <= SERVICES.keys(), name


@pytest.mark.parametrize("name", sorted(OURS))
def test_each_command_of_compose_exists(name: str) -> None:
    program, command, *arguments = SERVICES[name]["command"]
    assert program == "clay-push"
    found = getattr(get_command(app), "commands")[command]  # noqa: B009  # a group; click types it as a command
    if name == "sandbox":
        sandbox_parser().parse_args(arguments)
    else:
        found.make_context(command, arguments)


@pytest.mark.parametrize("name", sorted(OURS - {"sandbox"}))
def test_environment_is_accepted_by_the_settings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in SERVICES[name]["environment"].items():
        assert isinstance(value, str | bool), (
            "values must be texts or booleans, because compose refuses or changes other YAML types"
        )
        monkeypatch.setenv(variable, str(value))
    loaded = settings.load(env_file=None)
    assert "@postgres:5432/nexusleads" in loaded.database_url
    assert (loaded.admin_database_url is not None) == (name == "migrate")
    subnet = COMPOSE["networks"]["default"]["ipam"]["config"][0]["subnet"]
    assert loaded.allowed_webhook_networks == (subnet,)


def test_containers_have_time_to_stop() -> None:
    for name in OURS:
        assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) > END_SECONDS


def test_example_of_the_secrets_names_all_of_them() -> None:
    needed = set(re.findall(r"\$\{(\w+):\?", (FOLDER / "docker-compose.yml").read_text()))
    assert needed == SECRETS.keys()
    assert needed == set(re.findall(r"^(\w+)=", (FOLDER / "secrets.env.example").read_text(), re.MULTILINE))


def test_build_context_and_mounted_files_exist() -> None:
    assert (FOLDER / SERVICES["web"]["build"] / "Dockerfile").is_file()
    mounted = [volume.split(":")[0] for volume in SERVICES["postgres"]["volumes"] if volume.startswith("./")]
    assert mounted
    assert all((FOLDER / path).is_file() for path in mounted)


def test_the_sandbox_keeps_its_table_in_a_volume_that_its_user_may_write() -> None:
    """Docker gives a new volume the owner of the image's directory at its path."""
    directory = SERVICES["sandbox"]["command"][-1]
    [volume] = SERVICES["sandbox"]["volumes"]
    name, _, path = volume.partition(":")
    assert path == directory
    assert name in COMPOSE["volumes"]
    assert f"install -d -o clay -g clay {directory}" in (FOLDER.parent / "Dockerfile").read_text()
