"""Random mappings on hostile leads, and random text as templates; the long form is in tests/faults/test_mappings.py."""

from hypothesis import given, settings
from hypothesis import strategies as st

from clay_push_service.leads.mapping.columns import Column, parse_columns
from tests.leads.mapping.any_mapping import Case, any_case, check


@given(any_case)
@settings(max_examples=60, deadline=None)
def test_any_mapping_gives_the_full_key_set_for_any_lead(case: Case) -> None:
    check(case)


words = st.sampled_from(
    ["{", "}", "{{", "|", ":", "(", ")", '"', "\\", ",", " ", "full_name", "email", "trim", "truncate", "7", "é"]
)


@given(st.text(max_size=60) | st.lists(words, max_size=20).map("".join), st.booleans())
@settings(max_examples=400, deadline=None)
def test_any_text_is_a_template_or_has_a_problem_with_its_place(text: str, as_step: bool) -> None:
    column = Column("a", field="email", steps=[text]) if as_step else Column("a", template=text)
    parsed, problems = parse_columns([column])
    assert len(parsed) + len(problems) == 1
    for each in problems:
        assert each.place == ("columns[0].steps[0]" if as_step else "columns[0].template")
        assert each.offset is not None
        assert 0 <= each.offset <= len(text)
