"""A search ignores case and Unicode form in databases of every locale."""

import unicodedata
from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy import Text, column, select, values
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.database import Database
from clay_push_service.host.text_search import contains, fold, pattern
from tests.harness.databases import TestServer, name_of

LOCALES = ("C", "C.UTF-8")
FOUND = [
    ("Müller", "MÜLLER"), ("Müller GmbH", "müller"), ("Élodie", "élo"), ("ŁUKASZ", "łukasz"), ("Ömer", "öMER"),
    ("Nguyễn", "nguyễn"), ("ΣΊΣΥΦΟΣ", "σίσυφος"), ("Иван Петров", "ИВАН"), ("Straße", "STRASSE"), ("STRASSE", "straße"),
    ("ﬁnance", "FINANCE"), ("\u212aelvin", "kelvin"), ("ångström", "A\u030angstr\u00f6m"), ("がんば", "か\u3099ん"),
    ("한국", "\u1112\u1161\u11ab"), ("\U00010414x", "\U0001043cX"), ("100%_\\ [a](b)*+?.^$|{2}", "%_\\ [A](B)*+?.^$|{2}"),
    ("a@b.example", "A@B"), ("O'Brien", "o'b"), ("tab\there", "B\tH"), ("emoji 👍🏽", "👍🏽"),
]  # fmt: skip
NOT_FOUND = [
    ("Müller", "muller"), ("muller", "müller"), ("abc", "a.c"), ("Strase", "straße"), ("ıx", "Ix"), ("x", "xx"),
    ("a%c", "a_c"), ("", "a"), ("file", "ﬂ"),
]  # fmt: skip


@pytest.fixture(params=LOCALES)
async def connection(postgres: TestServer, request: pytest.FixtureRequest) -> AsyncIterator[AsyncConnection]:
    url = postgres.create()
    admin = await asyncpg.connect(url)
    name = f"{name_of(url)}_of_locale"
    try:
        await admin.execute(
            f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE '{request.param}'"
        )  # names that only this test uses
        database = Database(url.replace(name_of(url), name), pool_size=1)
        async with database.transaction() as opened:
            yield opened
        await database.close()
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()
        postgres.drop(url)


async def found(connection: AsyncConnection, pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    matched = []
    for stored, words in pairs:
        texts = values(column("report", Text()), name="texts").data([(stored,)]).alias()
        if (await connection.execute(select(contains(texts.c.report, words)))).scalar_one():
            matched.append((stored, words))
    return matched


async def test_search_ignores_case_and_unicode_form_in_every_locale(connection: AsyncConnection) -> None:
    for form in ("NFC", "NFD"):
        for other in ("NFC", "NFD"):
            pairs = [(unicodedata.normalize(form, a), unicodedata.normalize(other, b)) for a, b in FOUND]
            assert await found(connection, pairs) == pairs
            pairs = [(unicodedata.normalize(form, a), unicodedata.normalize(other, b)) for a, b in NOT_FOUND]
            assert await found(connection, pairs) == []


async def test_a_null_is_not_found_and_raises_no_error(connection: AsyncConnection) -> None:
    texts = values(column("report", Text()), name="texts").data([(None,)]).alias()
    assert (await connection.execute(select(contains(texts.c.report, "a")))).scalar_one() is None


def test_the_pattern_is_ascii_without_special_characters_of_postgresql() -> None:
    for words in (*(words for _, words in FOUND), "\u0130", "a" * 200, "ß" * 200, "\u2028"):
        assert pattern(words).isascii()


def test_folded_texts_are_equal_for_every_unicode_form() -> None:
    for stored, _ in FOUND:
        assert fold(unicodedata.normalize("NFD", stored)) == fold(unicodedata.normalize("NFC", stored).upper())
