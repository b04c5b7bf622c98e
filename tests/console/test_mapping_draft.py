"""The rows of the mapping editor: what its texts mean, what its buttons change, and where an error stands."""

import pytest

from clay_push_service.console.pages.mappings.draft import Row, change_rows, columns_of, read_rows, row_errors, rows_of
from clay_push_service.console.session.form import Form
from clay_push_service.errors import InvalidError
from clay_push_service.leads.mapping.columns import Column
from clay_push_service.leads.mapping.table_templates import TEMPLATES
from clay_push_service.leads.mapping.values import ColumnType, EmptyValue

ROWS = [Row("a", value="email"), Row("b", value="bio"), Row("c", value="company")]


def keys(rows: object) -> list[str]:
    assert isinstance(rows, list)
    return [row.key for row in rows]


@pytest.mark.parametrize("name", TEMPLATES)
def test_each_template_is_the_same_after_the_editor(name: str) -> None:
    columns = list(TEMPLATES[name].columns)
    assert columns_of(rows_of(columns)) == columns


@pytest.mark.parametrize(
    "column",
    [
        Column("a", field="skills", steps=('join(", ")', 'replace("a:b", "c|d")', "truncate(40)")),
        Column("a", first_of=("current_company:upper", "company", '"un|known: \\"x\\""')),
        Column("a", template='Hi {full_name:first_word|"there"}\nsecond line '),
        Column("a", constant="plain | text : here"),
        Column("a", constant=True, type=ColumnType.BOOLEAN),
        Column("a", constant=2.5, type=ColumnType.NUMBER),
        Column("a", constant=10**20, type=ColumnType.NUMBER, empty=EmptyValue.AS_IS),
    ],
)
def test_a_column_is_the_same_after_the_editor(column: Column) -> None:
    assert columns_of(rows_of([column])) == [column]


def test_buttons_move_add_and_remove_columns() -> None:
    assert keys(change_rows(ROWS, "up-2", "").rows) == ["a", "c", "b"]
    assert keys(change_rows(ROWS, "down-0", "").rows) == ["b", "a", "c"]
    assert keys(change_rows(ROWS, "up-0", "").rows) == ["a", "b", "c"]
    assert keys(change_rows(ROWS, "down-2", "").rows) == ["a", "b", "c"]
    assert change_rows(ROWS, "up-2", "").focus == (1, "up")
    assert keys(change_rows(ROWS, "remove-1", "").rows) == ["a", "c"]
    assert change_rows(ROWS[:1], "remove-0", "").focus is None
    added = change_rows(ROWS, "add", "enriched.phone")
    assert (added.rows[3], added.focus) == (Row("enriched_phone", value="enriched.phone"), (3, "key"))
    assert change_rows(ROWS, "add", "").rows[3] == Row()
    assert change_rows([Row("email", value="email")], "add", "email").rows[1].key == ""
    for nothing in ("", "preview", "up-3", "remove-999", "up--1", "fly-1"):
        assert list(change_rows(ROWS, nothing, "").rows) == ROWS, nothing


def test_a_form_that_is_not_the_editors_is_refused() -> None:
    parts = ("key", "source", "value", "steps", "type", "empty")
    whole = {f"column_{part}": ["x"] for part in parts}
    with pytest.raises(InvalidError):
        read_rows(Form({**whole, "column_type": []}))
    with pytest.raises(InvalidError):
        read_rows(Form({name: ["x"] * 241 for name in whole}))
    rows = read_rows(Form(whole))
    with pytest.raises(InvalidError):
        columns_of(rows)


def test_errors_are_shown_at_their_row_and_part() -> None:
    error = InvalidError(
        "x",
        errors=[
            {"field": "columns[1].template", "message": "has no field `x`", "offset": 4}, {"field": "columns[0].key", "message": "is taken"},
            {"field": "columns[2]", "message": "needs one"}, {"field": "columns[2].steps[1]", "message": "unknown"},
            {"field": "name", "message": "other"},
        ],
    )  # fmt: skip
    assert row_errors(error) == {
        1: {"value": "Character 5: has no field `x`."},
        0: {"key": "Is taken."},
        2: {"value": "Needs one.", "steps": "Unknown."},
    }
