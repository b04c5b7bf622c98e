"""Applies 5,000 random mappings to hostile leads. tests/leads/mapping/test_fuzz.py is a short version."""

import pytest
from hypothesis import given, settings

from tests.leads.mapping.any_mapping import Case, any_case, check

pytestmark = pytest.mark.faults


@given(any_case)
@settings(max_examples=5_000, deadline=None)
@pytest.mark.timeout(3600)
def test_5_000_random_mappings_produce_all_keys_for_hostile_leads(case: Case) -> None:
    check(case)
