"""The maps of a routine: what is refused when they are saved, what an item sends, and what a result fills."""

from uuid import UUID

import pytest

from clay_push_service.clay.routines_body import Json
from clay_push_service.enrichment.settings.kinds import Kind
from clay_push_service.enrichment.settings.maps import (
    FIELDS,
    INPUT_VALUES,
    LEAD_VALUES,
    found_fields,
    inputs_of,
    missing_values,
    problem_of_inputs,
    problem_of_outputs,
    unmapped_keys,
)
from clay_push_service.host.lead_row import LeadRow

NIL = UUID(int=0)
ADA = LeadRow(NIL, NIL, full_name=" Ada Lovelace ", company="Analytical", username="ada")


def test_the_fields_are_the_eleven_of_the_guide() -> None:
    assert len(FIELDS) == 11


def test_each_value_of_a_lead_exists() -> None:
    assert set(LEAD_VALUES.values()) <= set(LeadRow.__slots__)


@pytest.mark.parametrize("inputs", [{"Full Name": "full_name"}, {name: name for name in INPUT_VALUES}])
def test_inputs_that_can_be_saved(inputs: dict[str, str]) -> None:
    assert problem_of_inputs(inputs) is None


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({}, "must have 1 to 50 inputs"),
        ({f"i{number}": "email" for number in range(51)}, "must have 1 to 50 inputs"),
        ({"Name": "overall_score"}, "'overall_score' is not a value of a lead"),
        ({"Full Name": "full_name", "full_name": "username"}, "differ only in case"),
        ({"": "full_name"}, "1 to 100 printable characters"),
        ({"two\nlines": "full_name"}, "1 to 100 printable characters"),
        ({"x" * 101: "full_name"}, "1 to 100 printable characters"),
        ({" - ": "full_name"}, "1 to 100 printable characters"),
    ],
)
def test_inputs_that_are_refused(inputs: dict[str, str], reason: str) -> None:
    assert reason in (problem_of_inputs(inputs) or "")


@pytest.mark.parametrize(
    ("outputs", "reason"),
    [
        ({}, "must fill at least one field"),
        ({"confidence": "Score"}, "must fill at least one field"),
        ({"nickname": "Nick"}, "'nickname' is not a field"),
        ({"custom.Nick": "Nick"}, "is not a field"),
        ({"custom.": "Nick"}, "is not a field"),
        ({"email": "Work Email", "custom.mail": "work-email"}, "differ only in case"),
        ({f"custom.c{number}": f"k{number}" for number in range(51)}, "at most 50 fields custom.*"),
    ],
)
def test_outputs_that_are_refused(outputs: dict[str, str], reason: str) -> None:
    assert reason in (problem_of_outputs(outputs) or "")


def test_outputs_that_can_be_saved() -> None:
    custom = {f"custom.c{number}": f"k{number}" for number in range(50)}
    about = {"confidence": "Score", "email_status": "Status", "observed_at": "Last Run", "credits": "Cost"}
    assert problem_of_outputs({field: field for field in FIELDS} | about | custom) is None


def test_an_item_sends_what_the_lead_has() -> None:
    inputs = {"Name": "full_name", "Company": "company_name", "LinkedIn": "linkedin_url", "User": "github_username"}
    assert inputs_of(inputs, ADA) == {"Name": "Ada Lovelace", "Company": "Analytical", "User": "ada"}
    employed = LeadRow(NIL, NIL, company="Old", current_company="New")
    assert inputs_of({"Company": "company_name"}, employed) == {"Company": "New"}


def test_a_long_value_is_cut() -> None:
    assert inputs_of({"Bio": "bio"}, LeadRow(NIL, NIL, bio="x" * 5000)) == {"Bio": "x" * 2000}


@pytest.mark.parametrize(
    ("kind", "lead", "missing"),
    [
        (Kind.EMAIL, ADA, []),
        (Kind.EMAIL, LeadRow(NIL, NIL, full_name="Ada", company="  "), ["company_name"]),
        (Kind.EMAIL, LeadRow(NIL, NIL, current_company="New"), ["full_name"]),
        (Kind.EMAIL, LeadRow(NIL, NIL), ["full_name", "company_name"]),
        (Kind.FULL, LeadRow(NIL, NIL, full_name="Ada"), []),
        (Kind.FULL, LeadRow(NIL, NIL, email="ada@example.com"), ["full_name", "company_name"]),
    ],
)
def test_what_a_lead_must_have_before_money_is_spent(kind: Kind, lead: LeadRow, missing: list[str]) -> None:
    assert missing_values(kind, {"Name": "full_name", "Company": "company_name"}, lead) == missing


def test_a_result_fills_fields_in_any_case() -> None:
    outputs = {"email": "Work Email", "phone": "phone", "job_title": "JobTitle", "location": "City", "industry": "I"}
    result: dict[str, Json] = {
        "work_email": "a@example.com",
        "Phone": " ",
        "JOB-TITLE": "",
        "Seniority": "Senior",
        "I": {},
    }
    assert found_fields(outputs, result) == ["email"]
    assert unmapped_keys(outputs, result) == ["Seniority"]
