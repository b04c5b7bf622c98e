"""Strategies of hypothesis: mappings with every source, step, type and empty value; and the check of their payloads."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hypothesis import event
from hypothesis import strategies as st

from clay_push_service.host.lead_row import LeadRow
from clay_push_service.leads.mapping.catalogue import FIELDS
from clay_push_service.leads.mapping.columns import Column, fold_key, parse_columns
from clay_push_service.leads.mapping.compile import compile_columns
from clay_push_service.leads.mapping.steps import DAY_FORMATS, STEPS
from clay_push_service.leads.mapping.values import TEXTS, ColumnType, EmptyValue, Json
from clay_push_service.leads.payload import MAX_PAYLOAD_BYTES
from clay_push_service.leads.payload_fields import PayloadError
from tests.leads.any_lead import any_row, hostile_row, long_text
from tests.leads.payload_examples import DELIVERY, THEN, read

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
quoted = text.map(lambda word: '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"')
field = st.sampled_from([*FIELDS, "custom.owner", "custom.x_1"])


@st.composite
def any_step(draw: st.DrawFn) -> str:
    name = draw(st.sampled_from(list(STEPS)))
    kind = STEPS[name]
    if name == "map_values":
        return f"{name}({draw(quoted)},{draw(quoted)})"
    if name == "replace":
        return f'{name}("{draw(st.sampled_from("aexX ."))}",{draw(quoted)})'
    if name == "date":
        return f'date("{draw(st.sampled_from(list(DAY_FORMATS)))}")'
    numbers = st.integers(kind.numbers.start, kind.numbers.stop - 1).map(str)
    given = draw(st.integers(kind.required, len(kind.arguments)))
    arguments = [draw(numbers if each is int else quoted) for each in kind.arguments[:given]]
    return f"{name}({', '.join(arguments)})" if arguments else name


steps = st.lists(any_step(), max_size=3)
choice = st.one_of(quoted, st.builds(lambda name, found: ":".join([name, *found]), field, steps))
placeholder = st.lists(choice, min_size=1, max_size=3).map(lambda found: "{" + " | ".join(found) + "}")
template = st.lists(placeholder | text.map(lambda word: word.replace("{", "{{").replace("}", "}}")), max_size=4).map(
    "".join
)
source = st.one_of(
    field.map(lambda name: {"field": name}),
    template.map(lambda written: {"template": written}),
    st.lists(choice, min_size=1, max_size=4).map(lambda found: {"first_of": found}),
    (text | st.integers(-(2**53), 2**53) | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)).map(
        lambda constant: {"constant": constant}
    ),
)
key = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=20)


@st.composite
def any_mapping(draw: st.DrawFn, most: int = 12) -> list[Column]:
    keys = draw(
        st.lists(key, min_size=1, max_size=most, unique_by=fold_key).filter(
            lambda found: all(fold_key(each) not in {"", "meta"} for each in found)
        )
    )
    columns = []
    for each in keys:
        kind = draw(st.sampled_from(ColumnType))
        empty = draw(st.sampled_from([found for found in EmptyValue if found is not EmptyValue.TEXT or kind in TEXTS]))
        columns.append(Column(each, **draw(source), steps=draw(steps), type=kind, empty=empty))
    return columns


clay_values: st.SearchStrategy[Mapping[str, Json]] = st.dictionaries(
    st.sampled_from(["enriched.email", "enriched.technologies", "custom.owner"]),
    st.none() | text | long_text | st.lists(text, max_size=3),
)


class Case(NamedTuple):
    """A mapping, leads and a lead's values of Clay."""

    columns: Sequence[Column]
    rows: Sequence[tuple[LeadRow, bool]]
    """Each lead, and whether its values have the host's types."""
    clay_values: Mapping[str, Json]


any_case = st.builds(
    Case,
    any_mapping(),
    st.lists(any_row.map(lambda row: (row, True)) | hostile_row.map(lambda row: (row, False)), min_size=1, max_size=2),
    clay_values,
)


def check(case: Case) -> None:
    """No exception but PayloadError, never over the limit, always the full key set, and the same hash whatever Clay found."""
    _, problems = parse_columns(case.columns)
    assert problems == []
    mapping = compile_columns([Column.of_json(each.as_json()) for each in case.columns])
    for row, is_valid in case.rows:
        try:
            payload = mapping.build(row, DELIVERY, THEN, case.clay_values)
        except PayloadError as refused:
            event(refused.cause)
            assert refused.cause == "too_large" or not is_valid  # noqa: PT017 - both ends are good
            continue
        assert len(payload.body) <= MAX_PAYLOAD_BYTES
        assert list(read(payload)) == ["_meta", *(each.key for each in case.columns)]
        assert mapping.content_hash(row) == payload.hash
        event("built")
