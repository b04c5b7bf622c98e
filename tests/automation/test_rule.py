"""The auto-export rule is stored in the host's columns if they can be written, otherwise here; the newer change applies."""

import pytest

from clay_push_service.host_integration.attach.attachment import Level
from tests.automation.project import Project
from tests.harness.runtime import runtime_role
from tests.support.host_models import HostProject


async def host_columns(project: Project) -> tuple[object, ...]:
    row = await project.api.host.connection.fetchrow(
        "SELECT auto_export_clay_enabled, auto_export_clay_min_score, auto_export_clay_classifications"
        " FROM projects WHERE id = $1",
        project.id,
    )
    assert row is not None
    return tuple(row)


async def host_project(project: Project) -> dict[str, object]:
    row = await project.api.host.connection.fetchrow("SELECT * FROM projects WHERE id = $1", project.id)
    assert row is not None
    return dict(row)


async def test_nothing_is_exported_without_a_rule(project: Project) -> None:
    rule = (await project.api.get(project.path, "member")).json()
    assert rule == {
        "project_id": str(project.id), "enabled": False, "min_score": None, "classifications": [], "kept_by": "host",
    }  # fmt: skip


async def test_the_rule_is_stored_in_the_columns_that_the_page_of_the_host_shows(project: Project) -> None:
    await project.api.host.attach(Level.MIRROR)
    rule = await project.rule(min_score=70)
    assert (rule["enabled"], rule["min_score"], rule["kept_by"]) == (True, 70, "host")
    assert await host_columns(project) == (True, 70, ["DECISION_MAKER", "CHAMPION"])
    await project.rule(enabled=False, min_score=None, classifications=None)
    assert await host_columns(project) == (False, None, None)


@pytest.mark.parametrize(
    ("given", "applied", "shown"),
    [(72.5, 72.5, 73), (70.006, 70.01, 71), (99.01, 99.01, 100), (0.001, 0, 0), (0, 0, 0), (100, 100, 100)],
)
async def test_fraction_is_applied_and_the_hosts_column_holds_a_whole_number(
    project: Project, given: float, applied: float, shown: int
) -> None:
    """The host's API reads an integer there: a fraction makes its project pages answer 500."""
    await project.api.host.attach(Level.MIRROR)
    rule = await project.rule(min_score=given)
    assert (rule["enabled"], rule["min_score"]) == (True, applied)
    assert (await project.api.get(project.path, "member")).json() == rule
    assert await host_columns(project) == (True, shown, ["DECISION_MAKER", "CHAMPION"])
    HostProject.model_validate(await host_project(project))


async def test_a_value_saved_on_the_page_of_the_host_replaces_a_fraction(project: Project) -> None:
    await project.api.host.attach(Level.MIRROR)
    await project.rule(min_score=72.5)
    await project.api.host.connection.execute("UPDATE projects SET auto_export_clay_min_score = 60")
    rule = (await project.api.get(project.path, "member")).json()
    assert (rule["min_score"], rule["kept_by"]) == (60, "host")
    await project.rule(min_score=72.5)
    assert (await project.rule(min_score=80))["kept_by"] == "host"
    assert await project.api.host.connection.fetchval("SELECT count(*) FROM clay.auto_export_rules") == 0


async def test_the_values_saved_on_the_page_of_the_host_are_the_rule(project: Project) -> None:
    await project.api.host.connection.execute(
        "UPDATE projects SET auto_export_clay_enabled = true, auto_export_clay_min_score = 55.5,"
        " auto_export_clay_classifications = '{HIGH_IMPACT, NULL, \" \"}' WHERE id = $1",
        project.id,
    )
    rule = (await project.api.get(project.path, "member")).json()
    assert (rule["enabled"], rule["min_score"], rule["classifications"]) == (True, 55.5, ["HIGH_IMPACT"])


async def test_with_an_invalid_minimum_no_lead_is_exported(project: Project) -> None:
    await project.api.host.connection.execute(
        "UPDATE projects SET auto_export_clay_enabled = true, auto_export_clay_min_score = 'NaN'"
    )
    rule = (await project.api.get(project.path, "member")).json()
    assert (rule["enabled"], rule["min_score"]) == (False, None)


async def test_rule_is_stored_here_if_the_hosts_columns_are_not_writable(project: Project) -> None:
    connection = project.api.host.connection
    rule = await project.rule()
    assert (rule["enabled"], rule["kept_by"]) == (True, "own")
    assert await host_columns(project) == (False, None, None)
    assert (await project.api.get(project.path, "member")).json() == rule
    # Later a user saves on the host's page, which is the newer change.
    await connection.execute("UPDATE projects SET auto_export_clay_min_score = 10")
    rule = (await project.api.get(project.path, "member")).json()
    assert (rule["enabled"], rule["min_score"], rule["kept_by"]) == (False, 10, "host")


async def test_rule_is_stored_here_for_a_host_without_columns(project: Project) -> None:
    connection = project.api.host.connection
    await connection.execute("ALTER TABLE projects DROP COLUMN auto_export_clay_classifications")
    project.api.app.state.host.invalidate()
    rule = await project.rule(classifications=["Élan"])
    assert (rule["classifications"], rule["kept_by"]) == (["Élan"], "own")
    # A migration of the host that adds empty columns does not switch the rule off.
    await connection.execute("ALTER TABLE projects ADD COLUMN auto_export_clay_classifications text[]")
    await connection.execute(f'GRANT SELECT (auto_export_clay_classifications) ON projects TO "{runtime_role()}"')
    project.api.app.state.host.invalidate()
    assert (await project.api.get(project.path, "member")).json() == rule


@pytest.mark.parametrize(
    "body",
    [
        {}, {"enabled": "yes"}, {"enabled": True, "min_score": 101}, {"enabled": True, "min_score": -1},
        {"enabled": True, "min_score": "seventy"}, {"enabled": True, "classifications": [""]}, {"enabled": True, "else": 1},
    ],
    ids=str,
)  # fmt: skip
async def test_an_invalid_rule_is_refused(project: Project, body: dict[str, object]) -> None:
    answer = await project.api.put(project.path, "owner", body)
    assert answer.status_code == 422
    assert isinstance(answer.json()["detail"], str)


async def test_change_of_the_rule_is_audited(project: Project) -> None:
    await project.rule()
    row = await project.api.host.connection.fetchrow(
        "SELECT actor, details::text FROM clay.audit_log WHERE action = 'auto_export.changed'"
    )
    assert row is not None
    assert row["actor"] == "user:owner"
    assert '"min_score": "70.00"' in row["details"]
