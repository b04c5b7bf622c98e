"""Each step and each conversion, for values of all types."""

import pytest

from clay_push_service.leads.mapping.steps import STEPS
from clay_push_service.leads.mapping.syntax import parse_step
from clay_push_service.leads.mapping.values import CONVERSIONS, ColumnType, Json


@pytest.mark.parametrize(
    ("step", "value", "made"),
    [
        ("trim", "  a b \n", "a b"),
        ("lower", "ÄB", "äb"),
        ("upper", "aß", "ASS"),
        ("title", "anna-lena  VON berg", "Anna-lena  Von Berg"),
        ("first_word", " John F. Doe", "John"),
        ("first_word", "  ", ""),
        ("last_word", "John F. Doe ", "Doe"),
        ('prefix("@")', "a", "@a"),
        ('prefix("@")', "", ""),
        ('prefix("@")', None, None),
        ('prefix("#")', 7, "#7"),
        ('suffix("!")', ["a", "", "b"], ["a!", "", "b!"]),
        ('replace("a","b")', "banana", "bbnbnb"),
        ('replace(" ","")', "a b c", "abc"),
        ("truncate(3)", "abcdef", "abc"),
        ("truncate(3)", ["abcd", "e"], ["abc", "e"]),
        ('join("; ")', ["a", "b"], "a; b"),
        ('join("; ")', "a", "a"),
        ('join("; ")', [], ""),
        ("take_first", ["a", "b"], "a"),
        ("take_first", [], None),
        ("take_first", None, None),
        ("take_first(2)", ["a", "b", "c"], ["a", "b"]),
        ("domain_of", "https://user@www.Acme.com:443/about?x#y", "acme.com"),
        ("domain_of", "acme.co.uk/", "acme.co.uk"),
        ("domain_of", "not a domain", ""),
        ("domain_of", "Acme", ""),
        ("email_domain", "John <john@Acme.COM", "acme.com"),
        ("email_domain", "no address", ""),
        ("email_domain", "@acme.com", ""),
        ("date", "2026-02-10T23:59:59Z", "2026-02-10"),
        ('date("MM/DD/YYYY")', "2026-02-10", "02/10/2026"),
        ('date("DD.MM.YYYY")', "2026-02-10", "10.02.2026"),
        ('date("YYYY")', "2026-13-10", None),
        ("number", " 12.50 ", 12.5),
        ("number", "1e999", None),
        ("number", "99999999999999999999", None),
        ("number", "x", None),
        ("round(1)", 82.46, 82.5),
        ("round", 82.5, 82),
        ("round", "7.6", 8),
        ("round", "x", None),
        ("round", 1e300, 1e300),
        ('bool_words("yes","no")', True, "yes"),
        ('bool_words("yes","no")', "False", "no"),
        ('bool_words("yes","no")', None, None),
        ('bool_words("yes","no")', "perhaps", None),
        ('map_values("DECISION_MAKER","decides","CHAMPION","helps")', "CHAMPION", "helps"),
        ('map_values("DECISION_MAKER","decides")', "OTHER", "OTHER"),
        ('default("-")', "", "-"),
        ('default("-")', [], "-"),
        ('default("-")', None, "-"),
        ('default("-")', 0, 0),
        ('default("-")', False, False),
        ("to_text", ["a", "b"], "a, b"),
        ("to_text", True, "true"),
        ("to_text", 82.5, "82.5"),
        ("to_text", {"a": 1}, '{"a":1}'),
    ],
)
def test_result_of_a_step(step: str, value: Json, made: Json) -> None:
    found = parse_step(step)(value)
    assert (found, type(found)) == (made, type(made))


@pytest.mark.parametrize(
    ("kind", "value", "made"),
    [
        ("text", ["a", "b"], "a, b"),
        ("text", False, "false"),
        ("number", "7", 7),
        ("number", True, 1),
        ("number", ["7"], None),
        ("boolean", "Yes", True),
        ("boolean", 0, False),
        ("boolean", "2", None),
        ("url", "acme.com", "acme.com"),
        ("date", "2026-02-10T00:00:00+01:00", "2026-02-10"),
        ("date", "10.02.2026", None),
        ("list", "a", ["a"]),
        ("list", "", []),
        ("list", 7, ["7"]),
        ("json", {"a": 1}, {"a": 1}),
    ],
)
def test_a_column_has_its_type(kind: str, value: Json, made: Json) -> None:
    found = CONVERSIONS[ColumnType(kind)](value)
    assert (found, type(found)) == (made, type(made))


@pytest.mark.parametrize("value", ["x" * 100_000, ["x" * 100_000] * 3, "a " * 50_000])
def test_no_step_returns_a_text_of_more_than_100_000_characters(value: Json) -> None:
    grown = (
        'replace("x","' + "y" * 150 + '")',
        'prefix("' + "z" * 190 + '")',
        'suffix("' + "z" * 190 + '")',
        "upper",
        'join("' + "-" * 99 + '")',
    )
    for step in grown:
        found = parse_step(step)(value)
        assert all(len(each) <= 100_000 for each in (found if isinstance(found, list) else [str(found)])), step


def test_every_step_has_a_description() -> None:
    assert all(kind.does.endswith(".") for kind in STEPS.values())
