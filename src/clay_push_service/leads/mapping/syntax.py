r"""Parses templates, placeholders and steps by hand. There is no expression language: a placeholder names fields and steps.

    template    = (text | "{{" | "}}" | "{" placeholder "}")*
    placeholder = choice ("|" choice)*          the first choice that is not empty
    choice      = quoted | field (":" step)*
    step        = name ["(" [argument ("," argument)*] ")"]
    argument    = quoted | whole number
    quoted      = '"' characters, with \" and \\ '"'

White space is allowed between the parts of a placeholder. Errors have the exact offset. The time is linear in the length.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from clay_push_service.leads.mapping.catalogue import CUSTOM, MappableField, find_field, known_names
from clay_push_service.leads.mapping.problem import MappingSyntaxError
from clay_push_service.leads.mapping.steps import STEPS, Argument, Step, StepKind
from clay_push_service.near_match import near_match

MAX_TEMPLATE = 8000
"""Most characters of a text. A cell of Clay holds 8 KB."""
MAX_STEP = 2000
MAX_ARGUMENT = 200
MAX_PLACEHOLDERS = 50
MAX_CHOICES = 10
MAX_STEPS = 20
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*", re.ASCII)
_SPACES = re.compile(r"[ \t\r\n]*")
_INTEGER = re.compile(r"[0-9]{1,6}(?![0-9])", re.ASCII)
_QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"')
_PLAIN = re.compile(r"[^{}]+")
_UNENCODABLE = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Choice:
    """A field with its steps, or a literal text."""

    field: MappableField | None
    literal: str = ""
    steps: Sequence[Step] = ()


@dataclass(frozen=True, slots=True)
class Placeholder:
    choices: Sequence[Choice]


Part = str | Placeholder


def parse_template(text: str) -> Sequence[Part]:
    """Raises MappingSyntaxError at the first problem."""
    check_text(text, MAX_TEMPLATE)
    return _Parser(text).template()


def parse_choice(text: str) -> Choice:
    """One choice of `first_of`."""
    check_text(text, MAX_STEP)
    parser = _Parser(text)
    found = parser.choice()
    parser.end()
    return found


def parse_step(text: str) -> Step:
    """One of a column's steps, such as `truncate(40)`."""
    check_text(text, MAX_STEP)
    parser = _Parser(text)
    found = parser.step()
    parser.end()
    return found


def parse_field(name: str) -> MappableField:
    """Raises MappingSyntaxError for a name that is not in the catalogue."""
    found = find_field(name)
    if found is None:
        raise MappingSyntaxError(0, unknown_field(name))
    return found


def unknown_field(name: str, custom: Sequence[str] = ()) -> str:
    suggestion = near_match(name, known_names(custom)) if not name.startswith("_") else None
    shown = repr(name[:40])
    if suggestion is not None:
        return f"{shown} is not a field; did you mean `{suggestion}`?"
    if name.startswith(CUSTOM):
        return f"{shown} is not one of your organization's custom fields"
    return f"{shown} is not a field of the catalogue; a text needs quotation marks"


