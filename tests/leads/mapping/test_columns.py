"""The check of a mapping's columns: every limit, and the place of each problem."""

import pytest

from clay_push_service.leads.mapping.catalogue import FIELDS
from clay_push_service.leads.mapping.columns import Column, custom_problems, fold_key, parse_columns
from clay_push_service.leads.mapping.standard import STANDARD
from clay_push_service.leads.mapping.values import ColumnType, EmptyValue


def places(*columns: Column) -> list[tuple[str, str]]:
    return [(each.place, each.message) for each in parse_columns(columns)[1]]


@pytest.mark.parametrize(
    ("column", "place", "words"),
    [
        (Column("", field="email"), "columns[0].key", "must not be empty"),
        (Column(" a", field="email"), "columns[0].key", "white space"),
        (Column("a" * 101, field="email"), "columns[0].key", "at most 100 characters"),
        (Column("a\nb", field="email"), "columns[0].key", "line breaks"),
        (Column("\ud800", field="email"), "columns[0].key", "control characters"),
        (Column("_meta", field="email"), "columns[0].key", "cannot be replaced"),
        (Column("Meta", field="email"), "columns[0].key", "cannot be replaced"),
        (Column("a"), "columns[0]", "exactly one of"),
        (Column("a", field="email", constant="b"), "columns[0]", "exactly one of"),
        (Column("a", field="mail"), "columns[0].field", "did you mean `email`"),
        (Column("a", field="__class__"), "columns[0].field", "is not a field"),
        (Column("a", template="{"), "columns[0].template", "expected a field"),
        (Column("a", constant="x\0"), "columns[0].constant", "NUL"),
        (Column("a", constant="x" * 8001), "columns[0].constant", "at most 8,000"),
        (Column("a", first_of=["email", "mail"]), "columns[0].first_of[1]", "is not a field"),
        (Column("a", first_of=["email"] * 11), "columns[0].first_of", "at most 10"),
        (Column("a", field="email", steps=["trim", "lowr"]), "columns[0].steps[1]", "did you mean `lower`"),
        (Column("a", field="email", steps=["trim"] * 21), "columns[0].steps", "at most 20"),
        (Column("a", field="followers", type=ColumnType.NUMBER, empty=EmptyValue.TEXT), "columns[0].empty", "does not fit"),
    ],
)  # fmt: skip
def test_a_bad_column_names_its_place(column: Column, place: str, words: str) -> None:
    [(found, message)] = places(column)
    assert (found, words in message) == (place, True), message


def test_keys_are_unique_after_folding() -> None:
    columns = [
        Column("Full Name", field="full_name"),
        Column("e", field="email"),
        Column("full_name", field="full_name"),
    ]
    assert places(*columns) == [("columns[2].key", "differs from columns[0].key only in case, `_`, `-` or spaces")]
    assert fold_key("STRASSE") == fold_key("Straße")


def test_a_mapping_has_1_to_120_columns() -> None:
    assert places() == [("columns", "must name at least 1")]
    many = [Column(f"c{number}", field="email") for number in range(121)]
    assert places(*many) == [("columns", "must name at most 120")]
    assert places(*many[:120]) == []


def test_all_problems_are_named_up_to_20() -> None:
    assert [place for place, _ in places(Column("a", field="x"), Column("a", template="{"))] == [
        "columns[0].field", "columns[1].key", "columns[1].template",
    ]  # fmt: skip
    assert len(places(*[Column(f"c{number}", field="x") for number in range(120)])) == 20


def test_the_work_of_a_whole_mapping_is_limited() -> None:
    costly = [Column(f"c{number}", field="email", steps=["trim"] * 20) for number in range(31)]
    assert places(*costly) == [("columns", "can have at most 600 steps and placeholders in all")]
    assert places(*costly[:30]) == []


def test_a_custom_field_must_be_one_of_the_organization() -> None:
    columns = [
        Column("a", field="custom.owner"),
        Column("b", template="x {custom.stage}"),
        Column("c", first_of=["custom.z"]),
    ]
    parsed, problems = parse_columns(columns)
    assert problems == []
    found = custom_problems(columns, parsed, ["owner"])
    assert [(each.place, each.offset) for each in found] == [("columns[1].template", 3), ("columns[2].first_of", None)]
    assert custom_problems(columns, parsed, ["owner", "stage", "z"]) == []


def test_columns_are_stored_and_read_again() -> None:
    columns = [
        *STANDARD,
        Column("x", template="{email}", steps=("lower",), empty=EmptyValue.TEXT),
        Column("y", constant=False, type=ColumnType.BOOLEAN),
        Column("z", first_of=("email", "enriched.email")),
    ]
    assert [Column.of_json(each.as_json()) for each in columns] == columns


def test_every_field_of_the_catalogue_has_a_sentence_and_a_sample() -> None:
    assert all(field.about.endswith(".") and field.sample is not None for field in FIELDS.values())
    assert all(parse_columns([Column("a", field=name)])[1] == [] for name in FIELDS)
