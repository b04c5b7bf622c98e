"""Only `destinations/state.py` and `quota.py` contain SQL statements that change a destination's state or quota."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import clay_push_service

SOURCE = Path(clay_push_service.__file__).parent
STATE_OWNERS = {"destinations/state.py"}
QUOTA_OWNERS = {"destinations/quota.py", "destinations/state.py"}
STATE_COLUMNS = {"state", "state_reason", "state_since", "probe_at", "refusals", "outages"}
UNKNOWN = "§"
"""Replaces a part of an f-string or template that is known only at run time."""
UPDATE = re.compile(
    r"\bUPDATE\s+(?:ONLY\s+)?(?:clay\.)?([\w§]+)(?:\s+AS\s+\w+|\s+(?!SET\b)\w+)?\s+SET\s+(.*)",
    re.IGNORECASE | re.DOTALL,
)
INSERT = re.compile(
    r"\b(?:INSERT\s+INTO|DELETE\s+FROM(?:\s+ONLY)?|MERGE\s+INTO|TRUNCATE|COPY)\s+(?:clay\.)?([\w§]+)", re.IGNORECASE
)
COLUMN = re.compile(r"([\w§]+)\s*=|\(([\w\s,]+)\)\s*=")
STOP = re.compile(r"\b(?:WHERE|RETURNING)\b", re.IGNORECASE)


def literals(tree: ast.AST) -> Iterator[str]:
    """Returns every string of a module, with UNKNOWN for inserted values."""
    inside: set[int] = set()
    for node in ast.walk(tree):
        if id(node) in inside or not isinstance(node, ast.JoinedStr | ast.Constant | ast.BinOp):
            continue
        found = rendered(node)
        if found is not None:
            inside.update(id(child) for child in ast.walk(node))
            yield re.sub(r"\{\w*\}", UNKNOWN, found)


def rendered(node: ast.expr) -> str | None:
    match node:
        case ast.Constant(value=str() as value):
            return value
        case ast.JoinedStr(values=values):
            return "".join(rendered(value) or UNKNOWN for value in values)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            parts = rendered(left), rendered(right)
            return None if parts == (None, None) else (parts[0] or UNKNOWN) + (parts[1] or UNKNOWN)
        case _:
            return None


def changes(sql: str) -> set[str]:
    """Returns what a statement changes: `state`, `quota`, both, or neither."""
    found: set[str] = set()
    rest = sql
    while match := UPDATE.search(rest):
        table, rest = match[1].lower(), match[2]
        columns = {name.strip() for pair in COLUMN.findall(STOP.split(rest)[0]) for name in ",".join(pair).split(",")}
        if re.search(r"(?:^|,)\s*§", STOP.split(rest)[0]):
            columns.add(UNKNOWN)
        if table == "quota_meters":
            found.add("quota")
        if table == "destination_versions" and columns & (STATE_COLUMNS | {UNKNOWN}):
            found.add("state")
        if table == UNKNOWN and columns & STATE_COLUMNS:
            found.add("state")
    for table in (name.lower() for name in INSERT.findall(sql)):
        if table == "quota_meters":
            found.add("quota")
        if table == "destination_versions":
            found.add("state")
    return found


def misplaced(root: Path) -> list[str]:
    """Returns the modules under `root` that change a destination's state or quota and do not own it."""
    wrong = []
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).as_posix()
        for sql in literals(ast.parse(path.read_text())):
            found = changes(sql)
            if "state" in found and name not in STATE_OWNERS:
                wrong.append(f"{name} changes a destination's state")
            if "quota" in found and name not in QUOTA_OWNERS:
                wrong.append(f"{name} changes a quota")
    return wrong


def test_only_the_owning_modules_change_state_and_quota_of_a_destination() -> None:
    assert misplaced(SOURCE) == []


def test_the_owners_statements_are_recognized() -> None:
    state = list(literals(ast.parse((SOURCE / "destinations/state.py").read_text())))
    quota = list(literals(ast.parse((SOURCE / "destinations/quota.py").read_text())))
    assert sum("state" in changes(sql) for sql in state) >= 9
    assert sum("quota" in changes(sql) for sql in quota) >= 4


@pytest.mark.parametrize(
    "code",
    [
        """SQL = text("UPDATE clay.destination_versions SET state = 'open' WHERE id = :id")""",
        """SQL = Statement("update clay.destination_versions as version set label = 1, probe_at = now()")""",
        """SQL = "WITH a AS (UPDATE clay.destination_versions v SET refusals = 0 RETURNING id) SELECT 1 FROM a" """,
        """SQL = "UPDATE clay.destination_versions SET (number, outages) = (1, 0)" """,
        """SQL = f"UPDATE clay.destination_versions SET {assignments} WHERE id = :id" """,
        """SQL = f"UPDATE clay.{table} SET state = 'closed'" """,
        """SQL = "UPDATE clay.destination_versions " + "SET state_reason = NULL" """,
        """SQL = "INSERT INTO clay.destination_versions (id) VALUES (:id)" """,
        """SQL = "DELETE FROM clay.destination_versions" """,
        """SQL = "UPDATE clay.quota_meters AS meter SET used = 0" """,
        """SQL = "INSERT INTO clay.quota_meters (org_id) VALUES (:org_id)" """,
        """SQL = "DELETE FROM clay.quota_meters WHERE id = :id" """,
    ],
)
def test_a_statement_in_another_module_is_found(code: str, tmp_path: Path) -> None:
    (tmp_path / "deliveries").mkdir()
    (tmp_path / "deliveries" / "results.py").write_text(code)
    assert len(misplaced(tmp_path)) == 1


@pytest.mark.parametrize(
    "code",
    [
        """SQL = "UPDATE clay.destination_versions SET sealed_url = :url WHERE state = 'open'" """,
        """SQL = "UPDATE clay.clay_push_log SET state = 'done' WHERE id = :id" """,
        """SQL = "SELECT id FROM clay.destination_versions WHERE state = 'open' FOR UPDATE" """,
        """SQL = f"UPDATE clay.{table} SET sealed_url = :url, sealed_token = :token WHERE id = :id" """,
    ],
)
def test_reads_and_changes_of_other_columns_are_allowed(code: str, tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text(code)
    assert misplaced(tmp_path) == []