def check_text(text: str, most: int) -> None:
    if len(text) > most:
        raise MappingSyntaxError(most, f"must have at most {most:,} characters")
    found = _UNENCODABLE.search(text)
    if found is not None:
        raise MappingSyntaxError(found.start(), "must not contain NUL or half of a surrogate pair")


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def template(self) -> list[Part]:
        text, parts, placeholders = self._text, list[Part](), 0
        while self._at < len(text):
            plain = _PLAIN.match(text, self._at)
            if plain is not None:
                self._at = plain.end()
                parts.append(plain[0])
            elif text.startswith(("{{", "}}"), self._at):
                parts.append(text[self._at])
                self._at += 2
            elif text[self._at] == "}":
                self._fail("a closing brace without an opening one; write `}}` for a brace in the text")
            else:
                placeholders += 1
                if placeholders > MAX_PLACEHOLDERS:
                    self._fail(f"a template can have at most {MAX_PLACEHOLDERS} placeholders")
                parts.append(self._placeholder())
        return parts

    def _placeholder(self) -> Placeholder:
        opened = self._at
        self._at += 1
        choices = [self.choice()]
        while self._take("|"):
            if len(choices) == MAX_CHOICES:
                self._fail(f"a placeholder can have at most {MAX_CHOICES} choices")
            choices.append(self.choice())
        if not self._take("}"):
            if self._at >= len(self._text):
                self._fail("the placeholder does not end; write `{{` for a brace in the text", opened)
            self._fail(f"expected `:`, `|` or `}}`, found {self._text[self._at]!r}")
        return Placeholder(tuple(choices))

    def choice(self) -> Choice:
        self._skip_spaces()
        if self._text.startswith('"', self._at):
            return Choice(None, self._quoted())
        field = self._field()
        steps = list[Step]()
        while self._take(":"):
            if len(steps) == MAX_STEPS:
                self._fail(f"a value can have at most {MAX_STEPS} steps")
            steps.append(self.step())
        return Choice(field, steps=tuple(steps))

    def _field(self) -> MappableField:
        start = self._at
        found = find_field(self._name("a field"))
        if found is None:
            self._fail(unknown_field(self._text[start : self._at]), start)
        return found

    def step(self) -> Step:
        self._skip_spaces()
        start = self._at
        name = self._name("a step")
        kind = STEPS.get(name)
        if kind is None:
            suggestion = near_match(name, STEPS)
            hint = f"did you mean `{suggestion}`?" if suggestion else f"steps are {', '.join(STEPS)}"
            self._fail(f"{name[:40]!r} is not a step; {hint}", start)
        arguments = self._arguments(kind) if self._take("(") else []
        if len(arguments) < kind.required:
            self._fail(f"`{name}` needs {_counted(kind.required)}", start)
        if name == "map_values" and len(arguments) % 2:
            self._fail("`map_values` needs pairs of texts", start)
        if name == "replace" and not arguments[0]:
            self._fail("`replace` needs a text to replace", start)
        return kind.make(*arguments)

    def _arguments(self, kind: StepKind) -> list[Argument]:
        found = list[Argument]()
        while not self._take(")"):
            if found and not self._take(","):
                self._fail("expected `,` or `)`")
            self._skip_spaces()
            if len(found) == len(kind.arguments):
                self._fail(f"this step takes {_counted(len(kind.arguments))}")
            found.append(self._argument(kind, kind.arguments[len(found)]))
        return found

    def _argument(self, kind: StepKind, expected: type[Argument]) -> Argument:
        start = self._at
        if expected is int:
            number = _INTEGER.match(self._text, start)
            if number is None or int(number[0]) not in kind.numbers:
                self._fail(f"must be a whole number of {kind.numbers.start:,} to {kind.numbers.stop - 1:,}")
            self._at = number.end()
            return int(number[0])
        if not self._text.startswith('"', start):
            self._fail("must be a text in quotation marks")
        word = self._quoted()
        if kind.words is not None and word not in kind.words:
            self._fail(f"must be one of {', '.join(kind.words)}", start)
        return word

    def _quoted(self) -> str:
        found = _QUOTED.match(self._text, self._at)
        if found is None:
            self._fail('the text in quotation marks does not end; write `\\"` for one in it')
        if found.end() - found.start() > MAX_ARGUMENT:
            self._fail(f"a text in quotation marks can have at most {MAX_ARGUMENT - 2} characters")
        self._at = found.end()
        return re.sub(r"\\(.)", r"\1", found[1])

    def _name(self, what: str) -> str:
        found = _NAME.match(self._text, self._at)
        if found is None:
            shown = repr(self._text[self._at]) if self._at < len(self._text) else "the end"
            self._fail(f"expected {what}, found {shown}")
        self._at = found.end()
        return found[0]

    def _take(self, character: str) -> bool:
        self._skip_spaces()
        if not self._text.startswith(character, self._at):
            return False
        self._at += 1
        return True

    def _skip_spaces(self) -> None:
        found = _SPACES.match(self._text, self._at)
        self._at = found.end() if found is not None else self._at

    def end(self) -> None:
        self._skip_spaces()
        if self._at < len(self._text):
            self._fail(f"expected the end, found {self._text[self._at]!r}")

    def _fail(self, message: str, at: int | None = None) -> NoReturn:
        raise MappingSyntaxError(self._at if at is None else at, message)


def _counted(number: int) -> str:
    return "no argument" if number == 0 else "one argument" if number == 1 else f"{number} arguments"
