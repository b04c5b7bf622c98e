"""The steps that change a value of a column: a closed list of pure functions. Each accepts any value and never fails."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from clay_push_service.leads.mapping.values import (
    MOST_CHARACTERS,
    Json,
    day_parts,
    is_empty,
    to_boolean,
    to_day,
    to_list,
    to_number,
    to_text,
)

Argument = str | int
Step = Callable[[Json], Json]
_WORD = re.compile(r"\S+")
_HOST = re.compile(r"(?:[a-z][a-z0-9+.-]{0,20}:)?(?://)?(?:[^/?#@]{0,200}@)?([^/?#@:]{1,253})", re.IGNORECASE)
DAY_FORMATS: Mapping[str, str] = MappingProxyType(
    {
        "YYYY-MM-DD": "{0}-{1}-{2}", "MM/DD/YYYY": "{1}/{2}/{0}", "DD/MM/YYYY": "{2}/{1}/{0}", "DD.MM.YYYY": "{2}.{1}.{0}",
        "YYYY-MM": "{0}-{1}", "YYYY": "{0}",
    }
)  # fmt: skip
MOST_PAIRS = 20


@dataclass(frozen=True, slots=True)
class StepKind:
    """One step of the closed list. `arguments`: the type of each argument; `fewest`: how many are required."""

    does: str
    make: Callable[..., Step]
    arguments: Sequence[type[Argument]] = ()
    fewest: int | None = None
    numbers: range = range(1, MOST_CHARACTERS + 1)
    words: Sequence[str] | None = None
    """The only allowed texts; empty: any text."""

    @property
    def required(self) -> int:
        return len(self.arguments) if self.fewest is None else self.fewest


def _texts(change: Callable[[str], str]) -> Step:
    """Apply a change to a text, or to each text of a list. An empty text stays empty."""

    def step(value: Json) -> Json:
        if type(value) is str:
            return change(value)[:MOST_CHARACTERS] if value else value
        if value is None:
            return None
        if isinstance(value, list):
            return [change(each)[:MOST_CHARACTERS] if each else each for each in value]
        return change(to_text(value) or "")[:MOST_CHARACTERS]

    return step


def _title(text: str) -> str:
    return _WORD.sub(lambda word: word[0].capitalize(), text)


def _replace(old: str, new: str) -> Step:
    grows = max(len(new) - len(old), 1)
    return _texts(lambda text: text.replace(old, new, MOST_CHARACTERS // grows))


def _join(between: str) -> Step:
    return lambda value: between.join(value)[:MOST_CHARACTERS] if isinstance(value, list) else to_text(value)


def _take_first(number: int | None = None) -> Step:
    def step(value: Json) -> Json:
        items = to_list(value) or []
        if number is None:
            return items[0] if items else None
        return items[:number]

    return step


def _domain_of(text: str) -> str:
    found = _HOST.match(text.strip().lower())
    host = found[1].strip(".") if found is not None else ""
    return host.removeprefix("www.") if "." in host and not re.search(r"\s", host) else ""


def _email_domain(text: str) -> str:
    name, _, domain = text.strip().rpartition("@")
    return domain.lower().strip(".") if name else ""


def _date(pattern: str = "YYYY-MM-DD") -> Step:
    written = DAY_FORMATS[pattern]

    def step(value: Json) -> Json:
        parts = day_parts(value)
        return None if parts is None else written.format(*parts)

    return step if pattern != "YYYY-MM-DD" else to_day


def _round(digits: int = 0) -> Step:
    def step(value: Json) -> Json:
        number = to_number(value)
        if not isinstance(number, float):
            return number
        return round(number, digits) if digits or abs(number) >= 2**53 else round(number)

    return step


def _bool_words(yes: str, no: str) -> Step:
    def step(value: Json) -> Json:
        found = to_boolean(value)
        return None if found is None else yes if found else no

    return step


def _map_values(*pairs: str) -> Step:
    words = dict(zip(pairs[::2], pairs[1::2], strict=True))
    return _texts(lambda text: words.get(text, text))


def _default(text: str) -> Step:
    return lambda value: text if is_empty(value) else value


STEPS: Mapping[str, StepKind] = MappingProxyType(
    {
        "trim": StepKind("Removes white space at both ends.", lambda: _texts(str.strip)),
        "lower": StepKind("Writes small letters.", lambda: _texts(str.lower)),
        "upper": StepKind("Writes capital letters.", lambda: _texts(str.upper)),
        "title": StepKind("Writes each word with a capital first letter.", lambda: _texts(_title)),
        "first_word": StepKind("Keeps the first word.", lambda: _texts(lambda text: (text.split(None, 1) or [""])[0])),
        "last_word": StepKind("Keeps the last word.", lambda: _texts(lambda text: (text.rsplit(None, 1) or [""])[-1])),
        "prefix": StepKind(
            "Adds a text before a value that is not empty.", lambda word: _texts(lambda text: word + text), (str,)
        ),
        "suffix": StepKind(
            "Adds a text after a value that is not empty.",
            lambda word: _texts(lambda text: text[: MOST_CHARACTERS - len(word)] + word), (str,),
        ),
        "replace": StepKind("Replaces each occurrence of a text by another.", _replace, (str, str)),
        "truncate": StepKind(
            "Keeps at most this many characters.", lambda most: _texts(lambda text: text[:most]), (int,)
        ),
        "join": StepKind("Makes one text of a list, with this text between its items.", _join, (str,)),
        "take_first": StepKind(
            "Keeps the first item of a list; with a number, a list of that many.", _take_first, (int,), 0, range(1, 101)
        ),
        "domain_of": StepKind("Keeps the domain of a web address, without `www.`.", lambda: _texts(_domain_of)),
        "email_domain": StepKind("Keeps what follows the @ of an e-mail address.", lambda: _texts(_email_domain)),
        "date": StepKind(
            "Writes a date in another form; empties what is no date.", _date, (str,), 0, words=tuple(DAY_FORMATS)
        ),
        "number": StepKind("Makes a number of a text; empties what is none.", lambda: to_number),
        "round": StepKind("Rounds a number to this many digits.", _round, (int,), 0, range(7)),
        "bool_words": StepKind("Writes true and false as these two texts.", _bool_words, (str, str)),
        "map_values": StepKind(
            "Replaces a value that equals the first text of a pair by the second; keeps others.", _map_values,
            (str,) * (2 * MOST_PAIRS), 2,
        ),
        "default": StepKind("Replaces an empty value by this text.", _default, (str,)),
        "to_text": StepKind("Makes a text of any value.", lambda: to_text),
    }
)  # fmt: skip
